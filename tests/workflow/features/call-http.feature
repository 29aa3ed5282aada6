Feature: Call HTTP
  Requests, answers, authentication, errors.

  Scenario: The content of an answer is the output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-content-of-an-answer-is-the-output, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/{petId}' } }
    """
    And given the workflow input is:
    """yaml
    petId: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: An endpoint as an object
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-endpoint-as-an-object, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: GET, endpoint: { uri: 'https://petstore.swagger.io/v2/pet/{petId}' } } }
    """
    And given the workflow input is:
    """yaml
    petId: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 2, name: rex, status: available }
    """

  Scenario: An endpoint by an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-endpoint-by-an-expression, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: '${ "https://petstore.swagger.io/v2/pet/\(.petId)" }' } }
    """
    And given the workflow input is:
    """yaml
    petId: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: The whole response as output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-whole-response-as-output, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://petstore.swagger.io/v2/pet/1, output: response } }
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'request', 'statusCode', 'headers', 'content'
    And the workflow output should have a 'statusCode' property with value:
    """yaml
    200
    """
    And the workflow output should have a 'content' property with value:
    """yaml
    { id: 1, name: milou, status: pending }
    """
    And the workflow output should have a 'request.uri' property with value:
    """yaml
    https://petstore.swagger.io/v2/pet/1
    """
    And the workflow output should have a 'request.method' property with value:
    """yaml
    get
    """

  Scenario: The raw content as output
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-raw-content-as-output, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/bytes, output: raw } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    AAH/
    """

  Scenario: Text is text
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: text-is-text, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/text } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    héllo
    """

  Scenario: An empty answer is null
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-empty-answer-is-null, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: delete, endpoint: https://stub.example/empty } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    null
    """

  Scenario: Query, headers and body
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: query-headers-and-body, version: '1.0.0' }
    do:
      - send:
          call: http
          with:
            method: post
            endpoint: https://stub.example/echo/orders
            headers: { X-Trace: 'run ${ .id }', Content-Type: application/json }
            query: { page: 2, tags: '${ .tags }', q: 'a b' }
            body: { id: '${ .id }', note: 'for ${ .name }' }
          output: { as: '{ method, path, query, body, trace: .headers["x-trace"] }' }
    """
    And given the workflow input is:
    """yaml
    { id: 7, name: ann, tags: [ x, y ] }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { method: POST, path: /echo/orders, query: { page: '2', tags: [ x, y ], q: a b }, body: { id: 7, note: for ann }, trace: run 7 }
    """

  Scenario: Headers and query by expressions
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: headers-and-query-by-expressions, version: '1.0.0' }
    do:
      - send:
          call: http
          with: { method: get, endpoint: https://stub.example/echo, headers: '${ .headers }', query: '${ .query }' }
          output: { as: '{ query, a: .headers["x-a"] }' }
    """
    And given the workflow input is:
    """yaml
    { headers: { X-A: b }, query: { s: luke } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { query: { s: luke }, a: b }
    """

  Scenario: The body may be one expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-body-may-be-one-expression, version: '1.0.0' }
    do:
      - send: { call: http, with: { method: put, endpoint: https://stub.example/echo, body: '${ . + { status: "sold" } }' }, output: { as: .body } }
    """
    And given the workflow input is:
    """yaml
    id: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, status: sold }
    """

  Scenario: A form is sent as its content type says
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-form-is-sent-as-its-content-type-says, version: '1.0.0' }
    do:
      - send:
          call: http
          with: { method: post, endpoint: https://stub.example/echo, headers: { content-type: application/x-www-form-urlencoded }, body: { a: 1, b: x y } }
          output: { as: .body }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    a=1&b=x+y
    """

  Scenario: An answer of 400 is an error of type communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-of-400-is-an-error-of-type-communication, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/status/400 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 400, instance: /do/0/get }
    """

  Scenario: An answer of 401 is an error of communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-of-401-is-an-error-of-communication, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/status/401 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 401, instance: /do/0/get }
    """

  Scenario: An answer of 403 is an error of communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-of-403-is-an-error-of-communication, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/status/403 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 403, instance: /do/0/get }
    """

  Scenario: An answer of 404 is an error of type communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-of-404-is-an-error-of-type-communication, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/status/404 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404, instance: /do/0/get }
    """

  Scenario: An answer of 500 is an error of type communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-of-500-is-an-error-of-type-communication, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/status/500 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 500, instance: /do/0/get }
    """

  Scenario: An answer of 503 is an error of type communication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-of-503-is-an-error-of-type-communication, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/status/503 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 503, instance: /do/0/get }
    """

  Scenario: A redirect is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-redirect-is-an-error, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/redirect/1 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 302 }
    """

  Scenario: A redirect is no error when the call says so
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-redirect-is-no-error-when-the-call-says-so, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/redirect/3, redirect: true }, output: { as: .path } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /echo/redirected
    """

  Scenario: Too many redirects are an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: too-many-redirects-are-an-error, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/redirect/9, redirect: true } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    """

  Scenario: A call to nowhere, as in the reference of the language
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-to-nowhere-as-in-the-reference-of-the-lang, version: '1.0.0' }
    do:
      - trySomething:
          try: [ { invalidHttpCall: { call: http, with: { method: get, endpoint: 'https://' } } } ]
          catch:
            errors: { with: { type: https://open-workflow-specification.org/dsl/errors/types/communication, status: 503 } }
            as: error
            retry: { delay: { seconds: 3 }, backoff: { exponential: {} }, limit: { attempt: { count: 5 } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 503 }
    """
    And invalidHttpCall should run 6 times

  Scenario: A host that is not there is a communication error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-host-that-is-not-there-is-a-communication-error, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://nobody.example/ } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    """

  Scenario: A call is cancelled by the timeout of its task
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-call-is-cancelled-by-the-timeout-of-its-task, version: '1.0.0' }
    do:
      - get: { call: http, timeout: { after: { milliseconds: 300 } }, with: { method: get, endpoint: https://stub.example/slow/3000 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout, status: 408, instance: /do/0/get }
    """

  Scenario: A URI variable that is an object is an expression error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-uri-variable-that-is-an-object-is-an-expression, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: 'https://stub.example/echo/{pet}' } }
    """
    And given the workflow input is:
    """yaml
    pet: { id: 1 }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/expression, status: 400 }
    """

  Scenario: URI variables are encoded, and missing ones are empty
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: uri-variables-are-encoded-and-missing-ones-are-em, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: 'https://stub.example/echo/{name}/x{gone}' }, output: { as: .path } }
    """
    And given the workflow input is:
    """yaml
    name: a/b c
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /echo/a%2Fb%20c/x
    """

  Scenario: Authentication by basic
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authentication-by-basic, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/basic', authentication: { basic: { username: user, password: secret } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: Authentication by digest
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authentication-by-digest, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/digest', authentication: { digest: { username: user, password: secret } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: Authentication by bearer
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authentication-by-bearer, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/bearer', authentication: { bearer: { token: t0k3n } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: Authentication by oauth2
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authentication-by-oauth2, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/bearer', authentication: { oauth2: { authority: https://stub.example, grant: client_credentials, client: { id: me, secret: client-secret } } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: Authentication by oidc
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: authentication-by-oidc, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/bearer', authentication: { oidc: { authority: https://stub.example/realms/shop, grant: client_credentials, client: { id: me, secret: client-secret } } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: Wrong credentials
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: wrong-credentials, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/basic', authentication: { basic: { username: user, password: wrong } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 401 }
    """

  Scenario: A token by an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-token-by-an-expression, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: 'https://stub.example/bearer', authentication: { bearer: { token: '${ .user.token }' } } } } }
    """
    And given the workflow input is:
    """yaml
    user: { token: t0k3n }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A policy by name
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-policy-by-name, version: '1.0.0' }
    use: { authentications: { mine: { basic: { username: user, password: secret } } } }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: { use: mine } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A header that would split the request is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-header-that-would-split-the-request-is-refused, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/echo, headers: { X: '${ .text }' } } }
    """
    And given the workflow input is:
    """yaml
    text: "a\r\nY: b"
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration, status: 400 }
    """
