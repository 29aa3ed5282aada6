"""Messages of a stream, as JetStream delivers them."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Message(msgspec.Struct, frozen=True):
    """A message of a stream."""

    subject: str
    sequence: int
    headers: Mapping[str, str]
    data: bytes


class Place(NamedTuple):
    """Where a delivered message stands: its sequence in the stream, its number of those that its consumer delivered,
    when it was stored (epoch seconds), and how many follow."""

    sequence: int
    of_consumer: int
    stored: float
    pending: int


def place(reply: str) -> Place:
    """From a delivered message's reply subject (NATS ADR-15): ``$JS.ACK.``, with domains ``<domain>.<account>.``, then
    ``<stream>.<consumer>.<delivered>.<sequence>.<of consumer>.<time>.<pending>`` and perhaps more."""
    tokens = reply.split(".")
    at = 5 if len(tokens) == 9 else 7
    return Place(int(tokens[at]), int(tokens[at + 1]), int(tokens[at + 2]) / 1e9, int(tokens[at + 3]))


def message_of(headers: Mapping[str, str], data: bytes) -> Message:
    """A message as a direct get gives it."""
    return Message(headers["Nats-Subject"], int(headers["Nats-Sequence"]), headers, data)
