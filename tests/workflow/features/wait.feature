Feature: Wait
  Time that passes.

  Scenario: A wait of { seconds: 30 }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-wait-of-seconds-30, version: '1.0.0' }
    do:
      - pause: { wait: { seconds: 30 } }
      - look: { set: { got: '${ .pause }' } }
    """
    And given the workflow input is:
    """yaml
    pause: PT10S
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: PT10S
    """
    And the workflow should take 30 seconds

  Scenario: A wait of PT1M
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-wait-of-pt1m, version: '1.0.0' }
    do:
      - pause: { wait: PT1M }
      - look: { set: { got: '${ .pause }' } }
    """
    And given the workflow input is:
    """yaml
    pause: PT10S
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: PT10S
    """
    And the workflow should take 60 seconds

  Scenario: A wait of { minutes: 1, seconds: 5, milliseconds: 500 }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-wait-of-minutes-1-seconds-5-milliseconds, version: '1.0.0' }
    do:
      - pause: { wait: { minutes: 1, seconds: 5, milliseconds: 500 } }
      - look: { set: { got: '${ .pause }' } }
    """
    And given the workflow input is:
    """yaml
    pause: PT10S
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: PT10S
    """
    And the workflow should take 65 seconds

  Scenario: A wait of { hours: 1 }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-wait-of-hours-1, version: '1.0.0' }
    do:
      - pause: { wait: { hours: 1 } }
      - look: { set: { got: '${ .pause }' } }
    """
    And given the workflow input is:
    """yaml
    pause: PT10S
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: PT10S
    """
    And the workflow should take 3600 seconds

  Scenario: A wait of { days: 1 }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-wait-of-days-1, version: '1.0.0' }
    do:
      - pause: { wait: { days: 1 } }
      - look: { set: { got: '${ .pause }' } }
    """
    And given the workflow input is:
    """yaml
    pause: PT10S
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: PT10S
    """
    And the workflow should take 86400 seconds

  Scenario: A wait of '${ .pause }'
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-wait-of-pause, version: '1.0.0' }
    do:
      - pause: { wait: '${ .pause }' }
      - look: { set: { got: '${ .pause }' } }
    """
    And given the workflow input is:
    """yaml
    pause: PT10S
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: PT10S
    """
    And the workflow should take 10 seconds

  Scenario: A duration that is none is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-duration-that-is-none-is-refused, version: '1.0.0' }
    do:
      - pause: { wait: 5 seconds }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/pause/wait

  Scenario: An expression that gives no duration is an expression error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-expression-that-gives-no-duration-is-an-express, version: '1.0.0' }
    do:
      - pause: { wait: '${ .a }' }
    """
    And given the workflow input is:
    """yaml
    a: soon
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { status: 400, instance: /do/0/pause }
    """
