"""Makes the platform's Secrets in a cluster: ``python -m deploy.install``, run by the Job of deploy/base/install.yaml.

It may run again at any time: what exists is kept, what is missing is made. Settings come from the environment:
FAAS_NAMESPACE (the platform's), FAAS_TENANTS_FILE, FAAS_NATS_SERVERS, and FAAS_KUBECONFIG outside a Pod.
"""

import asyncio
import base64
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from deploy import credentials
from deploy.credentials import Installation, InvalidTenants
from services.common.kube import ApiError, KubeClient, retry_pause

ATTEMPTS = 10
"""How often an API server that is away, or another run that was quicker, is met before this one gives up."""


class InvalidEnvironment(ValueError):
    """A setting is missing or can't be used; the message names it."""


def settings(environ: Mapping[str, str]) -> Installation:
    """What is asked for. Raises InvalidEnvironment."""
    for name in ("FAAS_NAMESPACE", "FAAS_TENANTS_FILE"):
        if not environ.get(name):
            raise InvalidEnvironment(f"{name} is not set")
    servers = environ.get("FAAS_NATS_SERVERS", "1")
    if servers not in ("1", "3", "5"):
        raise InvalidEnvironment(f"FAAS_NATS_SERVERS={servers!r}: 1, 3 or 5 servers have a clear majority")
    file = Path(environ["FAAS_TENANTS_FILE"])
    try:
        tenants = credentials.read_tenants(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InvalidTenants) as error:
        raise InvalidEnvironment(f"FAAS_TENANTS_FILE={file}: {error}") from None
    return Installation(environ["FAAS_NAMESPACE"], int(servers), tenants)


async def install(client: KubeClient, wanted: Installation) -> list[str]:
    """Writes the Secrets that are missing or differ; returns a line for each. Raises ApiError."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _install_once(client, wanted)
        except ApiError as error:
            # 0: no answer; 409: somebody else wrote meanwhile, so the plan is made anew from what there is now
            if error.status not in (0, 409, 429, 500, 503, 504) or attempt == ATTEMPTS:
                raise
            print(f"trying again: {error}", file=sys.stderr)
            await retry_pause(attempt)
    raise AssertionError("the last attempt returns or raises")


async def _install_once(client: KubeClient, wanted: Installation) -> list[str]:
    collection = f"/api/v1/namespaces/{wanted.namespace}/secrets"
    found = {name: await _read(client, f"{collection}/{name}") for name in credentials.names(wanted)}
    existing = {name: _values(secret) for name, secret in found.items() if secret is not None}
    done = []
    # passwords come before the configuration made from them: a run that breaks off leaves none that nobody knows
    for name, values in credentials.plan(wanted, existing).items():
        secret = found[name]
        if secret is None:
            await client.create(collection, _manifest(name, values))
            done.append(f"created {name}")
        elif (merged := {**existing[name], **values}) != existing[name]:
            version = secret["metadata"]["resourceVersion"]
            await client.request("PUT", f"{collection}/{name}", body=_manifest(name, merged, version))
            done.append(f"updated {name}")
    return done


async def _read(client: KubeClient, path: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = msgspec.json.decode(await client.request("GET", path))
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    return answer


def _values(secret: Mapping[str, Any]) -> dict[str, str]:
    data = secret.get("data") or {}
    return {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()}


def _manifest(name: str, values: Mapping[str, str], version: str | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {"app.kubernetes.io/part-of": "faas"}}
    if version is not None:
        metadata["resourceVersion"] = version
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(values)}


async def _run(wanted: Installation) -> None:
    async with KubeClient(os.environ.get("FAAS_KUBECONFIG", "")) as client:
        for line in await install(client, wanted):
            print(line)
    print("installed")


def main() -> int:
    """The process; returns its exit code."""
    try:
        asyncio.run(_run(settings(os.environ)))
    except (InvalidEnvironment, ApiError) as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
