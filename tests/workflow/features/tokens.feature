Feature: Tokens
  The forms of oauth2 and oidc that the specification shows.

  Scenario: An authority with the path of its token endpoint
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-authority-with-the-path-of-its-token-endpoint, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/fake-authority', endpoints: { token: /oauth2/token }, grant: client_credentials, client: { id: workflow-runtime, secret: '**********' }, scopes: [ api ], audiences: [ runtime ] } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: An authority by a URI template
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-authority-by-a-uri-template, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/{realm}', grant: client_credentials, client: { id: me, secret: s } } } } }
    """
    And given the workflow input is:
    """yaml
    realm: fake-authority
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: An authority of oauth2 that is a discovery document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-authority-of-oauth2-that-is-a-discovery-documen, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/fake-authority/.well-known/openid-configuration', grant: client_credentials, client: { id: me, secret: s } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: An authority of oidc that is a discovery document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-authority-of-oidc-that-is-a-discovery-document, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oidc: { authority: 'http://keycloak/realms/fake-authority/.well-known/openid-configuration', grant: client_credentials, client: { id: me, secret: s } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A user's token
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-user-s-token, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/fake-authority', grant: password, client: { id: me, secret: s }, username: ann, password: '${ .password }' } } } }
    """
    And given the workflow input is:
    """yaml
    password: p
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A client that authenticates in the header
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-client-that-authenticates-in-the-header, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/fake-authority', grant: client_credentials, client: { id: me, secret: s, authentication: client_secret_basic } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A request for a token in JSON
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-request-for-a-token-in-json, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/fake-authority', grant: client_credentials, request: { encoding: application/json }, client: { id: me, secret: s } } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A client that the authority refuses
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-client-that-the-authority-refuses, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { oauth2: { authority: 'http://keycloak/realms/fake-authority', grant: client_credentials, client: { id: me, secret: wrong } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/authentication, status: 401, instance: /do/0/get }
    """
