"""Marks, process trees, memory, addresses, volumes: on this machine's real /proc and file system."""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.local.kubelet import addresses, procfs, store
from cli.local.kubelet.addresses import NoAddress, free_address
from cli.local.kubelet.environment import MissingReference, Sources
from cli.local.kubelet.memory import MemoryWatch
from cli.local.kubelet.processes import ExitStatus, Process, StartError, spawn
from cli.local.kubelet.record import ContainerRecord, PodRecord
from cli.local.kubelet.resources import decode_pod
from cli.local.kubelet.volumes import PodPaths, mount
from cli.local.processes import start_time
from tests.support.patience import eventually

PATH = {"PATH": os.environ["PATH"]}
PYTHON = [sys.executable, "-S", "-c"]


def start(tmp_path: Path, script: str, mark: int) -> Process:
    return spawn([*PYTHON, script], PATH, tmp_path, tmp_path / "log", mark)


def wait_for(path: Path) -> str:
    return eventually(lambda: path.read_text() if path.exists() else "", f"{path} is written")


@pytest.fixture
def mark() -> int:
    return procfs.mark_of(f"test-{os.getpid()}-{time.monotonic_ns()}", "main")


def test_a_process_bears_its_mark_and_this_one_does_not(tmp_path: Path, mark: int) -> None:
    before = resource.getrlimit(procfs.RLIMIT_LOCKS)
    process = start(tmp_path, "import time; time.sleep(60)", mark)
    assert resource.getrlimit(procfs.RLIMIT_LOCKS) == before
    assert procfs.read_mark(process.pid) == mark
    assert procfs.marked({mark}) == [process.pid]
    assert procfs.leader(mark) == process.pid
    assert procfs.alive(process.pid, process.started)
    assert not procfs.alive(process.pid, process.started + 1)
    assert procfs.kill_marked(mark) == 1
    assert asyncio.run(process.wait()) == ExitStatus(0, 9)
    process.close()
    assert not procfs.alive(process.pid, process.started)


def test_a_process_whose_first_thread_has_ended_still_runs_and_is_killed(tmp_path: Path, mark: int) -> None:
    script = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
    process = start(tmp_path, script, mark)
    wait_for(tmp_path / "log")
    state = Path(f"/proc/{process.pid}/stat")
    eventually(lambda: state.read_text().rpartition(")")[2].split()[0] == "Z", "its first thread has ended")
    assert procfs.alive(process.pid, process.started)
    assert start_time(process.pid) is not None
    assert procfs.kill_marked(mark) == 1
    assert not procfs.alive(process.pid, process.started)
    assert asyncio.run(process.wait()) == ExitStatus(0, 9)
    process.close()


def test_the_mark_survives_double_fork_setsid_exec_and_a_cleared_environment(tmp_path: Path, mark: int) -> None:
    script = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("pid.new", "w").write(str(os.getpid())); os.rename("pid.new", "pid")
        os.closerange(0, 100)
        os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(60)"], {})
    os._exit(0)
os.wait()
"""
    process = start(tmp_path, script, mark)
    assert asyncio.run(process.wait()) == ExitStatus(0)
    process.close()
    daemon = int(wait_for(tmp_path / "pid"))
    assert procfs.marked({mark}) == [daemon]
    assert procfs.kill_marked(mark) == 1
    assert procfs.marked({mark}) == []


def test_a_tree_that_keeps_forking_is_ended(tmp_path: Path, mark: int) -> None:
    script = """
import os, time
open("up", "w").write("1")
for _ in range(400):
    if os.fork() == 0:
        time.sleep(0.005)
        if os.fork() == 0: time.sleep(60)
        os._exit(0)
    time.sleep(0.001)
time.sleep(60)
"""
    process = start(tmp_path, script, mark)
    wait_for(tmp_path / "up")
    assert procfs.kill_marked(mark) >= 1
    assert procfs.marked({mark}) == []
    asyncio.run(process.wait())
    process.close()


def test_spared_processes_are_not_killed(tmp_path: Path, mark: int) -> None:
    process = start(tmp_path, "import time; time.sleep(60)", mark)
    assert procfs.kill_marked(mark, frozenset({process.pid})) == 0
    assert procfs.kill_marked(mark) == 1
    asyncio.run(process.wait())
    process.close()


def test_exit_codes(tmp_path: Path, mark: int) -> None:
    process = start(tmp_path, "raise SystemExit(5)", mark)
    assert asyncio.run(process.wait()) == ExitStatus(5)
    process.close()


def test_a_process_that_is_not_our_child(tmp_path: Path, mark: int) -> None:
    script = "import os, time; (os.fork() and os._exit(0)); open('pid', 'w').write(str(os.getpid())); time.sleep(0.2)"
    subprocess.run([*PYTHON, script], cwd=tmp_path, check=True)
    adopted = Process(int(wait_for(tmp_path / "pid")))
    assert asyncio.run(adopted.wait()) == ExitStatus(255, known=False)
    adopted.close()


@pytest.mark.parametrize(
    ("command", "message"),
    [(["no-such-thing"], 'exec: "no-such-thing": executable file not found'), (["/etc/passwd"], "Permission denied")],
)
def test_a_command_that_cannot_be_executed(tmp_path: Path, mark: int, command: list[str], message: str) -> None:
    with pytest.raises(StartError, match=message):
        spawn(command, PATH, tmp_path, tmp_path / "log", mark)


def test_a_missing_working_directory(tmp_path: Path, mark: int) -> None:
    with pytest.raises(StartError, match=r"workingDir .*none does not exist"):
        spawn([*PYTHON, ""], PATH, tmp_path / "none", tmp_path / "log", mark)


def test_memory_of_a_tree_is_summed(tmp_path: Path, mark: int) -> None:
    script = """
