"""Workflow definitions for tests: the smallest one, and one that uses every part of the language that is supported."""

from pathlib import Path
from typing import Any

OPENWORKFLOW = Path(__file__).parents[2].with_name("shared") / "openworkflow"
"""The specification's schema, examples and conformance kit, beside the repository; tests that read it skip without."""


def definition(*tasks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A definition of these tasks, each ``{name: task}``, and other top-level fields."""
    document = {"dsl": "1.0.3", "namespace": "default", "name": "tested", "version": "0.1.0"}
    return {"document": document, "do": list(tasks), **fields}


EVERYTHING = """\
document:
  dsl: 1.0.3
  namespace: default
  name: everything
  version: 0.1.0-rc.1+b2
  title: Everything
  summary: Uses each part of the language once.
  tags: {team: a}
  metadata: {owner: {name: b}}
input:
  schema: {format: 'json:2020-12', document: {type: object, required: [order]}}
  from: .order
output:
  as: {result: '${ .total }'}
  schema: {resource: {name: total, endpoint: https://example.com/total.json}}
timeout: overall
evaluate: {language: jq, mode: strict}
schedule:
  every: {minutes: 5}
  cron: 0 0 * * *
  after: PT1H
  on: {all: [{with: {type: a.b, source: /x}, correlate: {id: {from: .data.id, expect: '42'}}}]}
  read: envelope
use:
  secrets: [api, store-login]
  timeouts: {overall: {after: {days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5}}}
  errors:
    tooLate:
      type: https://example.com/errors/late
      status: 409
      title: Late
      detail: ${ "by \\(.days)" }
      instance: /do/0
  retries:
    patient:
      when: .status == 503
      exceptWhen: .detail == "no"
      delay: {seconds: 1}
      backoff: {linear: {}}
      limit: {attempt: {count: 3, duration: PT10S}, duration: {minutes: 1}}
      jitter: {from: {milliseconds: 10}, to: PT0.5S}
  authentications:
    user: {basic: {username: u, password: '${ $secrets.api.password }'}}
    machine:
      oauth2:
        authority: https://login.example.com/{tenant}
        grant: client_credentials
        client: {id: i, secret: '${ $secrets.api.key }', assertion: a, authentication: client_secret_basic}
        request: {encoding: application/json}
        endpoints: {token: /t, revocation: /r, introspection: /i}
        issuers: [i]
        scopes: [s]
        audiences: [a]
        username: u
        password: p
        subject: {token: t, type: jwt}
        actor: {token: t, type: jwt}
    person: {oidc: {authority: https://login.example.com, grant: password, username: u, password: p}}
    stored: {digest: {use: store-login}}
  functions:
    charge:
      call: http
      with: {method: post, endpoint: https://example.com/charge}
do:
- first:
    if: ${ .go }
    input: {from: '${ {id} }', schema: {document: true}}
    output: {as: .body, schema: {document: {type: object}}}
    export: {as: {last: '${ . }'}, schema: {document: {}}}
    timeout: {after: PT5S}
    metadata: {cost: 1}
    call: http
    with:
      method: POST
      endpoint: {uri: 'https://example.com/{id}', authentication: {use: user}}
      headers: {Authorization: '${ "Bearer " + $secrets.api.token }', X-Trace: 'run ${ $workflow.id }'}
      query: {q: '${ .q }'}
      body: {order: '${ . }', note: 'for ${ .name } and ${ .other }', count: 3}
      output: response
      redirect: true
    then: stock
- stock:
    call: openapi
    with:
      document: {name: shop, endpoint: {uri: https://example.com/openapi.json, authentication: {bearer: {token: t}}}}
      operationId: getStock
      parameters: {sku: '${ .sku }'}
      authentication: {digest: {username: u, password: p}}
      output: raw
      redirect: false
- tell:
    call: asyncapi
    with:
      document: {endpoint: https://example.com/asyncapi.json}
      operation: tell
      server: {name: main, variables: {env: dev}}
      protocol: nats
      message: {payload: {a: '${ .a }'}, headers: {h: v}}
      authentication: {use: stored}
- hear:
    call: asyncapi
    with:
      document: {endpoint: https://example.com/asyncapi.json}
      channel: news
      subscription:
        filter: ${ .payload.ok }
        consume: {amount: 2, for: PT1M}
        foreach:
          item: message
          at: position
          do: [{keep: {set: {kept: '${ $message }'}}}]
          output: {as: .kept}
          export: {as: '$context + .'}
- charge:
    call: charge
    with: {amount: 3}
- ours:
    call: default/add
    with: {x: 1, y: '${ .y }'}
- steps:
    do:
    - inner: {set: '${ . + {a: 1} }', then: exit}
- announce:
    emit: {event: {with: {type: order.placed, source: /shop, subject: '${ .id }', data: {id: '${ .id }'}, region: eu}}}
- each:
    for: {each: line, in: .lines, at: i}
    while: .ok
    do: [{one: {wait: {milliseconds: 5}}}]
- literal:
    for: {in: [{n: 1}, {n: 2}]}
    do: []
- both:
    fork:
      compete: true
      branches:
      - left: {wait: PT1S, then: end}
      - right: {raise: {error: tooLate}}
- events:
    listen:
      to: {any: [{with: {type: 'order\\..*', data: '${ .n > 3 }'}}], until: {one: {with: {type: closed}}}}
      read: raw
    foreach: {item: event, do: [{log: {call: log, with: {event: '${ $event }'}}}]}
- more:
    listen: {to: {any: [], until: length > 3}}
- child:
    run:
      workflow: {namespace: default, name: other, version: latest, input: {a: '${ .a }'}}
      await: false
      return: none
- choose:
    switch:
    - cheap: {when: .price < 10, then: attempt}
    - dear: {when: '${ .price > 99 }', then: continue}
    - other: {then: exit}
    then: end
- attempt:
    try:
    - risky: {raise: {error: {type: /errors/risk, status: 500, detail: 'at ${ .x }', instance: '/do/1'}}}
    catch:
      errors:
        with:
          type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
          status: 408
          title: t
          detail: d
          instance: /i
      as: problem
      when: $problem.status > 400
      exceptWhen: .quiet
      retry: patient
      do: [{undo: {set: {undone: true}}}]
      then: choose
- again:
    try: []
    catch: {retry: {delay: PT1S, backoff: {exponential: {}}}}
"""
"""In YAML; valid, and valid by the specification's JSON schema too."""
