"""What an HTTP call of a workflow may send and is given at the most, and what is made of servers that mean no good."""

import asyncio
import gzip
import time
import zlib

import pytest

from tests.support.outside import Seen, answer, door, get, http, problem, raw, web


def test_a_request_that_is_too_large_is_not_sent() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []
        async with web(lambda seen: answer(1), requests) as url, door(max_request=100) as outside:
            kind, status, detail = problem(await http(outside, get(url, method="post", body="x" * 200)))
            assert (kind, status) == ("communication", 413)
            assert "202 bytes; 100 are allowed" in detail
        assert requests == []

    asyncio.run(scenario())


def test_an_answer_that_is_too_large_is_an_error_with_both_numbers() -> None:
    async def scenario() -> None:
        async with web(lambda seen: answer("x" * 2000)) as url, door(max_answer=1000) as outside:
            kind, status, detail = problem(await http(outside, get(url)))
            assert (kind, status) == ("communication", 502)
            assert "2002 bytes; 1000 are allowed" in detail

    asyncio.run(scenario())


async def _request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def test_a_body_without_end_is_cut_off() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    async def scenario() -> None:
        async with raw(endless) as address, door(max_answer=1 << 20) as outside:
            assert "more than 1048576 bytes" in problem(await http(outside, get(f"http://{address}/")))[2]

    asyncio.run(scenario())


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_a_decompression_bomb_is_cut_off_and_what_is_honest_is_read(encoding: str) -> None:
    def packed(content: bytes) -> bytes:
        if encoding == "gzip":
            return gzip.compress(content)
        made = zlib.compressobj(9, zlib.DEFLATED, 15 if encoding == "deflate" else -15)
        return made.compress(content) + made.flush()

    async def scenario() -> None:
        bomb, honest = packed(b"0" * (64 << 20)), packed(b'"fine"')
        headers = {"content-type": "application/json", "content-encoding": encoding.split()[-1]}
        handler = lambda seen: (200, headers, bomb if seen.path == "/bomb" else honest)  # noqa: E731
        async with web(handler) as url, door(max_answer=1 << 20) as outside:
            before = time.process_time()
            assert "more than 1048576 bytes" in problem(await http(outside, get(f"{url}/bomb")))[2]
            assert time.process_time() - before < 1.0, "the rest was expanded too"
            assert (await http(outside, get(f"{url}/honest"))).output == "fine"

    asyncio.run(scenario())


def test_compressed_members_and_what_is_not_what_it_says() -> None:
    async def scenario() -> None:
        bodies = {
            "/two": ("gzip", gzip.compress(b'"a') + gzip.compress(b'b"')),
            "/lies": ("gzip", b"not gzip"),
            "/other": ("br", b"x"),
        }
        handler = lambda seen: (200, {"content-encoding": bodies[seen.path][0]}, bodies[seen.path][1])  # noqa: E731
        async with web(handler) as url, door() as outside:
            assert (await http(outside, get(f"{url}/two"))).output == "ab"
            for path in ("/lies", "/other"):
                assert problem(await http(outside, get(url + path)))[:2] == ("communication", 502)

    asyncio.run(scenario())


def test_a_server_that_sends_a_byte_now_and_then_is_given_up() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async def scenario() -> None:
        async with raw(slow) as address, door(total=0.5) as outside:
            before = time.monotonic()
            kind, status, detail = problem(await http(outside, get(f"http://{address}/")))
            assert (kind, status, detail) == ("timeout", 408, "no answer within 0.5 s")
            assert time.monotonic() - before < 3

    asyncio.run(scenario())


def test_many_calls_at_once_wait_for_each_other_without_losing_their_time() -> None:
    async def scenario() -> None:
        under_way = most = 0

        async def one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal under_way, most
            await _request(reader)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.05)
            under_way -= 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
            await writer.drain()

        async with raw(one_by_one) as address, door(max_calls=4, total=1.0) as outside:
            async with asyncio.TaskGroup() as tasks:
                calls = [tasks.create_task(http(outside, get(f"http://{address}/"))) for _ in range(60)]
            assert [call.result().output for call in calls] == [1] * 60
        assert most <= 4

    asyncio.run(scenario())
