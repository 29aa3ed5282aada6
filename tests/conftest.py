"""Fixtures of all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.platform import Platform, running_platform

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, which every process of a test would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples are not timed: a busy machine takes longer than Hypothesis' 200 ms now and then. With CI in the environment
# they are the same in every run (Hypothesis' own profile), so that a change is not blamed for what it did not do.
settings.register_profile(
    "patient",
    parent=settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all tests that do not break it; each deploys functions under names of its own."""
    with running_platform(tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a function's source."""
    return tmp_path
