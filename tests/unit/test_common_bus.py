"""The quicker reader of message headers against nats-py's own."""

from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client

from services.common.bus import _Client

LINE = st.text(alphabet=st.sampled_from("aB-: \t\r\nä\x00\x85\xa0,;=."), max_size=12).map(lambda text: text.encode())


@given(st.lists(LINE | st.binary(max_size=8), max_size=5).map(b"\r\n".join))
@example(b"Faas-Id: a\r\nFaas-Id: b\r\n\r\n")
@example(b"A: 1\nB: 2\r\n")
@example(b"A : \xff\xfe \r\n: x\r\nC\r\n")
def test_it_reads_what_nats_py_reads(raw: bytes) -> None:
    theirs = Client._parse_header_lines(raw)
    ours = _Client._parse_header_lines(raw)
    assert ours.items() <= theirs.items()
    # left out: names that are no token and could not have been published by a client that checks
    assert all(not name.replace("-", "").replace(".", "").isalnum() for name in theirs.keys() - ours.keys())
