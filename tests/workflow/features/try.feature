Feature: Try
  Errors that are caught, tried again, or not.

  Scenario: What does not fail is left alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-does-not-fail-is-left-alone, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: { ok: true } } } ]
          catch: { do: [ { never: { set: { ok: false } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """
    And never should not run

  Scenario: An error is caught and handled
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-is-caught-and-handled, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { do: [ { handle: { set: { caught: '${ $error }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: { type: https://x.example/late, status: 409, title: Late, instance: /do/0/attempt/try/0/work }
    """
    And work should fault
    And handle should run last

  Scenario: Without more, a caught error is swallowed and the input goes on
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: without-more-a-caught-error-is-swallowed-and-the, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: {}
      - after: { set: { got: '${ . }' } }
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

  Scenario: The error has the name that catch gives it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-error-has-the-name-that-catch-gives-it, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { as: problem, do: [ { handle: { set: { status: '${ $problem.status }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 409
    """

  Scenario: A filter by status 409 takes the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-status-409-takes-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { status: 409 } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A filter by status 500 leaves the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-status-500-leaves-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { status: 500 } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/late, status: 409, title: Late }
    """

  Scenario: A filter by type https://x.example/late takes the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-type-https-x-example-late-takes-the, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { type: https://x.example/late } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A filter by type https://x.example/other leaves the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-type-https-x-example-other-leaves-th, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { type: https://x.example/other } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/late, status: 409, title: Late }
    """

  Scenario: A filter by title Late takes the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-title-late-takes-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { title: Late } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A filter by title Early leaves the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-title-early-leaves-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { title: Early } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/late, status: 409, title: Late }
    """

  Scenario: A filter by instance /do/0/attempt/try/0/work takes the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-instance-do-0-attempt-try-0-work-take, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { instance: /do/0/attempt/try/0/work } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A filter by instance /do/0 leaves the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-instance-do-0-leaves-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late } } } } ]
          catch: { errors: { with: { instance: /do/0 } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/late, status: 409, title: Late }
    """

  Scenario: A standard type is caught as https://serverlessworkflow.io/dsl/errors/types/
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-standard-type-is-caught-as-https-serverlesswor, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: https://serverlessworkflow.io/dsl/errors/types/expression } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A standard type is caught as https://serverlessworkflow.io/spec/1.0.0/errors/
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-standard-type-is-caught-as-https-serverlesswor, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: https://serverlessworkflow.io/spec/1.0.0/errors/expression } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A standard type is caught as https://open-workflow-specification.org/dsl/errors/types/
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-standard-type-is-caught-as-https-open-workflow, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/dsl/errors/types/expression } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A standard type is caught as https://open-workflow-specification.org/spec/1.0.0/errors/
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-standard-type-is-caught-as-https-open-workflow, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression } }, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: A condition decides whether an error is caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-decides-whether-an-error-is-caught, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { when: $error.status == 409 and .a == 1, do: [ { handle: { set: { handled: true } } } ] }
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: An exception to a catch
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-exception-to-a-catch, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { exceptWhen: $error.status == 409, do: [ { handle: { set: { handled: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """
    And handle should not run

  Scenario: An error goes to the innermost try that takes it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-goes-to-the-innermost-try-that-takes-it, version: '1.0.0' }
    do:
      - outer:
          try:
            - inner:
                try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
                catch: { errors: { with: { status: 500 } }, do: [ { wrong: { set: { at: inner } } } ] }
          catch: { do: [ { right: { set: { at: outer } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: outer
    """
    And wrong should not run

  Scenario: An error in the handler is not caught by the same try
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-error-in-the-handler-is-not-caught-by-the-same, version: '1.0.0' }
    do:
      - outer:
          try: [ { a: { raise: { error: { type: https://x.example/a, status: 400 } } } } ]
          catch: { do: [ { b: { raise: { error: { type: https://x.example/b, status: 401 } } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://x.example/b, status: 401, instance: /do/0/outer/catch/do/0/b }
    """

  Scenario: Then of a catch decides what follows the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: then-of-a-catch-decides-what-follows-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { then: failed }
      - fine: { set: { at: fine }, then: end }
      - failed: { set: { at: failed } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: failed
    """
    And fine should not run

  Scenario: Then of a try decides what follows success
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: then-of-a-try-decides-what-follows-success, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: { x: 1 } } } ]
          catch: { then: failed }
          then: fine
      - failed: { set: { at: failed }, then: end }
      - fine: { set: { at: fine } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: fine
    """

  Scenario: A catch may end the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-catch-may-end-the-workflow, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { do: [ { handle: { set: { handled: true } } } ], then: end }
      - after: { set: { at: after } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    handled: true
    """

  Scenario: The output of the handler is that of the try
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-output-of-the-handler-is-that-of-the-try, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { do: [ { handle: { set: { a: 1 } } }, { more: { set: { b: '${ .a }' } } } ] }
          output: { as: .b }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    1
    """

  Scenario: Several tasks are tried in order and none after the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: several-tasks-are-tried-in-order-and-none-after-th, version: '1.0.0' }
    do:
      - attempt:
          try:
            - one: { set: { x: 1 } }
            - two: { raise: { error: { type: https://x.example/late, status: 409 } } }
            - three: { set: { x: 3 } }
          catch: { do: [ { handle: { set: { got: '${ . }' } } } ] }
    """
    And given the workflow input is:
    """yaml
    a: 0
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: { a: 0 }
    """
    And three should not run
    And one should run before two

  Scenario: A standard type is caught by its last word
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-standard-type-is-caught-by-its-last-word, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: expression } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A raised error of a standard type is caught in another writing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-raised-error-of-a-standard-type-is-caught-in-ano, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://serverlessworkflow.io/dsl/errors/types/timeout, status: 408 } } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A type that is not of the standard is caught as it is written only
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-type-that-is-not-of-the-standard-is-caught-as-it, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://serverlessworkflow.io/errors/not-implemented, status: 500 } } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/not-implemented } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://serverlessworkflow.io/errors/not-implemented, status: 500 }
    """

  Scenario: A caught error has its type as the filter writes it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-caught-error-has-its-type-as-the-filter-writes-i, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: https://serverlessworkflow.io/dsl/errors/types/expression } }, do: [ { handle: { set: '${ $error | { type, status } }' } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { type: https://serverlessworkflow.io/dsl/errors/types/expression, status: 400 }
    """

  Scenario: A condition compares the type as the filter writes it
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-compares-the-type-as-the-filter-writes, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: '${ error }' } } ]
          catch: { errors: { with: { type: https://serverlessworkflow.io/dsl/errors/types/expression } }, when: '$error.type | startswith("https://serverlessworkflow.io/dsl")', do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A filter by instance may leave out the places in lists
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-instance-may-leave-out-the-places-in-l, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { errors: { with: { instance: /do/attempt/try/work } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A filter by instance has the names of its tasks
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-instance-has-the-names-of-its-tasks, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { errors: { with: { instance: /do/attempt/try/other } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """

  Scenario: A filter by detail takes the error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-detail-takes-the-error, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { errors: { with: { detail: It is late } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A filter wants all of its values
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-wants-all-of-its-values, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { errors: { with: { status: 409, type: https://x.example/late, title: Late, detail: It is early } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    detail: It is late
    """

  Scenario: A filter by title leaves an error that has none
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-filter-by-title-leaves-an-error-that-has-none, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409 } } } } ]
          catch: { errors: { with: { title: Late } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """

  Scenario: The output and the export of a try see the error that it caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-output-and-the-export-of-a-try-see-the-error-t, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { as: problem }
          output: { as: '{ status: $problem.status, title: $problem.title }' }
          export: { as: '{ detail: $problem.detail }' }
      - look: { set: { status: '${ .status }', detail: '${ $context.detail }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { status: 409, detail: It is late }
    """

  Scenario: Without an error there is none for the output of a try
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: without-an-error-there-is-none-for-the-output-of-a, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { set: { ok: true } } } ]
          catch: {}
          output: { as: '{ ok, error: $error }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { ok: true, error: null }
    """

  Scenario: The error is seen at any depth of the handler
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-error-is-seen-at-any-depth-of-the-handler, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { do: [ { outer: { do: [ { each: { for: { in: '[1]' }, do: [ { one: { set: { status: '${ $error.status }', item: '${ $item }' } } } ] } } ] } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { status: 409, item: 1 }
    """

  Scenario: The error of an inner try hides that of the outer one
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-error-of-an-inner-try-hides-that-of-the-outer, version: '1.0.0' }
    do:
      - outer:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch:
            do:
              - inner: { try: [ { again: { raise: { error: { type: https://x.example/again, status: 410 } } } } ], catch: { do: [ { one: { set: { inner: '${ $error.status }' } } } ] } }
              - two: { set: { inner: '${ .inner }', outer: '${ $error.status }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { inner: 410, outer: 409 }
    """

  Scenario: The error is unknown after the try
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-error-is-unknown-after-the-try, version: '1.0.0' }
    do:
      - attempt: { try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ], catch: { as: problem } }
      - look: { set: { got: '${ $problem }' } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400, instance: /do/1/look }
    """

  Scenario: Then of a catch leaves a composite task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: then-of-a-catch-leaves-a-composite-task, version: '1.0.0' }
    do:
      - outer:
          do:
            - attempt: { try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ], catch: { do: [ { handle: { set: { at: handle } } } ], then: exit } }
            - never: { set: { at: never } }
      - look: { set: { got: '${ .at }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    got: handle
    """
    And never should not run

  Scenario: A condition and an exception decide together
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-condition-and-an-exception-decide-together, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ]
          catch: { as: problem, when: '${ $problem.status >= 400 }', exceptWhen: '${ $problem.status >= 500 }', do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: Errors without a filter are all caught
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: errors-without-a-filter-are-all-caught, version: '1.0.0' }
    do:
      - attempt: { try: [ { work: { raise: { error: { type: https://x.example/late, status: 409, title: Late, detail: It is late } } } } ], catch: { errors: {}, do: [ { handle: { set: { ok: true } } } ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A call's answer of 401 is caught as a problem of communication too
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-s-answer-of-401-is-caught-as-a-problem-of-c, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/status/401 } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 401 } }, do: [ { handle: { set: { type: '${ $error.type }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    """

  Scenario: A call's answer of 401 is caught as a problem of authentication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-s-answer-of-401-is-caught-as-a-problem-of-a, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/status/401 } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/authentication } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: A call's answer of 403 is caught as a problem of communication too
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-s-answer-of-403-is-caught-as-a-problem-of-c, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/status/403 } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 403 } }, do: [ { handle: { set: { type: '${ $error.type }' } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    """

  Scenario: A call's answer of 403 is caught as a problem of authorization
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-s-answer-of-403-is-caught-as-a-problem-of-a, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { call: http, with: { method: get, endpoint: https://stub.example/status/403 } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  Scenario: What is no call's problem is none of communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-is-no-call-s-problem-is-none-of-communication, version: '1.0.0' }
    do:
      - attempt:
          try: [ { work: { raise: { error: { type: https://open-workflow-specification.org/spec/1.0.0/errors/authentication, status: 401 } } } } ]
          catch: { errors: { with: { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication } }, do: [ { handle: { set: { ok: true } } } ] }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 401
    """
