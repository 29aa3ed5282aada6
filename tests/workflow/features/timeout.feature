Feature: Timeouts
  Time that is up.

  Scenario: A task that takes too long faults
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-that-takes-too-long-faults, version: '1.0.0' }
    do:
      - slow: { wait: PT1H, timeout: { after: { seconds: 5 } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout, status: 408, instance: /do/0/slow }
    """
    And the workflow should take 5 seconds

  Scenario: A workflow that takes too long faults
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-that-takes-too-long-faults, version: '1.0.0' }
    timeout: { after: { seconds: 30 } }
    do:
      - slow: { wait: { seconds: 60 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout, status: 408 }
    """
    And the workflow should take 30 seconds

  Scenario: A task in time is left alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-in-time-is-left-alone, version: '1.0.0' }
    do:
      - quick: { wait: PT1S, timeout: { after: PT5S } }
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

  Scenario: A timeout by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-by-name, version: '1.0.0' }
    use: { timeouts: { short: { after: PT2S } } }
    do:
      - slow: { wait: PT1H, timeout: short }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And the workflow should take 2 seconds

  Scenario: A timeout by an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-by-an-expression, version: '1.0.0' }
    do:
      - slow: { wait: PT1H, timeout: { after: '${ .patience }' } }
    """
    And given the workflow input is:
    """yaml
    patience: PT3S
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And the workflow should take 3 seconds

  Scenario: A timeout is an error like any other
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-is-an-error-like-any-other, version: '1.0.0' }
    do:
      - attempt:
          try: [ { slow: { wait: PT1H, timeout: { after: PT1S } } } ]
          catch: { errors: { with: { type: https://serverlessworkflow.io/dsl/errors/types/timeout } }, do: [ { handle: { set: { late: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    late: true
    """

  Scenario: A timeout of a composite task ends all that is in it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-of-a-composite-task-ends-all-that-is-in, version: '1.0.0' }
    do:
      - outer: { do: [ { slow: { wait: PT1H } } ], timeout: { after: PT1S } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    instance: /do/0/outer
    """
    And slow should run

  Scenario: A timeout counts over a retry
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-counts-over-a-retry, version: '1.0.0' }
    do:
      - attempt:
          timeout: { after: PT5S }
          try: [ { no: { raise: { error: { type: https://x.example/no, status: 503 } } } } ]
          catch: { retry: { delay: PT2S } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { status: 408, instance: /do/0/attempt }
    """
    And no should run 3 times

  Scenario: A timeout by an expression over the transformed input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-by-an-expression-over-the-transformed-in, version: '1.0.0' }
    do:
      - slow: { input: { from: .order }, wait: PT1H, timeout: { after: '${ $input.patience }' } }
    """
    And given the workflow input is:
    """yaml
    order: { patience: PT3S }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And the workflow should take 3 seconds

  Scenario: A limit of attempts by an expression over the transformed input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-limit-of-attempts-by-an-expression-over-the-tran, version: '1.0.0' }
    do:
      - attempt: { input: { from: .order }, try: [ { slow: { wait: PT1H } } ], catch: { retry: { limit: { attempt: { count: 1, duration: '${ $input.patience }' } } } } }
    """
    And given the workflow input is:
    """yaml
    order: { patience: PT3S }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
    And slow should run twice
    And the workflow should take 6 seconds

  Scenario: A timeout of the workflow by name ends a try, which does not catch it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-of-the-workflow-by-name-ends-a-try-which, version: '1.0.0' }
    use: { timeouts: { short: { after: { seconds: 3 } } } }
    timeout: short
    do:
      - attempt:
          try: [ { slow: { wait: PT1H } } ]
          catch: { do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout, status: 408 }
    """
    And handle should not run
    And the workflow should take 3 seconds

  Scenario: A timeout of a try is caught by the one around it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-timeout-of-a-try-is-caught-by-the-one-around-it, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner: { timeout: { after: PT1S }, try: [ { slow: { wait: PT1H } } ], catch: { do: [ { never: { set: { x: 1 } } } ] } }
          catch: { errors: { with: { status: 408 } }, do: [ { handle: { set: { at: '${ $error.instance }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: /do/0/outer/try/0/inner
    """
    And never should not run

  Scenario: An unknown timeout is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-unknown-timeout-is-refused, version: '1.0.0' }
    do:
      - slow: { wait: PT1S, timeout: nobody }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/slow/timeout
