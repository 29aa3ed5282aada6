"""``faas up``, ``down`` and ``status``: twice, side by side, after a lost supervisor, and where they cannot work."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.local.processes import start_time
from tests.support.patience import PATIENCE
from tests.support.platform import FAAS, Finished, Platform, on_level1, run, running_platform
from tests.support.source import write

pytestmark = pytest.mark.skipif(on_level1(), reason="these verbs are those of the one-machine platform")
ANY_PORTS = ("--gateway-port", "0", "--nats-port", "0")


def faas(verb: str, directory: Path, *options: str) -> Finished:
    return run(FAAS, verb, "--dir", str(directory), *options, timeout=200)


def test_up_again_changes_nothing_and_says_so(platform: Platform) -> None:
    before = platform.status()
    done = faas("up", platform.directory, "--detach", *ANY_PORTS)
    assert done.code == 0
    assert done.out.startswith("faas was up already\n")
    assert platform.gateway in done.out
    assert platform.status() == before


def test_up_again_with_another_port_says_that_it_was_not_taken(platform: Platform) -> None:
    done = faas("up", platform.directory, "--detach", "--gateway-port", "1", "--nats-port", "0")
    assert done.code == 0
    assert done.err == "--gateway-port 1 was not taken: faas down, then faas up, moves it there\n\n"


def test_the_way_to_a_platform_in_another_directory_is_said(platform: Platform, tmp_path: Path) -> None:
    quoted = shlex.quote(str(platform.directory))
    up = ("up", "--detach", "--dir", str(platform.directory))
    assert f"export FAAS_DIR={quoted}\n" in run(FAAS, *up, timeout=200, env={"FAAS_DIR": str(tmp_path)}).out
    assert "export FAAS_DIR" not in run(FAAS, *up, timeout=200, env={"FAAS_DIR": str(platform.directory)}).out
    assert faas("status", tmp_path / "a b").out.endswith(f"faas up --dir {shlex.quote(str(tmp_path / 'a b'))}\n")


def test_status_has_what_programs_need(platform: Platform) -> None:
    status = platform.status()
    assert status["running"]
    assert status["supervised"]
    assert status["gateway"].startswith("http://127.0.0.1:")
    assert status["nats"].startswith("nats://caller-default:")
    assert Path(status["kubeconfig"]).stat().st_mode & 0o077 == 0
    names = {process["name"] for process in status["processes"]}
    assert names == {
        "supervisor",
        "nats",
        "apiserver",
        "controllers",
        "kubelet",
        "gateway",
        "router",
        "scaler",
        "workflow",
    }
    assert all(Path(f"/proc/{process['pid']}").exists() for process in status["processes"])


def test_two_platforms_live_side_by_side(platform: Platform, tmp_path: Path) -> None:
    with running_platform(tmp_path / "second") as second:
        assert second.gateway != platform.gateway
        folder = write(tmp_path / "only-here", "def handle(event):\n    return event\n")
        second.faas("deploy", str(folder), check=True)
        assert second.faas("execute", "default/only-here", "1", "--wait", "--raw", check=True).out == "1"
        assert platform.faas("execute", "default/only-here", "1").code == 3
        pids = [process["pid"] for process in second.status()["processes"]]
    assert platform.status()["running"]
    assert [pid for pid in pids if start_time(pid) is not None] == []  # a zombie waits for its parent, which may be any
    done = faas("down", second.directory)
    assert (done.code, done.out) == (0, f"nothing was running in {second.directory}\n")
    assert faas("status", second.directory).code == 4
    # its addresses and functions are there again
    done = faas("up", second.directory, "--detach", *ANY_PORTS)
    try:
        assert f"gateway     {second.gateway}\n" in done.out
        assert second.faas("execute", "default/only-here", "2", "--wait", "--raw", check=True).out == "2"
        _lose_supervisor(second)
        assert not second.status()["supervised"]
        assert faas("up", second.directory, "--detach", *ANY_PORTS).out.startswith("faas is up\n")
        assert second.status()["supervised"]
        _lose_supervisor(second)
    finally:
        done = faas("down", second.directory)
    assert (done.code, done.out) == (0, "faas is down\n")


def _lose_supervisor(platform: Platform) -> None:
    pid = platform.pid("supervisor")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while any(process["pid"] == pid for process in platform.status()["processes"]):
        assert time.monotonic() < deadline


def test_in_the_foreground_it_stays_until_ctrl_c(tmp_path: Path) -> None:
    command = [FAAS, "up", "--dir", str(tmp_path / "shown"), *ANY_PORTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as shown:
        assert shown.stdout is not None
        lines = []
        while not lines or "Ctrl-C stops it" not in lines[-1]:
            lines.append(shown.stdout.readline())
            assert lines[-1], lines
        said = "".join(lines)
        assert all(words in said for words in ("gateway", "nats://caller-default:", "kubeconfig", "faas deploy"))
        os.killpg(shown.pid, signal.SIGINT)  # as a terminal does
        assert shown.wait(100) == 0
    assert faas("status", tmp_path / "shown").code == 4


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory, why in ((tmp_path / "file", "File exists"), (tmp_path / "file" / "below", "Not a directory")):
        done = faas("up", directory, "--detach", *ANY_PORTS)
        assert done.code == 1
        assert done.err.startswith(f"error: the platform's directory {directory} cannot be used: ")
        assert why in done.err
        assert "--dir" in done.err


def test_a_directory_without_room_is_named(tmp_path: Path) -> None:
    # a limit on the size of files stands for the full disk, which a test without root cannot have
    no_room = "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    limited = f"import os, resource, sys; {no_room}; os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", limited, FAAS, "up", "--detach", "--dir", str(tmp_path / "full"), *ANY_PORTS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert f"error: the platform's directory {tmp_path / 'full'} cannot be used: " in done.stderr
    status = json.loads(run(FAAS, "status", "--dir", str(tmp_path / "full"), "-o", "json", timeout=100).out)
    assert (status["running"], status["processes"]) == (False, [])


def test_nothing_listens_beyond_loopback(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "listener", "def handle(event):\n    return event\n")
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    listening = _listening(_tree([process["pid"] for process in platform.status()["processes"]]))
    assert len(listening) >= 7  # nats, API server, kubelet, three services, a Pod
    assert {address for address in listening if not address.startswith("127.")} == set()
    platform.faas("delete", "listener", check=True)


def _tree(roots: list[int]) -> set[int]:
    """The processes with one of ``roots`` above them, these included."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _listening(pids: set[int]) -> list[str]:
    """The addresses on which these processes listen for TCP (proc(5): state 0A; an address is hexadecimal)."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            sockets |= {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    addresses = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                words = bytes.fromhex(fields[1].split(":")[0])
                packed = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
                addresses.append(socket.inet_ntop(family, packed))
    return addresses
