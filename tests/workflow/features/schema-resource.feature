Feature: Schemas elsewhere
  Given by resource, and fetched before there is any run.

  Scenario: An input that a fetched schema allows
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-allows, version: '1.0.0' }
    input: { schema: { format: json, resource: { endpoint: https://stub.example/schemas/order.json } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the workflow input is:
    """yaml
    { id: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1 }
    """


  Scenario: An input that a fetched schema does not allow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-forbids, version: '1.0.0' }
    input: { schema: { format: json, resource: { name: order, endpoint: { uri: https://stub.example/schemas/order.json } } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the workflow input is:
    """yaml
    { id: one }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """


  Scenario: An output of a task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-of-output, version: '1.0.0' }
    do:
      - keep: { set: { id: '${ .id }' }, output: { schema: { resource: { endpoint: https://stub.example/schemas/order.json } } } }
    """
    And given the workflow input is:
    """yaml
    { id: one }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """


  Scenario: What a task exports
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-of-export, version: '1.0.0' }
    do:
      - keep: { set: { id: '${ .id }' }, export: { as: '${ . }', schema: { resource: { endpoint: https://stub.example/schemas/order.json } } } }
    """
    And given the workflow input is:
    """yaml
    { id: one }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """


  Scenario: A schema behind a login
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-behind-a-login, version: '1.0.0' }
    use: { secrets: [ site ], authentications: { known: { bearer: { token: '${ $secrets.site.token }' } } } }
    input: { schema: { resource: { endpoint: { uri: https://stub.example/schemas/login/order.json, authentication: { use: known } } } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the secret 'site' is:
    """yaml
    token: t0k3n
    """
    And given the workflow input is:
    """yaml
    { id: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1 }
    """


  Scenario: A workflow that another one runs has schemas of its own
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-of-a-child, version: '1.0.0' }
    do:
      - child: { run: { workflow: { namespace: default, name: schema-child, version: latest, input: { id: '${ .id }' } } } }
    """
    And another workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-child, version: '1.0.0' }
    input: { schema: { resource: { endpoint: https://stub.example/schemas/order.json } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the workflow input is:
    """yaml
    { id: one }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """


  Scenario: A schema that is none
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-that-is-none, version: '1.0.0' }
    input: { schema: { resource: { endpoint: https://stub.example/schemas/strange.json } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the workflow input is:
    """yaml
    { id: 1 }
    """
    When the workflow is executed
    Then the workflow should be refused at /input/schema/resource


  Scenario: A schema that refers to another document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-that-refers, version: '1.0.0' }
    do:
      - keep: { set: { id: 1 }, input: { schema: { resource: { endpoint: https://stub.example/schemas/parted.json } } } }
    """
    And given the workflow input is:
    """yaml
    { id: 1 }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/keep/input/schema/resource


  Scenario: A schema that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-that-is-not-there, version: '1.0.0' }
    input: { schema: { resource: { endpoint: https://stub.example/schemas/none.json } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the workflow input is:
    """yaml
    { id: 1 }
    """
    When the workflow is executed
    Then the workflow should be refused at /input/schema/resource


  Scenario: An endpoint that is an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: schema-by-expression, version: '1.0.0' }
    input: { schema: { resource: { endpoint: '${ .uri }' } } }
    do: [ { keep: { set: '${ . }' } } ]
    """
    And given the workflow input is:
    """yaml
    { uri: 'https://stub.example/schemas/order.json' }
    """
    When the workflow is executed
    Then the workflow should be refused at /input/schema/resource/endpoint

