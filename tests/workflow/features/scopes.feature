Feature: Directives in Scopes
  What exit, end and the names of tasks mean for the tasks around a task.

  Scenario: End completes the tasks around it with their outputs
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-completes-the-tasks-around-it-with-their-outpu, version: '1.0.0' }
    do:
      - outer:
          do:
            - inner:
                do:
                  - one: { set: { log: '${ [.log[]?, "one"] }' }, then: end }
                  - two: { set: { log: '${ [.log[]?, "two"] }' } }
                output: { as: '. + { inner: true }' }
            - three: { set: { log: '${ [.log[]?, "three"] }' } }
          output: { as: '. + { outer: true }' }
          export: { as: '{ ended: true }' }
      - four: { set: { log: '${ [.log[]?, "four"] }' } }
    output: { as: '. + $context' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { log: [ one ], inner: true, outer: true, ended: true }
    """
    And inner should complete
    And outer should complete
    And two should not run
    And three should not run
    And four should not run

  Scenario: End in a loop ends the loop and the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-in-a-loop-ends-the-loop-and-the-workflow, version: '1.0.0' }
    do:
      - each:
          for: { in: '[1, 2, 3]' }
          do:
            - one: { set: '${ . + { last: $item } }' }
            - stop: { switch: [ { enough: { when: $item == 2, then: end } } ] }
          output: { as: '. + { looped: true }' }
      - after: { set: { log: '${ [.log[]?, "after"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { last: 2, looped: true }
    """
    And one should run twice
    And each should complete
    And after should not run

  Scenario: End in a try ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-in-a-try-ends-the-workflow, version: '1.0.0' }
    do:
      - attempt:
          try: [ { fine: { set: { x: 1 }, then: end } } ]
          catch: { do: [ { handle: { set: { x: 2 } } } ] }
          then: after
      - skipped: { set: { x: 3 } }
      - after: { set: { x: 4 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 1
    """
    And attempt should complete
    And after should not run

  Scenario: End after an error was caught ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-after-an-error-was-caught-ends-the-workflow, version: '1.0.0' }
    do:
      - attempt:
          try: [ { bad: { raise: { error: { type: https://example.com/bad, status: 400 } } } } ]
          catch: { do: [ { handle: { set: { x: 2 }, then: end } }, { never: { set: { x: 3 } } } ] }
      - after: { set: { x: 4 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 2
    """
    And attempt should complete
    And never should not run
    And after should not run

  Scenario: End in a function of the workflow ends the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: end-in-a-function-of-the-workflow-ends-the-workflo, version: '1.0.0' }
    use: { functions: { stop: { set: { x: 1 }, then: end } } }
    do:
      - call: { call: stop, output: { as: '. + { called: true }' } }
      - after: { set: { x: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { x: 1, called: true }
    """
    And after should not run

  Scenario: What is around a task that ends everything may break its schema
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-is-around-a-task-that-ends-everything-may-bre, version: '1.0.0' }
    do:
      - outer:
          do: [ { inner: { set: { x: 1 }, then: end } } ]
          output: { schema: { document: { required: [ y ] } } }
      - after: { set: { x: 2 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/outer }
    """
    And inner should complete
    And after should not run

  Scenario: Exit leaves the innermost list alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: exit-leaves-the-innermost-list-alone, version: '1.0.0' }
    do:
      - outer:
          do:
            - inner:
                do:
                  - one: { set: { log: '${ [.log[]?, "one"] }' }, then: exit }
                  - two: { set: { log: '${ [.log[]?, "two"] }' } }
            - three: { set: { log: '${ [.log[]?, "three"] }' } }
      - four: { set: { log: '${ [.log[]?, "four"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ one, three, four ]
    """
    And two should not run

  Scenario: Exit of a composite task leaves the list that it stands in
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: exit-of-a-composite-task-leaves-the-list-that-it-s, version: '1.0.0' }
    do:
      - outer:
          do:
            - inner:
                do: [ { one: { set: { log: '${ [.log[]?, "one"] }' } } } ]
                then: exit
            - two: { set: { log: '${ [.log[]?, "two"] }' } }
      - three: { set: { log: '${ [.log[]?, "three"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ one, three ]
    """
    And two should not run

  Scenario: Continue after the last task of a list goes on around it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: continue-after-the-last-task-of-a-list-goes-on-aro, version: '1.0.0' }
    do:
      - outer:
          do: [ { one: { set: { log: '${ [.log[]?, "one"] }' }, then: continue } } ]
          then: continue
      - two: { set: { log: '${ [.log[]?, "two"] }' }, then: continue }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ one, two ]
    """

  Scenario: A name goes on inside its own list
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-name-goes-on-inside-its-own-list, version: '1.0.0' }
    do:
      - outer:
          do:
            - one: { set: { log: '${ [.log[]?, "one"] }' }, then: three }
            - two: { set: { log: '${ [.log[]?, "two"] }' } }
            - three: { set: { log: '${ [.log[]?, "three"] }' } }
      - four: { set: { log: '${ [.log[]?, "four"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ one, three, four ]
    """
    And two should not run

  Scenario: A name means the task of its own list
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-name-means-the-task-of-its-own-list, version: '1.0.0' }
    do:
      - outer:
          do:
            - one: { set: { log: '${ [.log[]?, "one"] }' }, then: same }
            - two: { set: { log: '${ [.log[]?, "two"] }' } }
            - same: { set: { log: '${ [.log[]?, "inside"] }' } }
      - same: { set: { log: '${ [.log[]?, "outside"] }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ one, inside, outside ]
    """

  Scenario: Going back until a condition fails
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: going-back-until-a-condition-fails, version: '1.0.0' }
    do:
      - count: { set: { n: '${ (.n // 0) + 1 }' } }
      - again: { if: .n < 3, set: '${ . }', then: count }
      - last: { set: { n: '${ .n }', over: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { n: 3, over: true }
    """
    And count should run 3 times
    And again should run twice
    And last should run last

  Scenario: A workflow whose tasks are all skipped gives its input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-whose-tasks-are-all-skipped-gives-its-i, version: '1.0.0' }
    do:
      - one: { if: '${ false }', set: { y: 1 } }
      - two: { if: .x == 2, input: { schema: { document: { required: [ q ] } } }, set: { y: 2 } }
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
    And one should be skipped
    And two should be skipped