import os, time
os.fork()
hoard = bytearray(b"x") * (40 << 20)
open(f"up-{os.getpid()}", "w").write("1")
time.sleep(60)
"""
    process = start(tmp_path, script, mark)
    eventually(lambda: len(list(tmp_path.glob("up-*"))) == 2, "both run")
    watch = MemoryWatch()
    assert watch.over_limit({mark: 200 << 20}, spare=0) == {}
    over = watch.over_limit({mark: 64 << 20}, spare=0)
    assert 80 << 20 <= over[mark] < 200 << 20
    procfs.kill_marked(mark)
    asyncio.run(process.wait())
    process.close()
    assert watch.over_limit({mark: 1}, spare=0) == {}


def test_shared_pages_count_once(tmp_path: Path, mark: int) -> None:
    script = (
        "import os, time; hoard = b'x' * (60 << 20); os.fork(); os.fork(); open('up', 'w').write('1'); time.sleep(60)"
    )
    process = start(tmp_path, script, mark)
    wait_for(tmp_path / "up")
    eventually(lambda: len(procfs.marked({mark})) == 4, "all four run")
    members = procfs.marked({mark})
    assert procfs.memory(members) >= 240 << 20
    assert procfs.memory(members, proportional=True) < 120 << 20
    procfs.kill_marked(mark)
    asyncio.run(process.wait())
    process.close()


def test_addresses_are_free_and_not_given_twice() -> None:
    found: set[str] = set()
    for _ in range(50):
        found.add(free_address(found, [8080]))
    assert len(found) == 50
    assert all(64 <= int(address.split(".")[1]) <= 127 for address in found)


def test_an_address_with_a_listener_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.64.0.77", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setattr(addresses.random, "randrange", lambda *_: 77)
        with pytest.raises(NoAddress, match=f"free for port {port}"):
            free_address(set(), [port])


def test_volumes_are_written_and_linked(tmp_path: Path) -> None:
    container = {
        "name": "main",
        "volumeMounts": [
            {"name": "s", "mountPath": "/etc/s"},
            {"name": "e", "mountPath": "/data/deep", "subPath": "inner"},
            {"name": "t", "mountPath": "/tmp"},
        ],
    }
    volumes = [
        {"name": "s", "secret": {"secretName": "one"}},
        {"name": "e", "emptyDir": {}},
        {"name": "t", "emptyDir": {}},
    ]
    pod = decode_pod({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [container], "volumes": volumes}})
    paths = PodPaths(tmp_path, "u")
    paths.create()
    for content in (b"1", b"2"):
        mount(pod, pod.spec.containers[0], Sources(secrets={"one": {"key": content}}), paths)
        assert (paths.home / "etc/s/key").read_bytes() == content
    (paths.home / "data/deep/file").write_text("x")
    assert (paths.volumes / "e/inner/file").read_text() == "x"
    assert (paths.home / "tmp").is_symlink()
    assert (paths.volumes / "s/key").stat().st_mode & 0o777 == 0o600
    paths.remove()
    assert not paths.base.exists()


def test_a_volume_does_not_leave_its_directory(tmp_path: Path) -> None:
    container = {"name": "main", "volumeMounts": [{"name": "c", "mountPath": "/c"}]}
    items = [{"key": "k", "path": "../../escaped"}]
    volumes = [{"name": "c", "configMap": {"name": "m", "items": items}}]
    pod = decode_pod({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [container], "volumes": volumes}})
    paths = PodPaths(tmp_path, "u")
    paths.create()
    with pytest.raises(MissingReference, match="leaves the volume"):
        mount(pod, pod.spec.containers[0], Sources(config_maps={"m": {"k": b""}}), paths)


def test_what_is_saved_is_loaded_and_what_is_broken_is_skipped(tmp_path: Path) -> None:
    paths = PodPaths(tmp_path, "u1")
    paths.create()
    containers = {"main": ContainerRecord(name="main", pid=7, runs=2)}
    record = PodRecord(uid="u1", namespace="ns", name="p", containers=containers, conditions={"Ready": ("True", 5.0)})
    saved = store.Saved({"metadata": {"name": "p"}}, record)
    store.save(paths.state, saved)
    broken = PodPaths(tmp_path, "u2")
    broken.create()
    broken.state.write_text('{"pod":')
    assert store.load_all(tmp_path) == [saved]
