"""Fixtures of the tests against real Kubernetes: `pytest tests/cluster` or `make test-cluster`.

A plain `pytest` leaves this folder out: the first run compiles Kubernetes, which takes minutes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.build import BuildError, kube_program
from tests.cluster.controlplane import ControlPlane
from tests.cluster.deployed import Deployed, prepare
from tests.cluster.node import Node, why_not_here
from tests.cluster.rootfs import debian

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return None if any(path == HERE or HERE in path.parents for path in named) else True


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compiles and downloads before the first test, whose time limit is not made for that."""
    if any(HERE in item.path.parents for item in session.items) and not session.config.option.collectonly:
        try:
            kube_program()
            if not why_not_here():
                debian()
                prepare()
        except BuildError as error:
            pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A whole control plane, shared by all tests: use names of your own."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A whole node, shared by all tests; a test enters `node.network()` to reach it."""
    if reason := why_not_here():
        pytest.skip(reason)
    node = Node(tmp_path_factory.mktemp("whole-node"))
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def deployed(node: Node) -> Iterator[Deployed]:
    """The platform on the node, installed once."""
    with node.network():
        deployed = Deployed(node)
        deployed.load_images()
        deployed.install()
    yield deployed
    deployed.api.close()


@pytest.fixture(scope="module")
def platform(deployed: Deployed) -> Iterator[Deployed]:
    """The same for a module whose tests run in the node's network."""
    with deployed.node.network():
        yield deployed
