"""Functions that come as an archive: fetched, verified, unpacked once for a node, refused when anything is wrong."""

import hashlib
import io
import json
import platform
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faas_runtime import archive as runtime_archive
from faas_runtime import fetch as runtime_fetch
from faas_runtime.errors import StartupError
from faas_runtime.settings import read_settings
from tests.support.canned import Asked, Say, canned_server
from tests.support.patience import eventually
from tests.support.runtime import failed_start, free_address, is_running, pod

MAIN = b"import helper\ndef handle(event):\n    return [helper.NAME, event]\n"
ANY = {"version": 1, "python": "any", "arch": "any", "libc": "any", "packages": []}


def pack(files: dict[str, bytes], manifest: object = ANY, extra: list[tarfile.TarInfo] | None = None) -> bytes:
    """A tar.gz as `faas deploy` makes one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        if manifest is not None:
            files = {"faas-archive.json": json.dumps(manifest).encode(), **files}
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra or []:
            tar.addfile(member)
    return buffer.getvalue()


GOOD = pack({"code/main.py": MAIN, "code/data/words.txt": b"a b", "packages/helper.py": b"NAME = 'packed'"})


class Store:
    """What an archive server answers; ``before`` may change the status, ``cut`` breaks its answers off."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str | None] = []
        self.before: Callable[[], int] = lambda: 200
        self.cut = False
        self.url = ""

    def __call__(self, asked: Asked) -> Say:
        self.requests.append(asked.headers.get("Authorization"))
        status, data = self.before(), self.blobs.get(asked.path.rpartition("/")[2])
        if status == 200 and data is not None:
            return Say(200, data, cut=self.cut)
        return Say(404 if status == 200 else status, b"no")

    def env(self, data: bytes, cache: Path | None = None, digest: str | None = None) -> dict[str, str]:
        """Environment of a Pod whose archive this is."""
        digest = digest or hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        url = f"{self.url}/api/v1/namespaces/default/archives/{digest}"
        env = {"FAAS_ARCHIVE_URL": url, "FAAS_ARCHIVE_SHA256": digest, "FAAS_ARCHIVE_TOKEN": "token-1"}
        return env | ({"FAAS_CACHE_DIR": str(cache)} if cache else {})


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    with canned_server(store) as server:
        store.url = server.url
        yield store


def test_good_archive(store: Store, tmp_path: Path) -> None:
    env = store.env(GOOD, tmp_path)
    with pod(None, **env) as running:
        assert json.loads(running.call(1).body) == ["packed", 1]
    with pod(None, **env) as running:  # from the cache
        assert json.loads(running.call(2).body) == ["packed", 2]
    assert store.requests == ["Bearer token-1"]
    root = tmp_path / env["FAAS_ARCHIVE_SHA256"]
    assert (root / "code/data/words.txt").read_bytes() == b"a b"
    assert oct((root / "code/main.py").stat().st_mode)[-3:] == "444"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{root.name}.lock", root.name]


def test_without_a_cache_the_pod_keeps_it_to_itself(store: Store) -> None:
    with pod(None, **store.env(GOOD)) as running:
        assert json.loads(running.call(1).body) == ["packed", 1]
        assert running.stop() == 0
        assert sorted(path.name for path in running.folder.iterdir()) == ["log"]


def test_the_working_directory_is_the_code(store: Store, tmp_path: Path) -> None:
    files = {"code/main.py": b"def handle(event):\n    return open(event).read()\n", "code/words.txt": b"one two"}
    with pod(None, **store.env(pack(files), tmp_path)) as running:
        assert running.call("words.txt").body == b"one two"


def test_many_pods_at_once_fetch_and_unpack_once(store: Store, tmp_path: Path) -> None:
    env = store.env(GOOD, tmp_path)

    def run(number: int) -> list[object]:
        with pod(None, **env) as running:
            return json.loads(running.call(number).body)

    with ThreadPoolExecutor(6) as pods:
        assert list(pods.map(run, range(6))) == [["packed", number] for number in range(6)]
    assert len(store.requests) == 1


