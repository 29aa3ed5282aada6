Feature: Flow Directives
  Which task follows another.

  Scenario: Tasks follow in the order of their declaration
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: tasks-follow-in-the-order-of-their-declaration, version: '1.0.0' }
    do:
      - a: { set: { log: '${ [.log[]?, "a"] }' } }
      - b: { set: { log: '${ [.log[]?, "b"] }' } }
      - c: { set: { log: '${ [.log[]?, "c"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ a, b, c ]
    """
    And a should run first
    And b should run second
    And c should run last

  Scenario: Continue is the same as nothing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: continue-is-the-same-as-nothing, version: '1.0.0' }
    do:
      - a: { set: { log: '${ [.log[]?, "a"] }' }, then: continue }
      - b: { set: { log: '${ [.log[]?, "b"] }' } }
      - c: { set: { log: '${ [.log[]?, "c"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ a, b, c ]
    """

  Scenario: A task may be followed by a later one
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-may-be-followed-by-a-later-one, version: '1.0.0' }
    do:
      - a: { set: { log: '${ [.log[]?, "a"] }' }, then: c }
      - b: { set: { log: '${ [.log[]?, "b"] }' } }
      - c: { set: { log: '${ [.log[]?, "c"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ a, c ]
    """
    And b should not run

  Scenario: End ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-ends-the-workflow, version: '1.0.0' }
    do:
      - a: { set: { log: '${ [.log[]?, "a"] }' } }
      - b: { set: { log: '${ [.log[]?, "b"] }' }, then: end }
      - c: { set: { log: '${ [.log[]?, "c"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ a, b ]
    """
    And c should not run

  Scenario: Exit in the main list ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: exit-in-the-main-list-ends-the-workflow, version: '1.0.0' }
    do:
      - a: { set: { log: '${ [.log[]?, "a"] }' }, then: exit }
      - b: { set: { log: '${ [.log[]?, "b"] }' } }
      - c: { set: { log: '${ [.log[]?, "c"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ a ]
    """

  Scenario: Exit in a composite task leaves that task alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: exit-in-a-composite-task-leaves-that-task-alone, version: '1.0.0' }
    do:
      - outer:
          do:
            - one: { set: { at: one }, then: exit }
            - two: { set: { at: two } }
      - after: { set: { came: '${ .at }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    came: one
    """
    And two should not run
    And after should run last

  Scenario: End in a composite task ends everything
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-in-a-composite-task-ends-everything, version: '1.0.0' }
    do:
      - outer:
          do:
            - one: { set: { at: one }, then: end }
            - two: { set: { at: two } }
      - after: { set: { came: here } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one
    """
    And two should not run
    And after should not run

  Scenario: The workflow output is transformed also when a task ends it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-workflow-output-is-transformed-also-when-a-tas, version: '1.0.0' }
    do:
      - one: { set: { a: 1 }, then: end }
      - two: { set: { a: 2 } }
    output: { as: .a }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    1
    """

  Scenario: A directive may go back
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-directive-may-go-back, version: '1.0.0' }
    do:
      - count: { set: { n: '${ (.n // 0) + 1 }' } }
      - again:
          switch:
            - more: { when: .n < 3, then: count }
            - enough: { then: exit }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 3
    """
    And count should run 3 times

  Scenario: Then of a composite task decides what follows it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: then-of-a-composite-task-decides-what-follows-it, version: '1.0.0' }
    do:
      - outer: { do: [ { in1: { set: { x: 1 } } } ], then: last }
      - skipped: { set: { x: 2 } }
      - last: { set: { y: '${ .x }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    y: 1
    """
    And skipped should not run

  Scenario: A directive to a task that is not there is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-directive-to-a-task-that-is-not-there-is-refused, version: '1.0.0' }
    do:
      - a: { set: { x: 1 }, then: nowhere }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/a/then

  Scenario: A directive to a task of another list is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-directive-to-a-task-of-another-list-is-refused, version: '1.0.0' }
    do:
      - a: { do: [ { inside: { set: { x: 1 }, then: b } } ] }
      - b: { set: { y: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/a/do/0/inside/then

  Scenario: Exit in a loop ends the round
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: exit-in-a-loop-ends-the-round, version: '1.0.0' }
    do:
      - each:
          for: { in: '[1, 2, 3]' }
          do:
            - one: { set: '${ { last: $item } }' }
            - stop: { switch: [ { two: { when: $item == 2, then: exit } } ] }
            - go: { set: '${ . + { passed: $item } }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { last: 3, passed: 3 }
    """
    And go should run 2 times

  Scenario: An empty list of tasks gives what it was given
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-empty-list-of-tasks-gives-what-it-was-given, version: '1.0.0' }
    do:
      - none: { do: [] }
      - look: { set: { got: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: { a: 1 }
    """
