Feature: Branching
  Cases of switch.

  Scenario: A price of 5 is followed by buy
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-price-of-5-is-followed-by-buy, version: '1.0.0' }
    do:
      - decide:
          switch:
            - cheap: { when: .price < 10, then: buy }
            - dear: { when: .price > 99, then: leave }
            - other: { then: think }
      - buy: { set: { did: buy }, then: end }
      - leave: { set: { did: leave }, then: end }
      - think: { set: { did: think }, then: end }
    """
    And given the workflow input is:
    """yaml
    price: 5
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    did: buy
    """
    And decide should run first
    And buy should run last

  Scenario: A price of 100 is followed by leave
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-price-of-100-is-followed-by-leave, version: '1.0.0' }
    do:
      - decide:
          switch:
            - cheap: { when: .price < 10, then: buy }
            - dear: { when: .price > 99, then: leave }
            - other: { then: think }
      - buy: { set: { did: buy }, then: end }
      - leave: { set: { did: leave }, then: end }
      - think: { set: { did: think }, then: end }
    """
    And given the workflow input is:
    """yaml
    price: 100
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    did: leave
    """
    And decide should run first
    And leave should run last

  Scenario: A price of 50 is followed by think
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-price-of-50-is-followed-by-think, version: '1.0.0' }
    do:
      - decide:
          switch:
            - cheap: { when: .price < 10, then: buy }
            - dear: { when: .price > 99, then: leave }
            - other: { then: think }
      - buy: { set: { did: buy }, then: end }
      - leave: { set: { did: leave }, then: end }
      - think: { set: { did: think }, then: end }
    """
    And given the workflow input is:
    """yaml
    price: 50
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    did: think
    """
    And decide should run first
    And think should run last

  Scenario: The first case that holds is taken
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-first-case-that-holds-is-taken, version: '1.0.0' }
    do:
      - decide:
          switch:
            - a: { when: 'true', then: one }
            - b: { when: 'true', then: two }
      - one: { set: { at: one }, then: end }
      - two: { set: { at: two }, then: end }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one
    """

  Scenario: The default case counts last wherever it stands
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-default-case-counts-last-wherever-it-stands, version: '1.0.0' }
    do:
      - decide:
          switch:
            - default: { then: one }
            - b: { when: .x == 1, then: two }
      - one: { set: { at: one }, then: end }
      - two: { set: { at: two }, then: end }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: two
    """

  Scenario: Without a case that holds the next task follows
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: without-a-case-that-holds-the-next-task-follows, version: '1.0.0' }
    do:
      - decide: { switch: [ { a: { when: 'false', then: end } } ] }
      - next: { set: { came: true } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    came: true
    """

  Scenario: A switch gives what it was given
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-switch-gives-what-it-was-given, version: '1.0.0' }
    do:
      - decide: { switch: [ { go: { then: continue } } ] }
      - next: { set: { got: '${ . }' } }
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

  Scenario: A case may end the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-case-may-end-the-workflow, version: '1.0.0' }
    do:
      - decide: { switch: [ { stop: { when: .stop, then: end } } ] }
      - next: { set: { came: true } }
    """
    And given the workflow input is:
    """yaml
    stop: true
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    stop: true
    """
    And next should not run

  Scenario: A case may leave a composite task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-case-may-leave-a-composite-task, version: '1.0.0' }
    do:
      - outer:
          do:
            - decide: { switch: [ { stop: { then: exit } } ] }
            - unused: { set: { x: 1 } }
      - after: { set: { came: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    came: { a: 1 }
    """
    And unused should not run

  Scenario: Two default cases are refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: two-default-cases-are-refused, version: '1.0.0' }
    do:
      - decide: { switch: [ { a: { then: end } }, { b: { then: exit } } ] }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/decide/switch

  Scenario: Input of a switch is transformed for its cases
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: input-of-a-switch-is-transformed-for-its-cases, version: '1.0.0' }
    do:
      - decide:
          input: { from: .order }
          switch: [ { big: { when: .size > 3, then: big } } ]
      - small: { set: { size: small }, then: end }
      - big: { set: { size: big } }
    """
    And given the workflow input is:
    """yaml
    order: { size: 4 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    size: big
    """