def test_what_a_killed_pod_left_behind_is_cleared_away(store: Store, tmp_path: Path) -> None:
    env = store.env(GOOD, tmp_path)
    staging = tmp_path / f".{env['FAAS_ARCHIVE_SHA256']}.unpacking"
    (staging / "code").mkdir(parents=True)
    (staging / "code/main.py").write_text("half")
    (tmp_path / f".{env['FAAS_ARCHIVE_SHA256']}.packed").write_text("half")
    with pod(None, **env) as running:
        assert json.loads(running.call(1).body) == ["packed", 1]
    assert not staging.exists()


def test_a_server_that_is_not_there_yet_is_waited_for(store: Store, tmp_path: Path) -> None:
    answers = iter([503, 502])
    store.before = lambda: next(answers, 200)
    with pod(None, **store.env(GOOD, tmp_path)) as running:
        assert running.call(1).status == 200
    assert len(store.requests) == 3


def test_an_unreachable_server(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_fetch, "FETCH_PATIENCE", 0.5)
    store.url = "http://{}:{}".format(*free_address())
    archive = read_settings(store.env(GOOD)).archive
    assert archive is not None
    with pytest.raises(StartupError) as caught:
        runtime_fetch.fetch(archive, tmp_path / "packed")
    assert "ConnectionRefusedError" in caught.value.reason
    assert "tried for 0.5 s" in caught.value.reason
    assert "token-1" not in caught.value.reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "the archive server refused the function's token (401)"),
        (403, "the function's token does not allow to read this archive (403)"),
        (404, "the archive server does not have it (404)"),
        (302, "the archive server answered 302, expected 200"),
    ],
)
def test_refused_at_once(store: Store, status: int, reason: str) -> None:
    store.before = lambda: status
    begun = time.monotonic()
    ended = failed_start(None, **store.env(GOOD))
    assert (ended.code, len(store.requests)) == (1, 1)
    assert reason in ended.reason
    assert time.monotonic() - begun < 30


def test_other_bytes_than_the_digest_says(store: Store, tmp_path: Path) -> None:
    ended = failed_start(None, **store.env(GOOD, tmp_path, digest="ab" * 32))
    assert f"its bytes have the digest {hashlib.sha256(GOOD).hexdigest()}" in ended.reason
    assert not (tmp_path / ("ab" * 32)).exists()


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pack({"code/main.py": MAIN}, None), "it has no faas-archive.json"),
        (pack({"code/main.py": MAIN}, [1]), "faas-archive.json cannot be read"),
        (pack({"code/main.py": MAIN}, {**ANY, "version": 2}), "this runtime knows version 1, not 2"),
        (pack({"code/main.py": MAIN}, {**ANY, "python": "3.9"}), "packed for python 3.9, but this Pod has 3."),
        (pack({"code/main.py": MAIN}, {**ANY, "arch": "s390x"}), "packed for arch s390x, but this Pod has"),
        (pack({"code/main.py": MAIN}, {**ANY, "libc": "other"}), "packed for libc other, but this Pod has"),
        (pack({"code/../../evil": b""}), "'code/../../evil' is outside of code/ and packages/"),
        (pack({"/etc/evil": b""}), "'/etc/evil' is outside"),
        (pack({"other/evil": b""}), "'other/evil' is outside"),
        (pack({"code//evil": b""}), "'code//evil' is outside"),
        (pack({}, extra=[link("code/link", tarfile.SYMTYPE)]), "'code/link' is neither a file nor a folder"),
        (pack({}, extra=[link("code/hard", tarfile.LNKTYPE)]), "'code/hard' is neither a file nor a folder"),
        (pack({}, extra=[link("code/fifo", tarfile.FIFOTYPE)]), "'code/fifo' is neither a file nor a folder"),
        (pack({}, extra=[link("code/dev", tarfile.CHRTYPE)]), "'code/dev' is neither a file nor a folder"),
        (pack({"code/a": b"1"}, extra=[tarfile.TarInfo("code/a")]), "'code/a' appears twice"),
        (pack({"code/a": b"1", "code/a/b": b"2"}), "code/a"),
        (b"no tar at all", "is not a readable tar.gz"),
        (GOOD[:-40], "is not a readable tar.gz"),
    ],
)
def test_bad_archive(store: Store, tmp_path: Path, data: bytes, reason: str) -> None:
    cache = tmp_path / "cache"
    ended = failed_start(None, **store.env(data, cache))
    assert ended.code == 1
    assert reason in ended.reason
    assert "Traceback" not in ended.log
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    assert not list(cache.glob("*.unpacking"))


