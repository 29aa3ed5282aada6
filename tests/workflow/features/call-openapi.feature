Feature: Call OpenAPI
  Operations of documents.

  Scenario: A query parameter of Swagger 2.0
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-query-parameter-of-swagger-2-0, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: findPetsByStatus, parameters: { status: available } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { id: 2, name: rex, status: available } ]
    """

  Scenario: A path parameter of Swagger 2.0
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-path-parameter-of-swagger-2-0, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getPetById, parameters: { petId: '${ .id }' } } }
    """
    And given the workflow input is:
    """yaml
    id: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: A body of Swagger 2.0
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-body-of-swagger-2-0, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: addPet, parameters: { body: { name: rex } } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: rex
    """

  Scenario: Parameters of OpenAPI 3
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: parameters-of-openapi-3, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://stub.example/openapi.json }, operationId: getThing, parameters: { id: 7, verbose: true, X-Trace: t } } }
    output: { as: '{ method, path, query, trace: .headers["x-trace"] }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { method: GET, path: /echo/things/7, query: { verbose: 'true' }, trace: t }
    """

  Scenario: A request body of OpenAPI 3
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-request-body-of-openapi-3, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://stub.example/openapi.json }, operationId: putThing, parameters: { id: 7, body: { name: n } } } }
    output: { as: '{ method, body }' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { method: PUT, body: { name: n } }
    """

  Scenario: Fields that are no parameters are the body
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: fields-that-are-no-parameters-are-the-body, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://stub.example/openapi.json }, operationId: putThing, parameters: { id: 7, name: n } } }
    output: { as: .body }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: n
    """

  Scenario: The whole response
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-whole-response, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getPetById, parameters: { petId: 1 }, output: response } }
    """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'statusCode' property with value:
    """yaml
    200
    """
    And the workflow output should have a 'content' property

  Scenario: An answer that is an error
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-answer-that-is-an-error, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getPetById, parameters: { petId: 99 } } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404, instance: /do/0/call }
    """

  Scenario: An operation that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-operation-that-is-not-there, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: nothing, parameters: {} } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration, status: 400 }
    """

  Scenario: A parameter that is missing
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-parameter-that-is-missing, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getPetById, parameters: {} } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration, status: 400 }
    """

  Scenario: A document that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-document-that-is-not-there, version: '1.0.0' }
    do:
      - call: { call: openapi, with: { document: { endpoint: https://stub.example/nothing }, operationId: x, parameters: {} } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404 }
    """
