Feature: Call Functions
  Functions of the platform and of the workflow.

  Scenario: A Function of the platform by its name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-of-the-platform-by-its-name, version: '1.0.0' }
    do:
      - add: { call: add, with: { x: 3, y: 4 } }
    """
    And given the function 'default/add' returns:
    """yaml
    7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    7
    """

  Scenario: A Function of another namespace
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-of-another-namespace, version: '1.0.0' }
    do:
      - add: { call: math/add, with: { x: 3 } }
    """
    And given the function 'math/add' returns:
    """yaml
    sum: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 7
    """

  Scenario: A function of the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-of-the-workflow, version: '1.0.0' }
    use: { functions: { double: { set: { n: '${ .n * 2 }' } } } }
    do:
      - twice: { call: double, with: { n: '${ .start }' } }
      - again: { call: double, with: { n: '${ .n }' } }
    """
    And given the workflow input is:
    """yaml
    start: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 12
    """

  Scenario: A function of the workflow that is an HTTP call
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-of-the-workflow-that-is-an-http-call, version: '1.0.0' }
    use: { functions: { getPet: { call: http, with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/{petId}' } } } }
    do:
      - pet: { call: getPet, with: { petId: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete

  Scenario: A Function that is not there is an error that can be caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-that-is-not-there-is-an-error-that-can, version: '1.0.0' }
    do:
      - attempt:
          try: [ { call: { call: nobody } } ]
          catch: { errors: { with: { status: 404 } }, do: [ { handle: { set: { caught: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: true
    """

  Scenario: Kinds of calls that are not supported are refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: kinds-of-calls-that-are-not-supported-are-refused, version: '1.0.0' }
    do:
      - call: { call: grpc, with: { proto: { endpoint: file://x }, service: { name: s, host: h }, method: m } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/call/call

  Scenario: Functions of catalogs are refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: functions-of-catalogs-are-refused, version: '1.0.0' }
    do:
      - call: { call: 'log:1.0.0@global', with: { message: x } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/call/call
