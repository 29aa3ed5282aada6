"""`pods/log`: the request goes on to the kubelet that runs the Pod, over mutual TLS."""

from cli.local.apiserver import errors
from cli.local.apiserver.address import Address
from cli.local.apiserver.http import Request


class LogProxy:
    """Streams container logs from kubelets."""

    async def serve(self, request: Request, at: Address) -> None:
        raise errors.unavailable("logs are not available yet")
