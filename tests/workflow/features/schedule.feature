Feature: Schedules
  When runs begin by themselves, as far as a definition says it; a run by hand is one all the same.

  Scenario: A schedule with every: { minutes: 5 }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-every-minutes-5, version: '1.0.0' }
    schedule: { every: { minutes: 5 } }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule with every: PT1H
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-every-pt1h, version: '1.0.0' }
    schedule: { every: PT1H }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule with cron: 0 0 * * *
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-cron-0-0, version: '1.0.0' }
    schedule: { cron: 0 0 * * * }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule with cron: */5 9-17 * * 1-5
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-cron-5-9-17-1-5, version: '1.0.0' }
    schedule: { cron: "*/5 9-17 * * 1-5" }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule with after: { seconds: 30 }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-after-seconds-30, version: '1.0.0' }
    schedule: { after: { seconds: 30 } }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule with on: { one: { with: { type: order.placed } } }
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-on-one-with-type-order-p, version: '1.0.0' }
    schedule: { on: { one: { with: { type: order.placed } } } }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule with on: { any: [ { with: { type: a } }, { with: { type: b } } ] }, read: envelope
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-with-on-any-with-type-a, version: '1.0.0' }
    schedule: { on: { any: [ { with: { type: a } }, { with: { type: b } } ] }, read: envelope }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: A schedule of {} is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-of-is-refused, version: '1.0.0' }
    schedule: {}
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /schedule

  Scenario: A schedule of { every: 5m } is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-of-every-5m-is-refused, version: '1.0.0' }
    schedule: { every: 5m }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /schedule/every

  Scenario: A schedule of { every: { milliseconds: 5 } } is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-of-every-milliseconds-5-is-re, version: '1.0.0' }
    schedule: { every: { milliseconds: 5 } }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /schedule/every

  Scenario: A schedule of { cron: every day } is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-of-cron-every-day-is-refused, version: '1.0.0' }
    schedule: { cron: every day }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /schedule/cron

  Scenario: A schedule of { every: PT1H, read: data } is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-of-every-pt1h-read-data-is-refus, version: '1.0.0' }
    schedule: { every: PT1H, read: data }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /schedule/read

  Scenario: A schedule of { on: { one: { with: {} } } } is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-schedule-of-on-one-with-is-ref, version: '1.0.0' }
    schedule: { on: { one: { with: {} } } }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should be refused at /schedule/on/one/with

  Scenario: A scheduled workflow is given the events that started it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-scheduled-workflow-is-given-the-events-that-star, version: '1.0.0' }
    schedule: { on: { one: { with: { type: order.placed } } } }
    do:
      - first: { set: { id: '${ $workflow.input[0].id }', again: '${ .[0].id }' } }
    """
    And given the workflow input is:
    """yaml
    [ { id: 7 } ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 7, again: 7 }
    """
