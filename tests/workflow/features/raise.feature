Feature: Raise
  Errors that a workflow raises itself.

  Scenario: An error with expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-with-expressions, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 422, title: 'No ${ .what }', detail: '${ "because of \(.why)" }' } } }
    """
    And given the workflow input is:
    """yaml
    { what: pets, why: rain }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/no, status: 422, title: No pets, detail: because of rain, instance: /do/0/no }
    """

  Scenario: An error by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-by-name, version: '1.0.0' }
    use: { errors: { late: { type: https://x.example/late, status: 409, title: Late } } }
    do:
      - no: { raise: { error: late } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/late, status: 409, title: Late, instance: /do/0/no }
    """

  Scenario: An error may name its own instance
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-may-name-its-own-instance, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 400, instance: /mine } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    instance: /mine
    """

  Scenario: An error inside others names where it was raised
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-inside-others-names-where-it-was-raised, version: '1.0.0' }
    do:
      - outer: { do: [ { inner: { for: { in: '[1]' }, do: [ { no: { raise: { error: { type: https://x.example/no, status: 400 } } } } ] } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    instance: /do/0/outer/do/0/inner/do/0/no
    """
    And outer should fault
    And inner should fault
    And no should fault

  Scenario: Nothing runs after an error that nobody catches
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: nothing-runs-after-an-error-that-nobody-catches, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 400 } } }
      - after: { set: { x: 1 } }
    """
    When the workflow is executed
    Then the workflow should fault
    And after should not run

  Scenario: A transformed input is what the error is made of
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-transformed-input-is-what-the-error-is-made-of, version: '1.0.0' }
    do:
      - no: { input: { from: .a }, raise: { error: { type: https://x.example/no, status: 400, detail: '${ .b }' } } }
    """
    And given the workflow input is:
    """yaml
    a: { b: deep }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    detail: deep
    """

  Scenario: What expressions give in place of texts is written as JSON
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-expressions-give-in-place-of-texts-is-written, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 400, title: '${ true }', detail: '${ { a: 1 } }' } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { title: 'true', detail: '{"a":1}' }
    """

  Scenario: A type and an instance by expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-type-and-an-instance-by-expressions, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: '${ .kind }', status: 400, instance: '${ .place }' } } }
    """
    And given the workflow input is:
    """yaml
    { kind: https://x.example/no, place: /mine }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/no, instance: /mine }
    """

  Scenario: An error without a type that an expression gave is one of the runtime
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-without-a-type-that-an-expression-gave-is, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: '${ .kind }', status: 418 } } }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime, status: 418, instance: /do/0/no }
    """

  Scenario: An error is raised again from its own parts
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-is-raised-again-from-its-own-parts, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { do: [ { again: { raise: { error: { type: '${ $error.type }', status: 500, detail: '${ $error.detail }' } } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/late, status: 500, detail: It is late, instance: /do/0/attempt/catch/do/0/again }
    """

  Scenario: An error that is not in use is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-that-is-not-in-use-is-refused, version: '1.0.0' }
    do:
      - no: { raise: { error: nobody } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/no/raise/error

  Scenario: A type with a part of the input in it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-type-with-a-part-of-the-input-in-it, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: 'https://x.example/errors/{kind}', status: 400 } } }
    """
    And given the workflow input is:
    """yaml
    kind: late
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/errors/late, status: 400 }
    """

  Scenario: A type with what can't stand in a URI in it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-type-with-what-can-t-stand-in-a-uri-in-it, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: 'https://x.example/errors/{kind}', status: 418 } } }
    """
    And given the workflow input is:
    """yaml
    kind: [ late ]
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400 }
    """
