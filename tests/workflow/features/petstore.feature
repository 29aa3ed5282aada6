Feature: The Pet Store
  What examples of the specification call, by HTTP and by its documents.

  Scenario: A pet by a function of the workflow with its parameters
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-by-a-function-of-the-workflow-with-its-param, version: '1.0.0' }
    use:
      functions:
        getPetById:
          input: { schema: { document: { type: object, properties: { petId: { type: integer } }, required: [ petId ] } } }
          call: http
          with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/{petId}' }
    do:
      - getPet: { call: getPetById, with: { petId: 69 } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 69, name: pet 69, status: available }
    """

  Scenario: A function of the workflow checks its parameters
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-of-the-workflow-checks-its-parameters, version: '1.0.0' }
    use:
      functions:
        getPetById:
          input: { schema: { document: { type: object, properties: { petId: { type: integer } }, required: [ petId ] } } }
          call: http
          with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/{petId}' }
    do:
      - getPet: { call: getPetById, with: { petId: many } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/validation, status: 400 }
    """

  Scenario: A function of the workflow without parameters is given the input
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-function-of-the-workflow-without-parameters-is-g, version: '1.0.0' }
    use:
      functions:
        getPet: { call: http, with: { method: get, endpoint: 'https://petstore.swagger.io/v2/pet/{petId}' }, output: { as: .name } }
    do:
      - ask: { call: getPet, output: { as: '{ name: . }' } }
    """
    And given the workflow input is:
    """yaml
    petId: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: milou
    """

  Scenario: A pet that is not there
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-that-is-not-there, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: get, endpoint: https://petstore.swagger.io/v2/pet/99999 } }
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    { type: https://open-workflow-specification.org/spec/1.0.0/errors/communication, status: 404, instance: /do/0/ask }
    """

  Scenario: A pet is added
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-is-added, version: '1.0.0' }
    do:
      - ask: { call: http, with: { method: post, endpoint: https://petstore.swagger.io/v2/pet, headers: { Content-Type: application/json }, body: { id: '${ .id }', name: rex, photoUrls: [], tags: [ { name: '${ .tag }' } ] } } }
    """
    And given the workflow input is:
    """yaml
    { id: 7, tag: dog }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 7, name: rex, photoUrls: [], tags: [ { name: dog } ] }
    """

  Scenario: A pet is changed by an operation with a body
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-is-changed-by-an-operation-with-a-body, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: updatePet, parameters: { body: { id: 1, name: milou } } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou }
    """

  Scenario: A pet is changed by an operation with a body of fields
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-is-changed-by-an-operation-with-a-body-of-fi, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: updatePet, parameters: { id: 1, name: milou } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou }
    """

  Scenario: A pet is changed by an operation with a form
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-is-changed-by-an-operation-with-a-form, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: updatePetWithForm, parameters: { petId: 2, name: max, status: sold } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 2, name: max, status: sold }
    """

  Scenario: A pet is deleted by an operation with a header
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-pet-is-deleted-by-an-operation-with-a-header, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: deletePet, parameters: { petId: 2, api_key: key } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { code: 200, type: unknown, message: '2' }
    """

  Scenario: Pets of several states
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: pets-of-several-states, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: findPetsByStatus, parameters: { status: [ available, pending ] } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [ { id: 1, name: milou, status: pending }, { id: 2, name: rex, status: available } ]
    """

  Scenario: An operation without parameters
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-operation-without-parameters, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getInventory }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { sold: 0, pending: 1, available: 1 }
    """

  Scenario: An operation of OpenAPI 3 whose server is relative to the document
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: an-operation-of-openapi-3-whose-server-is-relative, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore3.swagger.io/api/v3/openapi.json }, operationId: getPetById, parameters: { petId: '${ .petId }' } }
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

  Scenario: A body of OpenAPI 3 of a type among several
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: a-body-of-openapi-3-of-a-type-among-several, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore3.swagger.io/api/v3/openapi.json }, operationId: addPet, parameters: { name: rex } }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    name: rex
    """

  Scenario: The raw content of an operation
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-raw-content-of-an-operation, version: '1.0.0' }
    do:
      - ask:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: getPetById, parameters: { petId: 1 }, output: raw }
          output: { as: '@base64d | fromjson' }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { id: 1, name: milou, status: pending }
    """

  Scenario: The output of an operation is transformed with the input at hand
    Given a workflow with definition:
    """yaml
    document: { dsl: '1.0.3', namespace: default, name: the-output-of-an-operation-is-transformed-with-the, version: '1.0.0' }
    do:
      - getAvailablePets:
          call: openapi
          with: { document: { endpoint: https://petstore.swagger.io/v2/swagger.json }, operationId: findPetsByStatus, parameters: { status: available } }
          output: { as: '$input + { availablePets: [ .[] | select(.name == $input.order.name) | .id ] }' }
    """
    And given the workflow input is:
    """yaml
    order: { name: rex }
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    { order: { name: rex }, availablePets: [ 2 ] }
    """
