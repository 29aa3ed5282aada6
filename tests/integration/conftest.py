"""What tests of many parts begin with; a module that wants another one has a fixture of the same name."""

from collections.abc import Iterator

import pytest

from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.bus import Bus, running_bus


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """One nats-server for the tests of a module."""
    with running_bus(tmp_path_factory.mktemp("bus")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server for the tests of a module."""
    with running_apiserver(tmp_path_factory.mktemp("api")) as running:
        yield running