def test_a_truncated_download_is_tried_again(store: Store) -> None:
    def whole_the_second_time() -> int:
        store.cut = len(store.requests) == 1
        return 200

    store.before = whole_the_second_time
    with pod(None, **store.env(GOOD)) as running:
        assert running.call(1).status == 200
    assert len(store.requests) == 2


def test_its_own_target_is_taken(store: Store) -> None:
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = {"version": 1, "python": python, "arch": platform.machine(), "libc": libc, "packages": ["a==1"], "new": 1}
    with pod(None, **store.env(pack({"code/main.py": b"def handle(e): return e"}, target))) as running:
        assert running.call(1).body == b"1"


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_archive, "MAX_ARCHIVE_UNPACKED", 1_000_000)
    packed = tmp_path / "bomb.tar.gz"
    packed.write_bytes(pack({"code/zeros": bytes(2_000_000)}))
    with pytest.raises(StartupError, match="unpacks to more than 1000000 bytes"):
        runtime_archive.unpack(packed, tmp_path / "out")


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_archive, "MAX_ARCHIVE_MEMBERS", 10)
    packed = tmp_path / "many.tar.gz"
    packed.write_bytes(pack({f"code/{number}": b"" for number in range(20)}))
    with pytest.raises(StartupError, match="more than 10 members"):
        runtime_archive.unpack(packed, tmp_path / "out")


def test_it_may_bring_its_own_msgspec(store: Store) -> None:
    """A stand-in with the two calls that the runtime makes: what it says shows whose reads and writes the JSON."""
    own = b"""
import json as _json
class Struct:
    def __init__(self, value): self.value = value
class json:
    class Decoder:
        def decode(self, body): return ["decoded by mine", _json.loads(body)]
    class Encoder:
        def encode(self, value): return b'"mine: ' + repr(value.value).encode() + b'"'
"""
    main = b"import msgspec\ndef handle(event):\n    return msgspec.Struct(event)\n"
    with pod(None, **store.env(pack({"code/main.py": main, "packages/msgspec/__init__.py": own}))) as running:
        assert running.call(1).body == b"\"mine: ['decoded by mine', 1]\""
        assert running.call(None, {"Faas-Timeout-Ms": "x"}).status == 400  # the runtime's own errors need its own


def test_a_replaced_worker_finds_the_source_again(store: Store) -> None:
    main = b"import os\ndef handle(event):\n    if event: os._exit(1)\n    return os.getpid()\n"
    with pod(None, **store.env(pack({"code/main.py": main}))) as running:
        before = running.call(0).body
        with pytest.raises(ConnectionError):
            running.call(1)
        assert running.call(0).body != before
    assert len(store.requests) == 1


def test_a_pod_killed_while_it_unpacks_leaves_the_lock_free(store: Store, tmp_path: Path) -> None:
    release = threading.Event()
    store.before = lambda: 200 if release.wait(20) else 500
    env = store.env(GOOD, tmp_path)
    with pod(None, ready=False, **env) as first:
        eventually(lambda: store.requests, "the first Pod fetches")
        with pod(None, ready=False, **env) as second:
            eventually(lambda: second.workers, "the second Pod has a worker")
            worker = first.workers[0]
            first.process.kill()
            eventually(lambda: not is_running(worker), "the first Pod's worker is dead")
            release.set()
            second.wait_ready()
            assert second.call(1).status == 200
