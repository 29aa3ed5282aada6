Feature: Forms of Calls
  The same call, written in the ways that the text of the specification has.

  Scenario: An expression inside an endpoint
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-expression-inside-an-endpoint, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/${ .petId }' }
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

  Scenario: An expression inside the URI of an endpoint
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-expression-inside-the-uri-of-an-endpoint, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: 'https://petstore.swagger.io/v2/pet/${ .petId }' } }
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

  Scenario: An expression before the path of an endpoint
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-expression-before-the-path-of-an-endpoint, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: '${ .base }/pet/{petId}' }
    """
    And given the workflow input is:
    """yaml
    { base: https://petstore.swagger.io/v2, petId: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: What an expression inside an endpoint gives is no template
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: what-an-expression-inside-an-endpoint-gives-is-no, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: 'https://stub.example/echo/${ .a }/{a}' }
          output: { as: .path }
    """
    And given the workflow input is:
    """yaml
    a: '{b}'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /echo/%7Bb%7D/%7Bb%7D
    """

  Scenario: Headers that are numbers and words
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: headers-that-are-numbers-and-words, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: https://stub.example/echo, headers: { X-Page: 5, X-All: true } }
          output: { as: '{ page: .headers["x-page"], all: .headers["x-all"] }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { page: '5', all: 'true' }
    """

  Scenario: A policy by its name alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-policy-by-its-name-alone, version: '1.0.0' }
    use: { authentications: { mine: { basic: { username: user, password: secret } } } }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: mine } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A policy of an OpenAPI call by its name alone
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-policy-of-an-openapi-call-by-its-name-alone, version: '1.0.0' }
    use: { authentications: { mine: { bearer: { token: t0k3n } } } }
    do:
      - get:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getPetById, parameters: { petId: 1 }, authentication: mine }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: A policy that is not there is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-policy-that-is-not-there-is-refused, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: mine } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/get/with/endpoint/authentication

  Scenario: A token as the policy itself
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-token-as-the-policy-itself, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { bearer: '${ .user.token }' } } }
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

  Scenario: A password of digits
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-password-of-digits, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/echo, authentication: { basic: { username: admin, password: 123 } } } }
          output: { as: .headers.authorization }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    Basic YWRtaW46MTIz
    """

  Scenario: An operation by an expression
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-operation-by-an-expression, version: '1.0.0' }
    do:
      - get:
          call: openapi
          with: { document: { endpoint: '${ .document }', name: pets }, operationId: '${ .operation }', parameters: { petId: '${ .id }' } }
    """
    And given the workflow input is:
    """yaml
    { document: https://petstore.swagger.io/v2/swagger.json, operation: getPetById, id: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: An OpenAPI document by a URI template
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-openapi-document-by-a-uri-template, version: '1.0.0' }
    do:
      - get:
          call: openapi
          with: { document: { endpoint: 'https://petstore.swagger.io/{version}/swagger.json' }, operationId: getPetById, parameters: { petId: 1 } }
    """
    And given the workflow input is:
    """yaml
    version: v2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: A redirection that is no error and leads nowhere is the answer
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-redirection-that-is-no-error-and-leads-nowhere-i, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: https://stub.example/status/304, redirect: true, output: response }
          output: { as: .statusCode }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    304
    """

  Scenario: A redirection without a place is an error unless the call says otherwise
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-redirection-without-a-place-is-an-error-unless-t, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: https://stub.example/status/304, redirect: false }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { status: 304, type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, instance: /do/0/get }
    """

  Scenario: Variables of a URI keep to their types
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: variables-of-a-uri-keep-to-their-types, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: 'https://stub.example/echo/{n}/{t}/{z}/{text}/{pet.id}' }
          output: { as: .path }
    """
    And given the workflow input is:
    """yaml
    { n: 1.5, t: true, z: null, text: x y, pet.id: 7, pet: { id: 8 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /echo/1.5/true//x%20y/7
    """

  Scenario: Variables of a URI are of the transformed input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: variables-of-a-uri-are-of-the-transformed-input, version: '1.0.0' }
    do:
      - get:
          input: { from: .pet }
          call: http
          with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/{id}' }
    """
    And given the workflow input is:
    """yaml
    pet: { id: 1 }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: A query beside that of the URI
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-query-beside-that-of-the-uri, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: 'https://stub.example/echo?x={a}&y=2', query: { z: '${ .a }', n: null } }
          output: { as: .query }
    """
    And given the workflow input is:
    """yaml
    a: p&q
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { x: p&q, y: '2', z: p&q }
    """

  Scenario: A head has no content
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-head-has-no-content, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: head, endpoint: https://stub.example/echo, output: response }
          output: { as: '{ statusCode, content }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { statusCode: 200, content: null }
    """

  Scenario: Empty content is null when raw
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: empty-content-is-null-when-raw, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: https://stub.example/empty, output: raw }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    null
    """

  Scenario: The whole response tells the request as the specification's example does
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-whole-response-tells-the-request, version: '1.0.0' }
    do:
      - send:
          call: http
          with: { method: POST, endpoint: 'https://stub.example/echo?a={id}', output: response, body: { b: 1 } }
          output: { as: '{ method: .request.method, uri: .request.uri, type: .request.headers["Content-Type"], answered: .headers["Content-Type"] }' }
    """
    And given the workflow input is:
    """yaml
    id: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { method: post, uri: 'https://stub.example/echo?a=7', type: application/json, answered: application/json }
    """
