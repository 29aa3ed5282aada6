Feature: Export
  The context of a run, which every task may replace.

  Scenario: The context begins as the input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-context-begins-as-the-input, version: '1.0.0' }
    do:
      - look: { set: '${ $context }' }
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

  Scenario: Export replaces the context with the output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: export-replaces-the-context-with-the-output, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, export: { as: . } }
      - two: { set: '${ $context }' }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 1
    """

  Scenario: Export merges into the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: export-merges-into-the-context, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, export: { as: '$context + .' } }
      - two: { set: { y: 2 }, export: { as: '$context + .' } }
      - all: { set: '${ $context }' }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { a: 1, x: 1, y: 2 }
    """

  Scenario: Export sees the transformed output as data and as argument
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: export-sees-the-transformed-output-as-data-and-as, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, output: { as: .x }, export: { as: '{ data: ., output: $output, raw: $task.output }' } }
      - two: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { data: 1, output: 1, raw: { x: 1 } }
    """

  Scenario: Export by an object
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: export-by-an-object, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, export: { as: { kept: '${ .x }', from: one } } }
      - two: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { kept: 1, from: one }
    """

  Scenario: Export does not change what the next task is given
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: export-does-not-change-what-the-next-task-is-given, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, export: { as: '{ other: true }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 1
    """

  Scenario: A context that breaks its schema faults the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-context-that-breaks-its-schema-faults-the-task, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, export: { as: ., schema: { document: { required: [ y ] } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/one }
    """

  Scenario: Tasks inside others share the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: tasks-inside-others-share-the-context, version: '1.0.0' }
    do:
      - outer: { do: [ { inner: { set: { x: 1 }, export: { as: '{ deep: .x }' } } } ] }
      - look: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    deep: 1
    """

  Scenario: A loop collects in the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-loop-collects-in-the-context, version: '1.0.0' }
    do:
      - each:
          for: { in: '.items' }
          do:
            - add: { set: { n: '${ $item }' }, export: { as: '$context + { sum: (($context.sum // 0) + $item) }' } }
      - look: { set: '${ $context.sum }' }
    """
    And given the workflow input is:
    """yaml
    items: [ 1, 2, 3 ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    6
    """
