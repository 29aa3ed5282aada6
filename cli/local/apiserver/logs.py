"""`pods/log`: the request goes on to the kubelet that runs the Pod, over mutual TLS, and its answer streams back."""

import asyncio
import ssl
from typing import Any
from urllib.parse import quote, urlencode

import httptools

from cli.local.apiserver import errors
from cli.local.apiserver.address import Address
from cli.local.apiserver.config import Config
from cli.local.apiserver.http import Request
from cli.local.apiserver.store import Store

Json = dict[str, Any]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
_PASSED = ("follow", "previous", "sinceSeconds", "sinceTime", "tailLines", "timestamps", "limitBytes", "stream")
_CHUNK = 64 * 1024


class LogProxy:
    """Streams container logs from the kubelets' HTTPS endpoints (`Node.status.daemonEndpoints`)."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._context: ssl.SSLContext | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, request: Request, at: Address) -> None:
        """Answer a log request. Raises a StatusError while nothing has been sent: 400, 404, 500, 503."""
        if request.method != "GET":
            raise errors.method_not_allowed()
        pod = self._pod(at)
        container = _container(pod, request.query.get("container", ""))
        host, port = self._kubelet(pod)
        passed = {name: request.query[name] for name in _PASSED if request.query.get(name)}
        path = f"/containerLogs/{quote(at.namespace or '')}/{quote(at.name)}/{quote(container)}"
        target = f"{path}?{urlencode(passed)}" if passed else path
        reader, writer = await self._connect(host, port)
        self._connections.add(writer)
        try:
            head = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\nAccept: */*\r\n\r\n"
            writer.write(head.encode("ascii"))
            await writer.drain()
            await _relay(request, reader)
        finally:
            self._connections.discard(writer)
            writer.close()

    def close(self) -> None:
        """Cut the streams under way, so that a shutdown does not wait for followed logs."""
        for connection in tuple(self._connections):
            connection.close()

    def _pod(self, at: Address) -> Json:
        stored = self._store.get("pods", at.key)
        if stored is None:
            raise errors.not_found("", "pods", at.name)
        return stored.obj

    def _kubelet(self, pod: Json) -> tuple[str, int]:
        name = pod["metadata"]["name"]
        node_name = pod.get("spec", {}).get("nodeName")
        if not node_name:
            raise errors.bad_request(f"pod {name} does not have a host assigned")
        node = self._store.get("nodes", ("", node_name))
        if node is None:
            raise errors.not_found("", "nodes", node_name)
        status = node.obj.get("status", {})
        port = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port", 0)
        addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses", []))}
        host = addresses.get("InternalIP") or addresses.get("Hostname")
        if not host or not port:
            raise _unreachable(f"node {node_name} has not told the address of its kubelet yet")
        return host, port

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(host, port, ssl=self._tls(), limit=_CHUNK)
        except (OSError, TimeoutError) as error:
            raise _unreachable(f"the kubelet at {host}:{port} does not answer: {error or 'timed out'}") from None

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            config = self._config
            if config.kubelet_ca is None or config.kubelet_client_cert is None:
                raise _unreachable("this API server was started without --kubelet-ca: it cannot fetch logs")
            self._context = ssl.create_default_context(cafile=str(config.kubelet_ca))
            self._context.load_cert_chain(config.kubelet_client_cert, config.kubelet_client_key)
        return self._context


def _unreachable(why: str) -> errors.StatusError:
    # 500 as from the real one, not 503: kubectl would try that again ten times before it tells.
    return errors.StatusError(500, "InternalError", why)


def _container(pod: Json, wanted: str) -> str:
    """The container whose log is meant. Raises a 400 StatusError when it has to be named or does not exist."""
    name, spec = pod["metadata"]["name"], pod.get("spec", {})
    names = [c["name"] for f in ("initContainers", "containers", "ephemeralContainers") for c in spec.get(f, ())]
    main = [c["name"] for c in spec.get("containers", ())]
    if wanted:
        if wanted not in names:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) == 1 or (len(main) == 1 and len(names) == len(main)):
        return str(main[0])
    raise errors.bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]")


class _Answer:
    """What the HTTP parser has seen of the kubelet's answer."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.content_type = b"text/plain"
        self.started = False
        self.complete = False
        self.chunks: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.content_type = value

    def on_headers_complete(self) -> None:
        self.started = True

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        self.complete = True

    def take(self) -> bytes:
        body = b"".join(self.chunks)
        self.chunks.clear()
        return body


async def _relay(request: Request, reader: asyncio.StreamReader) -> None:
    answer = _Answer()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while not answer.started and await _feed(answer, reader):
                pass
    except (OSError, TimeoutError, httptools.HttpParserError) as error:
        raise _unreachable(f"the kubelet did not answer properly: {error or 'timed out'}") from None
    if not answer.started:
        raise _unreachable("the kubelet closed the connection without an answer")
    if answer.parser.get_status_code() != 200:
        await _refuse(answer, reader)
    headers = [(b"content-type", answer.content_type), (b"cache-control", b"no-cache, private")]
    await request.start(200, headers)
    await request.write(answer.take())
    async with asyncio.TaskGroup() as tasks:
        copying = tasks.create_task(_copy(request, reader, answer))
        leaving = tasks.create_task(_wait_for_disconnect(request))
        await asyncio.wait((copying, leaving), return_when=asyncio.FIRST_COMPLETED)
        copying.cancel()
        leaving.cancel()
    await request.write(b"", last=True)


async def _copy(request: Request, reader: asyncio.StreamReader, answer: _Answer) -> None:
    while not answer.complete and await _feed(answer, reader):
        await request.write(answer.take())


async def _feed(answer: _Answer, reader: asyncio.StreamReader) -> bool:
    """Parse what has arrived; False at the end of the connection, which also ends a body without a length."""
    data = await reader.read(_CHUNK)
    if data:
        answer.parser.feed_data(data)
    return bool(data)


async def _refuse(answer: _Answer, reader: asyncio.StreamReader) -> None:
    """Raise the kubelet's refusal as a StatusError."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while not answer.complete and await _feed(answer, reader):
            pass
    text = answer.take().decode("utf-8", "replace").strip()
    code = answer.parser.get_status_code()
    reasons = {400: "BadRequest", 404: "NotFound", 401: "Unauthorized", 403: "Forbidden"}
    raise errors.StatusError(code, reasons.get(code, "InternalError"), text or f"the kubelet answered {code}")


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
