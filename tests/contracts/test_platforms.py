"""Nothing in the services knows which platform it runs on: settings tell them, the same ones on every platform."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from cli.local.layout import Layout, Ports
from cli.local.topology import ProcessSpec, processes
from services.common.settings import Common

ROOT = Path(__file__).parents[2]
SERVICES = sorted(file.parent.name for file in (ROOT / "services").glob("*/config.py"))
READS_ENVIRONMENT = {
    "services/common/service.py",  # the settings
    "services/workflow/worker/process.py",  # what a child process needs of it, such as PATH
}
ASKS_FOR_THE_MACHINE = re.compile(r"\b(?:sys\.platform|os\.uname|os\.getenv|platform\.(?:node|system|machine|uname))$")
OF_ONE_PLATFORM = re.compile(
    r"KUBERNETES_|/var/run/secrets|faas-system|\.svc\b|\.faas/|sqlite|kubelet|forkserver|faas-process|containerd|"
    r"docker|minikube|127\.64\.|level ?1|one[- ]machine",
    re.IGNORECASE,
)
"""What would tell one platform from another."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted((ROOT / "services").rglob("*.py")):
        yield str(file.relative_to(ROOT)), ast.parse(file.read_text())


def strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Those that the code uses; documentation may say what it likes."""
    prose = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def test_services_learn_of_their_surroundings_by_settings_alone() -> None:
    asking, reading, telling = set(), set(), []
    for path, module in modules():
        attributes = {ast.unparse(node) for node in ast.walk(module) if isinstance(node, ast.Attribute)}
        asking |= {f"{path}: {each}" for each in attributes if ASKS_FOR_THE_MACHINE.search(each)}
        reading |= {path} if "os.environ" in attributes else set()
        telling += [f"{path}:{line}: {text}" for line, text in strings(module) if OF_ONE_PLATFORM.search(text)]
    assert asking == set()
    assert reading == READS_ENVIRONMENT
    assert telling == []


def on_one_machine(service: str) -> ProcessSpec:
    specs = processes(Layout(Path("/somewhere")), Ports(1, 2, 3, 4, 5, 6), {"PATH": "/bin"})
    return next(spec for spec in specs if spec.name == service)


def in_a_cluster(service: str) -> dict[str, list[str]]:
    """What the overlays' containers of a service are given: `args`, and the names of `env`."""
    found: dict[str, list[str]] = {"args": [], "env": []}
    for file in [ROOT / "deploy/base/service.yaml", *(ROOT / "deploy").rglob(f"{service}.yaml")]:
        for document in yaml.safe_load_all(file.read_text()):
            if document["kind"] == "Deployment":
                for container in document["spec"]["template"]["spec"].get("containers", []):
                    found["args"] += container.get("args", [])
                    found["env"] += [variable["name"] for variable in container.get("env", [])]
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_platform_runs_the_same_program_with_settings_that_it_has(service: str) -> None:
    """A name that is no setting would be ignored, and one that only a platform knows has to be one to be of use."""
    config = vars(importlib.import_module(f"services.{service}.config")).values()
    (settings,) = [each for each in config if isinstance(each, type) and issubclass(each, Common) and each != Common]
    known = {f"FAAS_{field.name.upper()}" for field in msgspec.structs.fields(settings)}
    local, cluster = on_one_machine(service), in_a_cluster(service)
    assert local.argv[1:] == ("-m", f"services.{service}")
    assert cluster["args"] == [f"services.{service}"]
    assert "FAAS_NATS_URL" in cluster["env"]
    given = {name for name in [*local.env, *cluster["env"]] if name.startswith("FAAS_")}
    assert given - known == set()
