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
