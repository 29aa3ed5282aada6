Feature: The Chain of Data
  From the workflow's raw input to its transformed output, stage by stage.

  Scenario: Data that is no object goes through the tasks
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: data-that-is-no-object-goes-through-the-tasks, version: '1.0.0' }
    do:
      - first: { set: '${ map(. + 1) }' }
      - second: { set: '${ add }' }
    """
    And given the workflow input is:
    """yaml
    [ 1, 2 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    5
    """

  Scenario: A number as the workflow's input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-number-as-the-workflow-s-input, version: '1.0.0' }
    do:
      - first: { set: '${ . + 1 }' }
    """
    And given the workflow input is:
    """yaml
    5
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    6
    """

  Scenario: A text as the workflow's input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-text-as-the-workflow-s-input, version: '1.0.0' }
    do:
      - first: { set: { got: '${ . }', same: '${ $input == $workflow.input }' } }
    """
    And given the workflow input is:
    """yaml
    hello
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { got: hello, same: true }
    """

  Scenario: False as the workflow's input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: false-as-the-workflow-s-input, version: '1.0.0' }
    do:
      - first: { set: { got: '${ . }', given: '${ $input }' } }
    """
    And given the workflow input is:
    """yaml
    false
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { got: false, given: false }
    """

  Scenario: Null goes from task to task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: null-goes-from-task-to-task, version: '1.0.0' }
    do:
      - first: { set: '${ null }' }
      - second: { set: { got: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: null
    """

  Scenario: An expression without a value gives null, one with several the first
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-expression-without-a-value-gives-null-one-with, version: '1.0.0' }
    do:
      - first: { set: { none: '${ empty }', first: '${ .list[] }' } }
    """
    And given the workflow input is:
    """yaml
    list: [ 3, 4 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { none: null, first: 3 }
    """

  Scenario: Input that a transformation makes null
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: input-that-a-transformation-makes-null, version: '1.0.0' }
    do:
      - first: { input: { from: '${ .none }' }, set: { given: '${ $input }', raw: '${ $task.input }' } }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { given: null, raw: { x: 1 } }
    """

  Scenario: A composite task transforms around those inside
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-composite-task-transforms-around-those-inside, version: '1.0.0' }
    do:
      - outer:
          input: { from: .order }
          do:
            - inner: { input: { from: .id }, set: { id: '${ . }', raw: '${ $task.input }' }, output: { as: .id } }
            - wrap: { set: { wrapped: '${ . }' } }
          output: { as: '{ made: ., of: $input }' }
    """
    And given the workflow input is:
    """yaml
    order: { id: 3 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { made: { wrapped: 3 }, of: { id: 3 } }
    """

  Scenario: Each stage sees what the one before it gave
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: each-stage-sees-what-the-one-before-it-gave, version: '1.0.0' }
    do:
      - first:
          set: { y: 1 }
          output: { as: .y, schema: { document: { type: integer } } }
          export: { as: '{ v: . }', schema: { document: { required: [ v ] } } }
    output: { as: '{ last: ., context: $context }', schema: { document: { required: [ last, context ] } } }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { last: 1, context: { v: 1 } }
    """

  Scenario: Output that is not valid is not exported
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: output-that-is-not-valid-is-not-exported, version: '1.0.0' }
    do:
      - attempt:
          try: [ { wrong: { set: { y: 1 }, output: { schema: { document: { type: string } } }, export: { as: . } } } ]
          catch: { do: [ { tell: { set: '${ $context }' } } ] }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 1
    """

  Scenario: A skipped task is neither validated nor transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-skipped-task-is-neither-validated-nor-transforme, version: '1.0.0' }
    do:
      - skipped: { if: .x == 2, input: { schema: { document: { required: [ q ] } }, from: .q }, set: { y: 1 }, output: { as: .z, schema: { document: { type: string } } }, export: { as: .z } }
      - last: { set: { got: '${ . }', context: '${ $context }' } }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { got: { x: 1 }, context: { x: 1 } }
    """
    And skipped should be skipped

  Scenario: An export of null
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-export-of-null, version: '1.0.0' }
    do:
      - first: { set: { y: 1 }, export: { as: '${ null }' } }
    output: { as: '{ context: $context }' }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    context: null
    """

  Scenario: A schema of an older draft with definitions of its own
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schema-of-an-older-draft-with-definitions-of-its, version: '1.0.0' }
    input: { schema: { format: json, document: { $schema: 'http://json-schema.org/draft-07/schema#', definitions: { name: { type: string } }, properties: { a: { $ref: '#/definitions/name' } } } } }
    do:
      - never: { set: { r: 1 } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400 }
    """
    And never should not run

  Scenario: Input from the specification's own example
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: input-from-the-specification-s-own-example, version: '1.0.0' }
    do:
      - ask:
          input:
            schema:
              format: json
              document:
                type: object
                properties:
                  order: { type: object, required: [ pet ], properties: { pet: { type: object, required: [ id ], properties: { id: { type: string } } } } }
            from: .order.pet
          set: { petId: '${ .id }' }
    """
    And given the workflow input is:
    """yaml
    order: { pet: { id: '7' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    petId: '7'
    """

  Scenario: Input against the specification's own example
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: input-against-the-specification-s-own-example, version: '1.0.0' }
    do:
      - ask:
          input:
            schema:
              format: json
              document:
                type: object
                properties:
                  order: { type: object, required: [ pet ], properties: { pet: { type: object, required: [ id ] } } }
            from: .order.pet
          set: { petId: '${ .id }' }
    """
    And given the workflow input is:
    """yaml
    order: { pet: {} }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/ask }
    """

  Scenario: The workflow's input transformation that fails
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-workflow-s-input-transformation-that-fails, version: '1.0.0' }
    input: { from: .x.y }
    do:
      - never: { set: { r: 1 } }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400 }
    """
    And never should not run

  Scenario: The workflow's output transformation that fails
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-workflow-s-output-transformation-that-fails, version: '1.0.0' }
    do:
      - first: { set: { r: 1 } }
    output: { as: .r.x }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400 }
    """
    And first should complete

  Scenario: An output transformation that fails faults its task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-output-transformation-that-fails-faults-its-tas, version: '1.0.0' }
    do:
      - outer: { do: [ { first: { set: { r: 1 }, output: { as: .r.x } } } ] }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400, instance: /do/0/outer/do/0/first }
    """

  Scenario: Whole numbers keep their digits
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: whole-numbers-keep-their-digits, version: '1.0.0' }
    do:
      - first: { set: { v: '${ .x }', half: '${ 10 / 2 }' } }
    """
    And given the workflow input is:
    """yaml
    x: 9007199254740991
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { v: 9007199254740991, half: 5 }
    """
