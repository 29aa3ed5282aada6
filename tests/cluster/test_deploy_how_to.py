"""The commands of docs/how-to-cluster.md on a node, as a reader would type them.

Not run: `docker build` and `docker push`, since there is neither Docker nor a registry; the node is given the images
under the names that the page gives them. The commands of "Uninstall" are run by `Deployed.uninstall` before the tests
of the overlay for production, those of "Upgrade" by `test_deploy_upgrade.py`. Of the two choices in the page's overlay
`mine` the second is taken, `../single`.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.deployed import HOW_TO, ROOT, SYSTEM, Deployed, commands
from tests.cluster.platform_images import platform_image, python_image

pytestmark = pytest.mark.timeout(600)
SECTIONS = ("Install", "Use it from your machine", "Let others in", "Close functions off", "Workflows")
REGISTRY = "registry.example"
OVERLAY = re.compile(r"^```yaml\n# deploy/overlays/mine/kustomization.yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def checkout(platform: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with `deploy/`, the page's own overlay in it, and `examples/`; the images are on the node."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    (folder / "examples").symlink_to(ROOT / "examples")
    (document,) = OVERLAY.findall(HOW_TO.read_text())
    assert "- ../production          # or ../single\n" in document
    mine = folder / "deploy/overlays/mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(document.replace("../production ", "../single "))
    for image in (platform_image(), python_image()):
        platform.node.load(replace(image, name=image.name.replace("localhost", REGISTRY)))
    return folder


def test_the_commands_of_the_page(platform: Deployed, checkout: Path) -> None:
    # the node has the platform already, with other names of images, and a Job can't be changed
    platform.kubectl("delete", "job", "-n", SYSTEM, "-l", "app.kubernetes.io/name=install", check=True)
    platform.kubectl("create", "namespace", "shop", check=True)
    said = platform.follow(commands(*SECTIONS), checkout)
    assert said.count("execute function success, result: 7\n") == 2
    for part in ("statefulset/nats", "deployment/gateway"):
        platform.kubectl("rollout", "status", "-n", SYSTEM, part, "--timeout=120s", check=True)
    images = {
        container["image"] for name in ("gateway", "scaler") for pod in platform.service_pods(name)
        for container in pod["spec"]["containers"]
    }  # fmt: skip
    assert images == {f"{REGISTRY}/faas-platform:0.1.0"}
    column = "jsonpath={.items[*].spec.template.spec.containers[*].image}"
    sets = platform.kubectl("get", "rs", "-l", "faas.dev/function=add", "-o", column, check=True)
    assert sets.out == f"{REGISTRY}/faas-python:0.1.0"
    platform.kubectl("delete", "fn", "add", check=True)
    platform.kubectl("delete", "namespace", "shop", check=True)


def test_every_command_of_the_page_has_its_test() -> None:
    """A section that is new is named above or in the text of this file."""
    headings = re.findall(r"^## (.*)$", HOW_TO.read_text(), re.MULTILINE)
    with_commands = {heading for heading in headings if commands(heading)}
    assert with_commands == {"Build the images", *SECTIONS, "Upgrade", "Uninstall"}
    assert all(line.startswith("docker ") for line in commands("Build the images").splitlines())
