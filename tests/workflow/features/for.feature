Feature: For
  Loops.

  Scenario: Items by name and index
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: items-by-name-and-index, version: '1.0.0' }
    do:
      - each:
          for: { each: pet, in: .pets, at: place }
          do: [ { note: { set: { log: '${ [.log[]?, "\($place)\($pet)"] }' } } } ]
    """
    And given the workflow input is:
    """yaml
    pets: [ a, b ]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ 0a, 1b ]
    """

  Scenario: The output of a round is the input of the next
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-output-of-a-round-is-the-input-of-the-next, version: '1.0.0' }
    do:
      - each: { for: { in: '${ [1, 2, 3] }' }, do: [ { add: { set: { sum: '${ (.sum // 0) + $item }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 6
    """

  Scenario: A loop goes on while its condition holds
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-loop-goes-on-while-its-condition-holds, version: '1.0.0' }
    do:
      - each: { for: { in: '[1, 2, 3, 4]' }, while: '(.sum // 0) < 3', do: [ { add: { set: { sum: '${ (.sum // 0) + $item }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 3
    """
    And add should run twice

  Scenario: A loop over nothing gives its input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-loop-over-nothing-gives-its-input, version: '1.0.0' }
    do:
      - each: { for: { in: '[]' }, do: [ { never: { set: { x: 1 } } } ] }
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
    And never should not run

  Scenario: A loop over what is no list is an expression error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-loop-over-what-is-no-list-is-an-expression-error, version: '1.0.0' }
    do:
      - each: { for: { in: .a }, do: [ { never: { set: { x: 1 } } } ] }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { status: 400, instance: /do/0/each }
    """

  Scenario: Loops in loops see all variables
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: loops-in-loops-see-all-variables, version: '1.0.0' }
    do:
      - rows:
          for: { each: row, in: '[1, 2]' }
          do:
            - columns: { for: { each: column, in: '[10, 20]' }, do: [ { add: { set: { log: '${ [.log[]?, $row * $column] }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    log: [ 10, 20, 20, 40 ]
    """

  Scenario: A list in the definition
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-list-in-the-definition, version: '1.0.0' }
    do:
      - each: { for: { in: [ { n: 1 }, { n: 2 } ] }, do: [ { add: { set: { sum: '${ (.sum // 0) + $item.n }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 3
    """

  Scenario: A thousand rounds
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-thousand-rounds, version: '1.0.0' }
    do:
      - each: { for: { in: '[range(1000)]' }, do: [ { add: { set: { n: '${ (.n // 0) + 1 }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1000
    """

  Scenario: An error in a round ends the loop
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-in-a-round-ends-the-loop, version: '1.0.0' }
    do:
      - each: { for: { in: '[1, 2]' }, do: [ { no: { if: $item == 2, raise: { error: { type: https://x.example/no, status: 400 } } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    instance: /do/0/each/do/0/no
    """
