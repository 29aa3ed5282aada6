Feature: Conditional Tasks
  Tasks that run only when a condition holds.

  Scenario: A task whose condition holds runs
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-whose-condition-holds-runs, version: '1.0.0' }
    do:
      - maybe: { if: .go, set: { ran: true } }
    """
    And given the workflow input is:
    """yaml
    go: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ran: true
    """

  Scenario: A task whose condition does not hold is skipped and gives its raw input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-whose-condition-does-not-hold-is-skipped-an, version: '1.0.0' }
    do:
      - maybe: { if: '${ .n > 5 }', input: { from: .n }, set: { ran: true }, output: { as: .ran } }
      - look: { set: { got: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: { n: 1 }
    """
    And maybe should not run
    And maybe should be skipped

  Scenario: A skipped task exports nothing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-skipped-task-exports-nothing, version: '1.0.0' }
    do:
      - maybe: { if: 'false', set: { ran: true }, export: { as: . } }
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

  Scenario: Null is false
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: null-is-false, version: '1.0.0' }
    do:
      - maybe: { if: .missing, set: { ran: true } }
    """
    And given the workflow input is:
    """yaml
    {}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {}
    """

  Scenario: A condition sees the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-sees-the-context, version: '1.0.0' }
    do:
      - one: { set: { x: 1 }, export: { as: '{ go: true }' } }
      - two: { if: $context.go, set: { y: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    y: 2
    """

  Scenario: A condition that fails is an expression error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-that-fails-is-an-expression-error, version: '1.0.0' }
    do:
      - maybe: { if: '.a | error', set: { x: 1 } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { status: 400, instance: /do/0/maybe }
    """

  Scenario: The task after a skipped one runs
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-task-after-a-skipped-one-runs, version: '1.0.0' }
    do:
      - maybe: { if: 'false', set: { x: 1 }, then: end }
      - next: { set: { y: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    y: 1
    """
