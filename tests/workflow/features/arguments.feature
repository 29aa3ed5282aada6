Feature: Runtime Expression Arguments
  What expressions are given beside their data, and where.

  Scenario: Authorization by basic
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-by-basic, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: { basic: { username: user, password: secret } } } }
          output: { as: $authorization }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { scheme: Basic, parameter: dXNlcjpzZWNyZXQ= }
    """

  Scenario: Authorization by bearer, when exporting
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-by-bearer-when-exporting, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { bearer: { token: '${ .token }' } } } }
          export: { as: { auth: '${ $authorization }' } }
    output: { as: $context }
    """
    And given the workflow input is:
    """yaml
    token: t0k3n
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    auth: { scheme: Bearer, parameter: t0k3n }
    """

  Scenario: Authorization by a policy's name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-by-a-policy-s-name, version: '1.0.0' }
    use: { authentications: { mine: { basic: { username: user, password: secret } } } }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: { use: mine } } }
          output: { as: $authorization.scheme }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Basic
    """

  Scenario: Authorization by digest has no parameter
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-by-digest-has-no-parameter, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/digest, authentication: { digest: { username: user, password: secret } } } }
          output: { as: $authorization }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { scheme: Digest, parameter: null }
    """

  Scenario: Authorization by oauth2 does not tell the token
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-by-oauth2-does-not-tell-the-token, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: https://stub.example, grant: client_credentials, client: { id: me, secret: client-secret } } } } }
          output: { as: $authorization }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { scheme: Bearer, parameter: null }
    """

  Scenario: Authorization in the definition of the call
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-in-the-definition-of-the-call, version: '1.0.0' }
    do:
      - get:
          call: http
          with:
            method: get
            endpoint: { uri: https://stub.example/echo, authentication: { bearer: { token: t0k3n } } }
            headers: { X-Scheme: '${ $authorization.scheme }' }
          output: { as: '.headers["x-scheme"]' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Bearer
    """

  Scenario: Authorization in the policy itself is null
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-in-the-policy-itself-is-null, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/echo, authentication: { bearer: { token: '${ $authorization.parameter // "none" }' } } } }
          output: { as: .headers.authorization }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Bearer none
    """

  Scenario: A task without a policy has no authorization
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-without-a-policy-has-no-authorization, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/echo }, output: { as: '{ a: $authorization }' } }
      - keep: { set: { a: '${ .a }', b: '${ $authorization }' } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { a: null, b: null }
    """

  Scenario: Before a task its input argument is that of the workflow
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: before-a-task-its-input-argument-is-that-of-the-wo, version: '1.0.0' }
    input: { from: .order }
    do:
      - one: { if: $input.go, input: { from: '{ n: ($input.n + 1) }' }, set: { n: '${ $input.n }' } }
    """
    And given the workflow input is:
    """yaml
    order: { go: true, n: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    """

  Scenario: Before a task inside another its input argument is that of the other
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: before-a-task-inside-another-its-input-argument-is, version: '1.0.0' }
    do:
      - outer:
          input: { from: .order }
          do:
            - one: { set: { x: 0 } }
            - two: { input: { from: '{ n: $input.n }' }, set: '${ . }' }
    """
    And given the workflow input is:
    """yaml
    order: { n: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 1
    """

  Scenario: The workflow's output is transformed with the workflow's input at hand
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-workflow-s-output-is-transformed-with-the-work, version: '1.0.0' }
    input: { from: .order }
    do:
      - one: { set: { x: 0 } }
    output: { as: '{ x, n: $input.n }' }
    """
    And given the workflow input is:
    """yaml
    order: { n: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { x: 0, n: 1 }
    """

  Scenario: Every stage has the context
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: every-stage-has-the-context, version: '1.0.0' }
    do:
      - one: { set: { y: 1 }, export: { as: '{ y: .y }' } }
      - two:
          if: $context.y == 1
          input: { from: '{ i: $context.y }' }
          set: { sum: '${ $context.y + .i }' }
          output: { as: '{ sum, y: $context.y }' }
          export: { as: '$context + $output' }
    output: { as: '{ out: ., context: $context }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { out: { sum: 2, y: 1 }, context: { y: 1, sum: 2 } }
    """

  Scenario: Every stage has the task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: every-stage-has-the-task, version: '1.0.0' }
    do:
      - one:
          if: $task.name == "one"
          input: { from: '{ at: $task.reference }' }
          set: { at: '${ .at }' }
          output: { as: '{ at, name: $task.name, raw: $task.output }' }
          export: { as: '{ raw: $task.output, given: $task.input, input: $input }' }
    output: { as: '{ out: ., context: $context }' }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { out: { at: /do/0/one, name: one, raw: { at: /do/0/one } }, context: { raw: { at: /do/0/one }, given: { x: 1 }, input: { at: /do/0/one } } }
    """

  Scenario: The workflow and the runtime at its input and its output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-workflow-and-the-runtime-at-its-input-and-its, version: '1.0.0' }
    input: { from: '{ raw: $workflow.input, name: $workflow.definition.document.version, runtime: ($runtime | keys) }' }
    do:
      - one: { set: '${ . }' }
    output: { as: '. + { id: ($workflow.id | type), started: ($workflow.startedAt | keys) }' }
    """
    And given the workflow input is:
    """yaml
    x: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { raw: { x: 1 }, name: '1.0.0', runtime: [ metadata, name, version ], id: string, started: [ epoch, iso8601 ] }
    """

  Scenario: A task's own definition
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-task-s-own-definition, version: '1.0.0' }
    do:
      - one: { set: { kind: '${ $task.definition | keys }', started: '${ $task.startedAt.epoch | map_values(type) }' }, metadata: { a: 1 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { kind: [ metadata, set ], started: { seconds: number, milliseconds: number } }
    """

  Scenario: Authorization is not told in a workflow that has secrets
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authorization-is-not-told-with-secrets, version: '1.0.0' }
    use: { secrets: [ api ] }
    do:
      - get:
          input: { from: '{ token: $secrets.api.token }' }
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { bearer: { token: '${ .token }' } } } }
          output: { as: $authorization }
    """
    And given the secret 'api' is:
    """yaml
    token: t0k3n
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { scheme: Bearer, parameter: null }
    """
