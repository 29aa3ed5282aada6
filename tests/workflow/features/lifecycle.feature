Feature: Lifecycle Events
  What a run tells about itself.

  Scenario: A workflow that completes
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-that-completes, version: '1.0.0' }
    do:
      - one: { set: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a: 1
    """
    And the lifecycle events should be:
    """yaml
    [ workflow.started, task.created, task.started, task.completed, workflow.completed ]
    """

  Scenario: A workflow that faults
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-that-faults, version: '1.0.0' }
    do:
      - no: { raise: { error: { type: https://x.example/no, status: 400 } } }
    """
    When the workflow is executed
    Then the workflow should fault
    And the lifecycle events should be:
    """yaml
    [ workflow.started, task.created, task.started, task.faulted, workflow.faulted ]
    """

  Scenario: A task that is tried again
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-that-is-tried-again, version: '1.0.0' }
    do:
      - attempt: { try: [ { no: { raise: { error: { type: https://x.example/no, status: 400 } } } } ], catch: { retry: { delay: PT1S, limit: { attempt: { count: 1 } } } } }
    """
    When the workflow is executed
    Then the workflow should fault
    And the lifecycle events should include:
    """yaml
    [ workflow.started, task.faulted, task.retried, task.faulted, workflow.faulted ]
    """

  Scenario: A workflow that correlates events
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-that-correlates-events, version: '1.0.0' }
    do:
      - hear: { listen: { to: { one: { with: { type: a } } } } }
    """
    And given the events are sent:
    """yaml
    - { type: a, data: 1 }
    """
    When the workflow is executed
    Then the workflow should complete
    And the lifecycle events should include:
    """yaml
    [ workflow.correlation-started, workflow.correlation-completed, task.completed ]
    """

  Scenario: A workflow that is cancelled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-workflow-that-is-cancelled, version: '1.0.0' }
    do:
      - slow: { wait: PT1H }
    """
    And the workflow is cancelled after 5 seconds
    When the workflow is executed
    Then the workflow should be cancelled
    And slow should be cancelled
    And the lifecycle events should include:
    """yaml
    [ task.cancelled, workflow.cancelled ]
    """
    And the workflow should take 5 seconds

  Scenario: Competitors that lose are cancelled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: competitors-that-lose-are-cancelled, version: '1.0.0' }
    do:
      - race: { fork: { compete: true, branches: [ { a: { wait: PT1S } }, { b: { wait: PT2S } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete
    And b should be cancelled
    And a should complete

  Scenario: Tasks around one that ends the workflow are complete, tasks beside it are cancelled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: tasks-around-one-that-ends-the-workflow-are-comple, version: '1.0.0' }
    do:
      - outer: { do: [ { both: { fork: { branches: [ { a: { wait: PT1H } }, { b: { set: { x: 1 }, then: end } } ] } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete
    And b should complete
    And a should be cancelled
    And both should complete
    And outer should complete

  Scenario: What is under way when the workflow faults is cancelled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-is-under-way-when-the-workflow-faults-is-canc, version: '1.0.0' }
    do:
      - both: { fork: { branches: [ { a: { do: [ { slow: { wait: PT1H } } ] } }, { no: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ] } }
    """
    When the workflow is executed
    Then the workflow should fault
    And no should fault
    And both should fault
    And slow should be cancelled
    And a should be cancelled
    And the lifecycle events should include:
    """yaml
    [ task.cancelled, task.faulted, task.cancelled, task.faulted, workflow.faulted ]
    """

  Scenario: What is under way inside a task that takes too long is cancelled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-is-under-way-inside-a-task-that-takes-too-lon, version: '1.0.0' }
    do:
      - outer: { do: [ { slow: { wait: PT1H } } ], timeout: { after: PT1S } }
    """
    When the workflow is executed
    Then the workflow should fault
    And slow should be cancelled
    And outer should fault
