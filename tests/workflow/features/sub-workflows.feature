Feature: Sub-workflows
  Workflows that run others.

  Scenario: The output of another workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-output-of-another-workflow, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '${ .n }' } } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - double: { set: { n: '${ .n * 2 }' } }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 6
    """

  Scenario: The latest version
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-latest-version, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: latest, input: { n: 4 } } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - double: { set: { n: '${ .n * 2 }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 8
    """

  Scenario: Without waiting
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: without-waiting, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '${ .n }' } }, await: false } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - slow: { wait: PT1H }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 3
    """

  Scenario: Without its output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: without-its-output, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '${ .n }' } }, return: none } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - double: { set: { n: '${ .n * 2 }' } }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    null
    """

  Scenario: Its error is the error of the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: its-error-is-the-error-of-the-task, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '${ .n }' } } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 418 } } }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/no, status: 418 }
    """
    And run should fault

  Scenario: Its error can be caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: its-error-can-be-caught, version: '1.0.0' }
    do:
      - attempt:
          try: [ { run: { run: { workflow: { namespace: default, name: child, version: '1.0.0' } } } } ]
          catch: { errors: { with: { status: 418 } }, do: [ { handle: { set: { caught: true } } } ] }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 418 } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: true
    """

  Scenario: It takes its time
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: it-takes-its-time, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '${ .n }' } } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - slow: { wait: PT1H }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow should take 3600 seconds

  Scenario: It may take too long
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: it-may-take-too-long, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0' } }, timeout: { after: PT1M } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - slow: { wait: PT1H }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And the workflow should take 60 seconds

  Scenario: A workflow that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-that-is-not-there, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { n: '${ .n }' } } } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404, instance: /do/0/run }
    """

  Scenario: A container is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-container-is-refused, version: '1.0.0' }
    do:
      - run: { run: { container: { image: x } } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/run/run/container

  Scenario: A script is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-script-is-refused, version: '1.0.0' }
    do:
      - run: { run: { script: { language: python, code: x } } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/run/run/script

  Scenario: A shell is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-shell-is-refused, version: '1.0.0' }
    do:
      - run: { run: { shell: { command: x } } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/run/run/shell

  Scenario: Without a version it is the latest, without an input the task's
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: without-a-version-it-is-the-latest-without-an-inpu, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - one: { set: '${ . + { child: true } }' }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { n: 3, child: true }
    """

  Scenario: An input of any type
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-input-of-any-type, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: '${ .n }' } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - one: { set: '${ . * 2 }' }
    """
    And given the workflow input is:
    """yaml
    n: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    6
    """

  Scenario: An input that its schema refuses
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-input-that-its-schema-refuses, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '1.0.0', input: { a: 1 } } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    input: { schema: { document: { type: object, required: [ b ] } } }
    do:
      - one: { set: '${ . * 2 }' }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400 }
    """
    And run should fault

  Scenario: A version that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-version-that-is-not-there, version: '1.0.0' }
    do:
      - run: { run: { workflow: { namespace: default, name: child, version: '2.0.0' } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: child, version: '1.0.0' }
    do:
      - one: { set: '${ . + { child: true } }' }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404, instance: /do/0/run }
    """
