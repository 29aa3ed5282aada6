"""Log files: times, rotation, reading."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from cli.local.kubelet import logs
from cli.local.kubelet.logreader import InvalidQuery, LogQuery, parse_query, read_log
from cli.local.kubelet.logs import LineTimes, LogKeeper, last_lines


def read(path: Path, keeper: LogKeeper | None = None, **query: object) -> bytes:
    async def collect() -> bytes:
        keep = keeper or LogKeeper()
        wanted = LogQuery(**query)  # type: ignore[arg-type]
        return b"".join([part async for part in read_log(path, wanted, lambda: keep.observe(path), lambda: True)])

    return asyncio.run(collect())


def append(path: Path, text: bytes, when: float) -> None:
    with path.open("ab") as file:
        file.write(text)
    os.utime(path, (when, when))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0.log"


def test_lines_bear_the_time_at_which_they_were_seen(path: Path) -> None:
    keeper = LogKeeper()
    for number, when in enumerate((1000.0, 1001.5, 1003.0)):
        append(path, f"line {number}\n".encode(), when)
        keeper.observe(path)
        keeper.observe(path)
    expected = [b"1970-01-01T00:16:40.000000000Z line 0", b"1970-01-01T00:16:41.500000000Z line 1"]
    assert read(path, keeper, timestamps=True).splitlines()[:2] == expected
    assert read(path, keeper, since=1001.5) == b"line 1\nline 2\n"


def test_times_outlive_the_kubelet(path: Path) -> None:
    append(path, b"one\n", 1000.0)
    LogKeeper().observe(path)
    append(path, b"two\n", 2000.0)
    LogKeeper().observe(path)
    times = LineTimes(path)
    assert [times.at(offset) for offset in (0, 3, 4, 7, 8)] == [1000.0, 1000.0, 2000.0, 2000.0, None]


def test_a_note_cut_short_is_ignored(path: Path) -> None:
    append(path, b"one\n", 1000.0)
    LogKeeper().observe(path)
    with path.with_name("0.log.times").open("ab") as file:
        file.write(b"\1\2\3")
    assert LineTimes(path).at(0) == 1000.0


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, b""), (1, b"c"), (2, b"b\r\nc"), (3, b"a\nb\r\nc"), (9, b"a\nb\r\nc")],
)
def test_tail_of_a_file_without_a_last_newline(path: Path, lines: int, expected: bytes) -> None:
    append(path, b"a\nb\r\nc", 1000.0)
    assert read(path, tail_lines=lines) == expected


def test_tail_over_many_blocks(path: Path) -> None:
    content = [f"{number:06d}{'x' * (number % 97)}\n".encode() for number in range(20_000)]
    append(path, b"".join(content), 1000.0)
    assert read(path, tail_lines=5000) == b"".join(content[-5000:])
    assert read(path) == b"".join(content)


def test_a_carriage_return_ends_no_line(path: Path) -> None:
    append(path, b"10%\r20%\r30%\nnext", 1000.0)
    found = read(path, timestamps=True)
    assert found.count(b"1970-01-01T00:16:40") == 2


def test_limit_bytes(path: Path) -> None:
    append(path, b"0123456789\n" * 10, 1000.0)
    assert read(path, limit_bytes=15) == b"0123456789\n0123"


def test_rotation_frees_the_disk_and_keeps_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATE_BYTES", 256 * 1024)
    keeper, number = LogKeeper(), 0
    with path.open("ab", buffering=0) as writer:
        while number < 40_000:
            writer.write(b"".join(f"line {number + i:09d}\n".encode() for i in range(500)))
            number += 500
            keeper.observe(path)
    assert path.stat().st_blocks * 512 <= 2 * 256 * 1024 + 16 * 1024
    found = read(path, keeper).splitlines()
    assert found[-1] == b"line 000039999"
    first = int(found[0].split()[1])
    assert found == [f"line {each:09d}".encode() for each in range(first, 40_000)]
    assert len(found) * 15 >= 256 * 1024 - 8192
    assert read(path, keeper, tail_lines=3).splitlines() == found[-3:]


def test_a_file_cut_to_nothing_begins_anew(path: Path) -> None:
    keeper = LogKeeper()
    append(path, b"old\n" * 10, 1000.0)
    keeper.observe(path)
    os.truncate(path, 0)
    append(path, b"new\n", 2000.0)
    keeper.observe(path)
    assert read(path, keeper, since=1500.0) == b"new\n"


def test_follow_sees_what_is_written_until_the_end(path: Path) -> None:
    append(path, b"first\n", time.time())

    async def follow() -> list[bytes]:
        over, parts = [False], []
        keeper = LogKeeper()
        async for part in read_log(path, LogQuery(follow=True), lambda: keeper.observe(path), lambda: over[0]):
            parts.append(part)
            if not over[0]:
                append(path, b"second\nunfinished", time.time())
                over[0] = True
        return parts

    assert b"".join(asyncio.run(follow())) == b"first\nsecond\nunfinished"


def test_last_lines_are_bounded(path: Path) -> None:
    append(path, b"".join(f"line {number}\n".encode() for number in range(1000)), 1000.0)
    found = last_lines(path)
    assert found.endswith("line 998\nline 999\n")
    assert len(found) <= 2048
    assert found.startswith("line ")
    assert len(found.splitlines()) <= 80
    assert last_lines(path.with_name("none")) == ""


def test_queries() -> None:
    parameters = {"follow": "true", "tailLines": "5", "sinceSeconds": "10", "timestamps": "1", "limitBytes": "7"}
    assert parse_query(parameters, now=100.0) == LogQuery(
        follow=True, timestamps=True, tail_lines=5, since=90.0, limit_bytes=7
    )
    assert parse_query({"sinceTime": "1970-01-01T00:00:05Z"}, now=100.0).since == pytest.approx(5.0, abs=2e-6)
    assert parse_query({"previous": "true"}, now=0.0).previous is True


@pytest.mark.parametrize("bad", [{"tailLines": "-1"}, {"limitBytes": "x"}, {"sinceTime": "yesterday"}])
def test_bad_queries_name_the_parameter(bad: dict[str, str]) -> None:
    with pytest.raises(InvalidQuery, match=next(iter(bad))):
        parse_query(bad, now=0.0)
