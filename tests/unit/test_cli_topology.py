"""The platform's processes on one machine: what they get of the user's environment."""

from pathlib import Path

from cli.local.layout import Layout, Ports
from cli.local.topology import processes


def environment(name: str, environ: dict[str, str]) -> dict[str, str]:
    specs = processes(Layout(Path("/somewhere")), Ports(1, 2, 3, 4, 5, 6), environ)
    return next(spec.env for spec in specs if spec.name == name)


def test_nats_server_runs_on_one_processor_unless_the_user_says_otherwise() -> None:
    assert environment("nats", {"PATH": "/bin"})["GOMAXPROCS"] == "1"
    assert environment("nats", {"PATH": "/bin", "GOMAXPROCS": "4"})["GOMAXPROCS"] == "4"


def test_nothing_else_of_the_users_environment_leaks() -> None:
    environ = {"PATH": "/bin", "GOMAXPROCS": "4", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONPATH": "/evil"}
    for name in ("nats", "gateway", "kubelet", "router"):
        assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & environment(name, environ).keys()
    assert "GOMAXPROCS" not in environment("router", environ)


def test_workflows_may_call_what_the_user_lists() -> None:
    assert environment("workflow", {"PATH": "/bin"})["FAAS_ALLOWED_ADDRESSES"] == ""
    listed = {"PATH": "/bin", "FAAS_ALLOWED_ADDRESSES": "10.0.0.0/8"}
    assert environment("workflow", listed)["FAAS_ALLOWED_ADDRESSES"] == "10.0.0.0/8"
    assert "FAAS_ALLOWED_ADDRESSES" not in environment("gateway", listed)
