Feature: Fork
  Branches at the same time.

  Scenario: The outputs of all branches in the order of their declaration
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-outputs-of-all-branches-in-the-order-of-their, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { slow: { do: [ { w: { wait: PT5S } }, { s: { set: { at: slow } } } ] } }, { fast: { set: { at: fast } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { at: slow }, { at: fast } ]
    """
    And the workflow should take 5 seconds

  Scenario: Branches wait at the same time
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: branches-wait-at-the-same-time, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { a: { wait: PT5S } }, { b: { wait: PT4S } }, { c: { wait: PT3S } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow should take 5 seconds

  Scenario: Competing branches give the output of the first
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: competing-branches-give-the-output-of-the-first, version: '1.0.0' }
    do:
      - race: { fork: { compete: true, branches: [ { slow: { do: [ { w: { wait: PT5S } }, { s: { set: { at: slow } } } ] } }, { fast: { do: [ { v: { wait: PT1S } }, { q: { set: { at: fast } } } ] } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: fast
    """
    And s should not run
    And slow should cancel
    And the workflow should take 1 second

  Scenario: Every branch is given the input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: every-branch-is-given-the-input, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { a: { set: '${ .n + 1 }' } }, { b: { set: '${ .n + 2 }' } } ] } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 2, 3 ]
    """

  Scenario: An error in a branch faults the fork and cancels the others
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-in-a-branch-faults-the-fork-and-cancels-t, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { a: { wait: PT1H } }, { no: { raise: { error: { type: https://x.example/no, status: 400 } } } } ] } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    instance: /do/0/both/fork/branches/1/no
    """

  Scenario: An error in a branch can be caught outside
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-in-a-branch-can-be-caught-outside, version: '1.0.0' }
    do:
      - attempt:
          try: [ { both: { fork: { branches: [ { a: { wait: PT1H } }, { no: { raise: { error: { type: https://x.example/no, status: 400 } } } } ] } } } ]
          catch: { do: [ { handle: { set: { caught: '${ $error.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: 400
    """
    And a should cancel

  Scenario: A fork without branches
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-fork-without-branches, version: '1.0.0' }
    do:
      - none: { fork: { branches: [] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    []
    """

  Scenario: Calls of branches are under way together
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: calls-of-branches-are-under-way-together, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - one: { call: http, with: { method: get, endpoint: https://stub.example/slow/400 } }
              - two: { call: http, with: { method: get, endpoint: https://stub.example/slow/400 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { slept: 400 }, { slept: 400 } ]
    """
    And the workflow should take 0 seconds

  Scenario: A branch that is skipped does not win
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-branch-that-is-skipped-does-not-win, version: '1.0.0' }
    do:
      - race:
          fork:
            compete: true
            branches:
              - skipped: { if: .urgent, set: { at: skipped } }
              - slow: { do: [ { w: { wait: PT1S } }, { s: { set: { at: slow } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: slow
    """
    And skipped should be skipped

  Scenario: Competing branches that are all skipped give the input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: competing-branches-that-are-all-skipped-give-the-i, version: '1.0.0' }
    do:
      - race: { fork: { compete: true, branches: [ { a: { if: .urgent, set: { at: a } } }, { b: { if: .urgent, set: { at: b } } } ] } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1
    """

  Scenario: A branch that is skipped gives its input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-branch-that-is-skipped-gives-its-input, version: '1.0.0' }
    do:
      - both: { fork: { compete: false, branches: [ { a: { set: { at: a } } }, { b: { if: .urgent, set: { at: b } } } ] } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { at: a }, { n: 1 } ]
    """

  Scenario: A branch may end the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-branch-may-end-the-workflow, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { a: { wait: PT1H } }, { b: { set: { at: b }, then: end } } ] } }
      - after: { set: { at: after } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: b
    """
    And a should be cancelled
    And after should not run

  Scenario: Branches export to the same context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: branches-export-to-the-same-context, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { a: { set: { x: 1 }, export: { as: '$context + { a: .x }' } } }, { b: { set: { x: 2 }, export: { as: '$context + { b: .x }' } } } ] } }
      - look: { set: '${ $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { a: 1, b: 2 }
    """
