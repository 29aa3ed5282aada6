Feature: Texts with Expressions
  Where the specification takes a string or an object, the string may have expressions inside.

  Scenario: Set by a text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: set-by-a-text, version: '1.0.0' }
    do:
      - greet: { set: 'Hello ${ .name }, you are ${ .age }!' }
    """
    And given the workflow input is:
    """yaml
    { name: ann, age: 7 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Hello ann, you are 7!
    """

  Scenario: Output by a text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: output-by-a-text, version: '1.0.0' }
    do:
      - make: { set: { y: 1 }, output: { as: 'value ${ .y }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    value 1
    """

  Scenario: Input by a text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: input-by-a-text, version: '1.0.0' }
    do:
      - make: { input: { from: 'pet ${ .id }' }, set: { got: '${ . }' } }
    """
    And given the workflow input is:
    """yaml
    id: 4
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: pet 4
    """

  Scenario: Expressions over several lines
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: expressions-over-several-lines, version: '1.0.0' }
    do:
      - make:
          set: >
            ${ . }
          output:
            as: |
              {
                a: .x  # a note
              }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """

  Scenario: Text that came in is not evaluated
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: text-that-came-in-is-not-evaluated, version: '1.0.0' }
    do:
      - keep: { set: '${ .text }' }
      - tell: { set: 'got ${ . }' }
    """
    And given the workflow input is:
    """yaml
    text: '${ 1 + 1 }'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got ${ 1 + 1 }
    """

  Scenario: Keys are never expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: keys-are-never-expressions, version: '1.0.0' }
    do:
      - keep: { set: { '${ .k }': 1 } }
    """
    And given the workflow input is:
    """yaml
    k: z
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    '${ .k }': 1
    """

  Scenario: In strict mode only what is enclosed is an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: in-strict-mode-only-what-is-enclosed-is-an-express, version: '1.0.0' }
    evaluate: { language: jq, mode: strict }
    do:
      - keep: { set: { a: .x, b: 1 + 1, c: '${ .x }' } }
    """
    And given the workflow input is:
    """yaml
    x: 3
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { a: .x, b: 1 + 1, c: 3 }
    """
