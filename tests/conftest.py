"""Fixtures of all tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.platform import Platform, running_platform

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, which every process of a test would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all tests that do not break it; each deploys functions under names of its own."""
    with running_platform(tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a function's source."""
    return tmp_path
