"""The quick NATS client against nats-py's own."""

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.common import bus
from services.common.natsclient import FastClient
from services.common.settings import Common

LINE = st.text(alphabet=st.sampled_from("aB-: \t\r\nä\x00\x85\xa0,;=."), max_size=12).map(lambda text: text.encode())


@given(st.lists(LINE | st.binary(max_size=8), max_size=5).map(b"\r\n".join))
@example(b"Faas-Id: a\r\nFaas-Id: b\r\n\r\n")
@example(b"A: 1\nB: 2\r\n")
@example(b"A : \xff\xfe \r\n: x\r\nC\r\n")
def test_it_reads_the_headers_that_nats_py_reads(raw: bytes) -> None:
    theirs = Client._parse_header_lines(raw)
    ours = FastClient._parse_header_lines(raw)
    assert ours.items() <= theirs.items()
    # left out: names that are no token and could not have been published by a client that checks
    assert all(not name.replace("-", "").replace(".", "").isalnum() for name in theirs.keys() - ours.keys())


class Wire(FastClient):
    """A client whose commands are kept in place of being sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self._status = Client.CONNECTED
        self._max_payload = 100
        self._flush_queue = asyncio.Queue()
        self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    async def _send_command(self, cmd: bytes, priority: bool = False) -> None:
        self.sent.append(bytes(cmd))


HEADERS = st.none() | st.dictionaries(
    st.sampled_from(["Faas-Id", "etag", "a b", "a:b", "", "ä", "X"]),
    st.text(alphabet=st.sampled_from("ab :\r\n\tä\x00"), max_size=6),
    max_size=3,
)


@given(st.binary(max_size=120), st.sampled_from(["", "_INBOX.x.1"]), HEADERS)
def test_it_sends_what_nats_py_sends(payload: bytes, reply: str, headers: dict[str, str] | None) -> None:
    async def both() -> tuple[Any, Any]:
        return await outcome(Client.publish), await outcome(FastClient.publish)

    async def outcome(publish: Any) -> Any:
        wire = Wire()
        try:
            await publish(wire, "faas.x", payload, reply, None if headers is None else dict(headers))
        except errors.Error as error:
            return type(error)
        return wire.sent[0]

    theirs, ours = asyncio.run(both())
    assert ours == theirs


def test_a_handler_is_called_at_once_and_its_failure_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    got: list[Msg] = []

    async def handle(message: Msg) -> None:
        got.append(message)
        if message.data == b"bad":
            raise ValueError("no good")

    async def scene() -> None:
        wire = Wire()
        subscription = await wire.subscribe("x.*", cb=handle)
        wire.deliver_at_once(subscription, handle)
        for data, headers in (
            (b"bad", b""),
            (b"1", b"NATS/1.0\r\nFaas-Id: 7\r\n\r\n"),
            (b"", b"NATS/1.0 503\r\n\r\n"),
        ):
            await wire._process_msg(subscription._id, b"x.1", b"r", data, headers)
        subscription._stop_processing()

    asyncio.run(scene())
    assert [(message.data, message.headers) for message in got] == [
        (b"bad", None), (b"1", {"Faas-Id": "7"}), (b"", {"Status": "503"}),
    ]  # fmt: skip
    assert (got[0].subject, got[0].reply) == ("x.1", "r")
    assert "could not be handled" in caplog.text


def test_waiting_for_a_bus_that_is_not_there_can_be_given_up_at_any_moment() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings = Common(nats_url=f"nats://127.0.0.1:{free.getsockname()[1]}")

    async def scene() -> None:
        for turns in range(60):  # wherever the attempt stands by then
            waiting = asyncio.create_task(bus.connect(settings, "test"))
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting}, timeout=45)
            assert waiting.cancelled()

    asyncio.run(scene())
