Feature: Retry
  Attempts, delays and limits.

  Scenario: A call is tried again until it succeeds
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-is-tried-again-until-it-succeeds, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r1/2 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: { seconds: 3 }, limit: { attempt: { count: 5 } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    attempts: 3
    """
    And work should run 3 times
    And the workflow should take 6 seconds

  Scenario: The last error is raised when the attempts are used up
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-last-error-is-raised-when-the-attempts-are-use, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r2/9 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: PT1S, limit: { attempt: { count: 2 } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 503, instance: /do/0/attempt/try/0/work }
    """
    And work should run 3 times

  Scenario: A linear backoff grows by its delay
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-linear-backoff-grows-by-its-delay, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r3/3 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: PT2S, backoff: { linear: {} }, limit: { attempt: { count: 3 } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    attempts: 4
    """
    And the workflow should take 12 seconds

  Scenario: An exponential backoff doubles
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-exponential-backoff-doubles, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r4/4 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: PT1S, backoff: { exponential: {} }, limit: { attempt: { count: 4 } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    attempts: 5
    """
    And the workflow should take 15 seconds

  Scenario: A constant backoff stays
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-constant-backoff-stays, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r5/3 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: PT2S, backoff: { constant: {} }, limit: { attempt: { count: 3 } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    attempts: 4
    """
    And the workflow should take 6 seconds

  Scenario: Jitter adds to the delay within its bounds
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: jitter-adds-to-the-delay-within-its-bounds, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r6/1 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: PT1S, jitter: { from: { seconds: 4 }, to: { milliseconds: 4500 } }, limit: { attempt: { count: 1 } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    attempts: 2
    """
    And the workflow should take 5 seconds

  Scenario: A limit in time ends the attempts
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-limit-in-time-ends-the-attempts, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r7/9 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { delay: PT4S, limit: { duration: PT10S } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 503
    """
    And work should run 3 times

  Scenario: A condition decides about another attempt
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-decides-about-another-attempt, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r8/9 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { when: $error.status == 500, delay: PT1S }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 503
    """
    And work should run once

  Scenario: An exception to another attempt
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-exception-to-another-attempt, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r9/9 } } } ]
          catch:
            errors: { with: { status: 503 } }
            retry: { exceptWhen: $error.status == 503, delay: PT1S }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 503
    """
    And work should run once

  Scenario: A policy may be used by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-policy-may-be-used-by-name, version: '1.0.0' }
    use: { retries: { patient: { delay: { seconds: 1 }, limit: { attempt: { count: 3 } } } } }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r10/1 } } } ]
          catch: { retry: patient }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    attempts: 2
    """

  Scenario: When the attempts are used up the handler runs
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: when-the-attempts-are-used-up-the-handler-runs, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/status/503 } } } ]
          catch:
            retry: { delay: PT1S, limit: { attempt: { count: 1 } } }
            do: [ { handle: { set: { gaveUp: '${ $error.status }' } } } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    gaveUp: 503
    """
    And work should run twice

  Scenario: An attempt may take so long and is then tried again
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-attempt-may-take-so-long-and-is-then-tried-agai, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { wait: PT1H } } ]
          catch: { retry: { delay: PT1S, limit: { attempt: { count: 1, duration: PT5S } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout, status: 408 }
    """
    And work should run twice
    And the workflow should take 11 seconds

  Scenario: Each attempt begins with the same input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: each-attempt-begins-with-the-same-input, version: '1.0.0' }
    do:
      - attempt:
          try:
            - count: { set: { n: '${ .n + 1 }' } }
            - work: { call: http, with: { method: get, endpoint: https://stub.example/flaky/r11/2 }, output: { as: '{ n: $input.n }' } }
          catch: { retry: { delay: PT1S, limit: { attempt: { count: 5 } } } }
    """
    And given the workflow input is:
    """yaml
    n: 0
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1
    """

  Scenario: An unknown policy is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-unknown-policy-is-refused, version: '1.0.0' }
    do:
      - attempt: { try: [ { work: { set: { a: 1 } } } ], catch: { retry: nobody } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/attempt/catch/retry

  Scenario: A delay may depend on the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-delay-may-depend-on-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch:
            as: problem
            retry: { delay: '${ if $problem.status == 409 then "PT3S" else "PT1S" end }', limit: { attempt: { count: 2 }, duration: '${ $problem | "PT1M" }' } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """
    And the workflow should take 6 seconds
    And work should run 3 times

  Scenario: Attempts inside attempts
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: attempts-inside-attempts, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner: { try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ], catch: { retry: { limit: { attempt: { count: 1 } } } } }
          catch: { retry: { limit: { attempt: { count: 2 } } }, do: [ { handle: { set: { gaveUp: '${ $error.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    gaveUp: 409
    """
    And work should run 6 times
    And handle should run once

  Scenario: When the attempts are used up then of the catch decides
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: when-the-attempts-are-used-up-then-of-the-catch-de, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { retry: { limit: { attempt: { count: 1 } } }, then: other }
      - never: { set: { x: 1 } }
      - other: { set: { x: 2 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    x: 2
    """
    And never should not run

  Scenario: A count of none tries once
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-count-of-none-tries-once, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { retry: { limit: { attempt: { count: 0 } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """
    And work should run once

  Scenario: The whole block is tried again
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-whole-block-is-tried-again, version: '1.0.0' }
    do:
      - attempt:
          try:
            - first: { set: { a: 1 } }
            - work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } }
          catch: { retry: { delay: { seconds: 1 }, limit: { attempt: { count: 2 } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """
    And first should run 3 times
