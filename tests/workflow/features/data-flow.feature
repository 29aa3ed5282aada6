Feature: Data Flow
  What a task is given, what it gives, and what it leaves in the context.

  Scenario: Input becomes the output of a workflow that changes nothing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: input-becomes-the-output-of-a-workflow-that-change, version: '1.0.0' }
    do:
      - nothing: { do: [] }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: Workflow input is transformed before the first task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-input-is-transformed-before-the-first-tas, version: '1.0.0' }
    input:
      from: .order
    do:
      - keep: { set: '${ { got: ., input: $input } }' }
    """
    And given the workflow input is:
    """yaml
    { order: { id: 7 }, noise: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { got: { id: 7 }, input: { id: 7 } }
    """

  Scenario: Workflow input is transformed by an object
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-input-is-transformed-by-an-object, version: '1.0.0' }
    input:
      from: { id: '${ .order.id }', kind: order }
    do:
      - keep: { set: '${ . }' }
    """
    And given the workflow input is:
    """yaml
    { order: { id: 7 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 7, kind: order }
    """

  Scenario: Raw workflow input stays in the workflow descriptor
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: raw-workflow-input-stays-in-the-workflow-descripto, version: '1.0.0' }
    input:
      from: .order
    do:
      - keep: { set: { raw: '${ $workflow.input }', transformed: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    order: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { raw: { order: 7 }, transformed: 7 }
    """

  Scenario: Workflow input that breaks its schema
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-input-that-breaks-its-schema, version: '1.0.0' }
    input:
      schema: { format: json, document: { type: object, required: [ id ], properties: { id: { type: integer } } } }
    do:
      - never: { set: { a: 1 } }
    """
    And given the workflow input is:
    """yaml
    id: seven
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """
    And never should not run

  Scenario: Workflow input is checked before it is transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-input-is-checked-before-it-is-transformed, version: '1.0.0' }
    input:
      schema: { document: { type: object, required: [ order ] } }
      from: .order
    do:
      - keep: { set: '${ . }' }
    """
    And given the workflow input is:
    """yaml
    order: { id: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1 }
    """

  Scenario: Output of a task is input of the next
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: output-of-a-task-is-input-of-the-next, version: '1.0.0' }
    do:
      - one: { set: { a: '${ .n + 1 }' } }
      - two: { set: { b: '${ .a * 10 }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    b: 20
    """
    And one should run before two

  Scenario: Task input is transformed for the task alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-input-is-transformed-for-the-task-alone, version: '1.0.0' }
    do:
      - narrow:
          input: { from: .deep.value }
          set: { seen: '${ . }', also: '${ $input }', raw: '${ $task.input }' }
    """
    And given the workflow input is:
    """yaml
    deep: { value: 5 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { seen: 5, also: 5, raw: { deep: { value: 5 } } }
    """

  Scenario: Task input that breaks its schema faults at the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-input-that-breaks-its-schema-faults-at-the-ta, version: '1.0.0' }
    do:
      - check:
          input: { schema: { document: { type: object, required: [ name ] } } }
          set: { ok: true }
    """
    And given the workflow input is:
    """yaml
    {}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    instance: /do/0/check
    """
    And check should not run

  Scenario: Task input is validated raw and then transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-input-is-validated-raw-and-then-transformed, version: '1.0.0' }
    do:
      - check:
          input: { schema: { document: { required: [ a ] } }, from: .a }
          set: '${ { a: . } }'
    """
    And given the workflow input is:
    """yaml
    a: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 3
    """

  Scenario: Task output is transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-output-is-transformed, version: '1.0.0' }
    do:
      - make:
          set: { list: [ 1, 2, 3 ] }
          output: { as: '.list | add' }
      - keep: { set: { sum: '${ . }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 6
    """

  Scenario: Task output is transformed with the input at hand
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-output-is-transformed-with-the-input-at-hand, version: '1.0.0' }
    do:
      - make:
          set: { b: 2 }
          output: { as: '${ { raw: ., given: $input, of: $task.output } }' }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { raw: { b: 2 }, given: { a: 1 }, of: { b: 2 } }
    """

  Scenario: Task output is transformed by an object
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-output-is-transformed-by-an-object, version: '1.0.0' }
    do:
      - make:
          set: { pet: { id: 4, name: rex } }
          output: { as: { petId: '${ .pet.id }', note: 'pet ${ .pet.name }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { petId: 4, note: pet rex }
    """

  Scenario: Transformed task output that breaks its schema
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: transformed-task-output-that-breaks-its-schema, version: '1.0.0' }
    do:
      - make:
          set: { id: 4 }
          output: { as: .id, schema: { document: { type: string } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    instance: /do/0/make
    """

  Scenario: Task output is validated after its transformation
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: task-output-is-validated-after-its-transformation, version: '1.0.0' }
    do:
      - make:
          set: { id: 4 }
          output: { as: '.id | tostring', schema: { document: { type: string } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    '4'
    """

  Scenario: Workflow output is transformed
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-output-is-transformed, version: '1.0.0' }
    do:
      - make: { set: { a: 1, b: 2 } }
    output:
      as: '{ total: (.a + .b) }'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    total: 3
    """

  Scenario: Workflow output that breaks its schema faults the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-output-that-breaks-its-schema-faults-the, version: '1.0.0' }
    do:
      - make: { set: { a: 1 } }
    output:
      schema: { document: { required: [ b ] } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """
    And make should complete

  Scenario: Workflow output sees the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: workflow-output-sees-the-context, version: '1.0.0' }
    do:
      - make: { set: { a: 1 }, export: { as: '{ kept: .a }' } }
      - last: { set: { b: 2 } }
    output:
      as: '. + $context'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { b: 2, kept: 1 }
    """

  Scenario: An expression that fails is an expression error of its task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-expression-that-fails-is-an-expression-error-of, version: '1.0.0' }
    do:
      - bad: { set: { x: '${ .a + {} }' } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/bad
    """

  Scenario: Expressions in data are text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: expressions-in-data-are-text, version: '1.0.0' }
    do:
      - keep: { set: { said: '${ .text }' } }
    """
    And given the workflow input is:
    """yaml
    { text: '${ .secret }', secret: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    said: '${ .secret }'
    """

  Scenario: Values keep their types through expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: values-keep-their-types-through-expressions, version: '1.0.0' }
    do:
      - keep: { set: { n: '${ .n }', f: '${ .f }', t: '${ .t }', z: '${ .z }', l: '${ .l }', text: 'n is ${ .n }, l is ${ .l }' } }
    """
    And given the workflow input is:
    """yaml
    { n: 1, f: 1.5, t: true, z: null, l: [ 1 ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { n: 1, f: 1.5, t: true, z: null, l: [ 1 ], text: 'n is 1, l is [1]' }
    """

  Scenario: A set by one expression may give any value
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-set-by-one-expression-may-give-any-value, version: '1.0.0' }
    do:
      - one: { set: '${ .colors[1] }' }
    """
    And given the workflow input is:
    """yaml
    colors: [ red, green ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    green
    """

  Scenario: Loose mode tries texts as expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: loose-mode-tries-texts-as-expressions, version: '1.0.0' }
    evaluate: { mode: loose }
    do:
      - keep: { set: { a: .a, b: just words, c: '${ .a }' } }
    """
    And given the workflow input is:
    """yaml
    a: 5
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { a: 5, b: just words, c: 5 }
    """

  Scenario: The runtime and the task describe themselves
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-runtime-and-the-task-describe-themselves, version: '1.0.0' }
    do:
      - me: { set: { runtime: '${ $runtime.name | type }', task: '${ $task.name }', at: '${ $task.reference }', workflow: '${ $workflow.definition.document.version }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { runtime: string, task: me, at: /do/0/me, workflow: '1.0.0' }
    """

  Scenario: Start times are given as text and numbers
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: start-times-are-given-as-text-and-numbers, version: '1.0.0' }
    do:
      - when: { set: { same: '${ ($workflow.startedAt.iso8601 | sub("[.][0-9]+Z$"; "Z") | fromdate) == $workflow.startedAt.epoch.seconds }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    same: true
    """
