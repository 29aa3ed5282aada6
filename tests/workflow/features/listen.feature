Feature: Listen
  Events that come, and events that are emitted.

  Scenario: One event by its type
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: one-event-by-its-type, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a.b } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: x, data: { n: 0 } }
    - { type: a.b, data: { n: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { n: 1 } ]
    """

  Scenario: Any of several
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: any-of-several, version: '1.0.0' }
    do:
      - hear: { listen: { to: { any: [ { with: { type: a } }, { with: { type: b } } ] } } }
    """
    And given the events are sent:
    """yaml
    - { type: b, data: 2 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 2 ]
    """

  Scenario: All of several
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: all-of-several, version: '1.0.0' }
    do:
      - hear: { listen: { to: { all: [ { with: { type: a } }, { with: { type: b } } ] } } }
    """
    And given the events are sent:
    """yaml
    - { type: b, data: 2 }
    - { type: b, data: 3 }
    - { type: a, data: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 2, 1 ]
    """

  Scenario: By a condition on the data
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: by-a-condition-on-the-data, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a, data: '${ .t > 38 }' } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: { t: 37 } }
    - { type: a, data: { t: 39 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { t: 39 } ]
    """

  Scenario: By a regular expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: by-a-regular-expression, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: 'com\.x\..*' } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: com.y.a, data: 1 }
    - { type: com.x.a, data: 2 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 2 ]
    """

  Scenario: The whole event
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-whole-event, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a } } }, read: envelope } }
    """
    And given the events are sent:
    """yaml
    - { type: a, source: /s, data: 1 }
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a '0.type' property with value:
    """yaml
    a
    """
    And the workflow output should have a '0.source' property with value:
    """yaml
    /s
    """

  Scenario: Until a condition
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: until-a-condition, version: '1.0.0' }
    do:
      - hear: { listen: { to: { any: [ { with: { type: a } } ], until: length == 2 } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    - { type: a, data: 2 }
    - { type: a, data: 3 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  Scenario: Until an event
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: until-an-event, version: '1.0.0' }
    do:
      - hear: { listen: { to: { any: [ { with: { type: a } } ], until: { one: { with: { type: stop } } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    - { type: a, data: 2 }
    - { type: stop }
    - { type: a, data: 3 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  Scenario: With something to do for each
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: with-something-to-do-for-each, version: '1.0.0' }
    do:
      - hear: { listen: { to: { any: [ { with: { type: a } } ], until: length == 2 } }, foreach: { item: event, at: place, do: [ { note: { set: { n: '${ $event * 10 + $place }' } } } ], output: { as: .n } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    - { type: a, data: 2 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 10, 21 ]
    """

  Scenario: Correlated by the first that comes
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: correlated-by-the-first-that-comes, version: '1.0.0' }
    do:
      - hear: { listen: { to: { all: [ { with: { type: a }, correlate: { id: { from: .data.id } } }, { with: { type: b }, correlate: { id: { from: .data.id } } } ] } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: { id: 1 } }
    - { type: b, data: { id: 2 } }
    - { type: b, data: { id: 1, ok: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { id: 1 }, { id: 1, ok: true } ]
    """

  Scenario: Correlated by expectation
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: correlated-by-expectation, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a }, correlate: { id: { from: .data.id, expect: '${ .order }' } } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: { id: 6 } }
    - { type: a, data: { id: 7 } }
    """
    And given the workflow input is:
    """yaml
    order: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { id: 7 } ]
    """

  Scenario: An event that does not come in time
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-that-does-not-come-in-time, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a } } } }, timeout: { after: PT1S } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { status: 408, instance: /do/0/hear }
    """

  Scenario: An event that the workflow emits itself
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-that-the-workflow-emits-itself, version: '1.0.0' }
    do:
      - both:
          fork:
            branches:
              - hear: { listen: { to: { one: { with: { type: order.placed } } } } }
              - tell: { do: [ { first: { wait: PT1S } }, { emit: { emit: { event: { with: { type: order.placed, source: /shop, data: { id: '${ .id }' } } } } } } ] }
    """
    And given the workflow input is:
    """yaml
    id: 7
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a '0' property with value:
    """yaml
    [ { id: 7 } ]
    """
    And the emitted events should be:
    """yaml
    [ { type: order.placed, source: /shop, data: { id: 7 } } ]
    """

  Scenario: An emitted event has what the language promises
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-emitted-event-has-what-the-language-promises, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: a.b, subject: '${ .who }', time: '2026-01-01T00:00:00Z', data: [ 1 ], region: eu } } } }
    """
    And given the workflow input is:
    """yaml
    who: ann
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should include:
    """yaml
    { specversion: '1.0', type: a.b, subject: ann, time: '2026-01-01T00:00:00Z', data: [ 1 ], region: eu }
    """
    And the workflow output should have properties 'id', 'source'

  Scenario: The event that ends a listening for any event is not part of its output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-event-that-ends-a-listening-for-any-event-is-n, version: '1.0.0' }
    do:
      - hear: { listen: { to: { any: [], until: { one: { with: { type: stop } } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    - { type: b, data: 2 }
    - { type: stop, data: 3 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  Scenario: An event that the filters and until take counts for until alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-that-the-filters-and-until-take-counts-fo, version: '1.0.0' }
    do:
      - hear: { listen: { to: { any: [ { with: { source: /test } } ], until: { all: [ { with: { type: stop } }, { with: { type: halt } } ] } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    - { type: halt, data: 3 }
    - { type: b, data: 2 }
    - { type: stop, data: 4 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, 2 ]
    """

  Scenario: A condition on the data is not asked for events of another type
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-on-the-data-is-not-asked-for-events-of, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { data: '${ .t > 38 }', type: 'a\..*' } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: b.x, data: text }
    - { type: a.x, data: { t: 39 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { t: 39 } ]
    """

  Scenario: Binary data is read as base64
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: binary-data-is-read-as-base64, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a } } }, read: raw } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data_base64: AAE= }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ AAE= ]
    """

  Scenario: Until sees the context that foreach exported
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: until-sees-the-context-that-foreach-exported, version: '1.0.0' }
    do:
      - hear:
          listen: { to: { any: [ { with: { type: a } } ], until: '${ ($context.n // 0) >= 2 }' } }
          foreach: { item: event, output: { as: '${ $event * 10 }' }, export: { as: '${ $context + { n: (($context.n // 0) + 1) } }' } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    - { type: a, data: 2 }
    - { type: b, data: 3 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 10, 20 ]
    """
    And the lifecycle events should include:
    """yaml
    [ workflow.correlation-started, workflow.correlation-completed, task.completed ]
    """

  Scenario: An emitted event's source has a part of the input in it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-emitted-event-s-source-has-a-part-of-the-input, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: a.b, source: 'https://x.example/shops/{shop}' } } }, output: { as: .source } }
    """
    And given the workflow input is:
    """yaml
    shop: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    https://x.example/shops/7
    """

  Scenario: An event to emit whose type is no text is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-to-emit-whose-type-is-no-text-is-an-error, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: '${ .missing }' } } } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/tell }
    """
    And the emitted events should be:
    """yaml
    []
    """

  Scenario: An event to emit whose source is no text is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-to-emit-whose-source-is-no-text-is-an-err, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: a.b, source: '${ .n }' } } } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/tell }
    """
    And the emitted events should be:
    """yaml
    []
    """

  Scenario: An event to emit whose time is no text is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-to-emit-whose-time-is-no-text-is-an-error, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: a.b, time: '${ { a: 1 } }' } } } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/tell }
    """
    And the emitted events should be:
    """yaml
    []
    """

  Scenario: An event to emit whose subject is no text is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-event-to-emit-whose-subject-is-no-text-is-an-er, version: '1.0.0' }
    do:
      - tell: { emit: { event: { with: { type: a.b, subject: '${ "" }' } } } }
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400, instance: /do/0/tell }
    """
    And the emitted events should be:
    """yaml
    []
    """

  Scenario: A constant that is expected is compared with a number as text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-constant-that-is-expected-is-compared-with-a-num, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a }, correlate: { order: { from: .data.id, expect: '7' } } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: { id: 6 } }
    - { type: a, data: { id: 7 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { id: 7 } ]
    """

  Scenario: A constant that is expected is a text as it stands
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-constant-that-is-expected-is-a-text-as-it-stands, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a }, correlate: { order: { from: .data.id, expect: 'x-7' } } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: { id: y-7 } }
    - { type: a, data: { id: x-7 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { id: x-7 } ]
    """

  Scenario: Events that share an attribute of their own
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: events-that-share-an-attribute-of-their-own, version: '1.0.0' }
    do:
      - hear: { listen: { to: { all: [ { with: { type: a }, correlate: { room: { from: .roomid } } }, { with: { type: b }, correlate: { room: { from: .roomid } } } ] } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, roomid: x, data: 1 }
    - { type: b, roomid: y, data: 2 }
    - { type: b, roomid: x, data: 3 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ 1, 3 ]
    """
