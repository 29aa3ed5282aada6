Feature: Secrets
  Values that go out in calls and nowhere else.

  Scenario: A secret in a header
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-in-a-header, version: '1.0.0' }
    use: { secrets: [ shop ] }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/bearer, headers: { Authorization: 'Bearer ${ $secrets.shop.token }' } } }
    """
    And given the secret 'shop' is:
    """yaml
    token: t0k3n
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A secret as authentication
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-as-authentication, version: '1.0.0' }
    use: { secrets: [ shop ] }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: { basic: { use: shop } } } } }
    """
    And given the secret 'shop' is:
    """yaml
    { username: user, password: secret }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A secret as OAuth 2 policy
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-as-oauth-2-policy, version: '1.0.0' }
    use: { secrets: [ login ], authentications: { mine: { oauth2: { use: login } } } }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: https://stub.example/bearer, authentication: { use: mine } } } }
    """
    And given the secret 'login' is:
    """yaml
    { authority: 'https://stub.example', grant: client_credentials, client.id: me, client.secret: client-secret }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    authenticated: true
    """

  Scenario: A secret that is not there is an authorization error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-that-is-not-there-is-an-authorization-err, version: '1.0.0' }
    use: { secrets: [ shop ] }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/echo, headers: { X: '${ $secrets.shop.token }' } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization, status: 403 }
    """

  Scenario: A secret that a policy wants and that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-that-a-policy-wants-and-that-is-not-there, version: '1.0.0' }
    use: { secrets: [ shop ] }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: { basic: { use: shop } } } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization, status: 403 }
    """

  Scenario: The request is not shown when it may have a secret
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-request-is-not-shown-when-it-may-have-a-secret, version: '1.0.0' }
    use: { secrets: [ shop ] }
    do:
      - get: { call: http, with: { method: get, endpoint: https://stub.example/text, query: { k: '${ $secrets.shop.token }' }, headers: { X-Key: '${ $secrets.shop.token }' }, output: response } }
    """
    And given the secret 'shop' is:
    """yaml
    token: t0k3n
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should not have a 'request.headers.X-Key' property
    And the workflow output should not have a 'request.headers.Authorization' property
    And the workflow output should have a 'request.headers.User-Agent' property

  Scenario: A secret where it would be recorded is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-where-it-would-be-recorded-is-refused, version: '1.0.0' }
    use: { secrets: [ shop ] }
    do:
      - keep: { set: { key: '${ $secrets.shop.token }' } }
    """
    When the workflow is executed
    Then the workflow should be refused at /do/0/keep/set/key

  Scenario: A secret that is not listed is refused
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-secret-that-is-not-listed-is-refused, version: '1.0.0' }
    do:
      - get: { call: http, with: { method: get, endpoint: { uri: https://stub.example/basic, authentication: { basic: { use: shop } } } } }
    """
    When the workflow is executed
    Then the workflow should be refused
