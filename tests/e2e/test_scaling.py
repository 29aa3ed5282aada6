"""Out under load, to zero when nobody calls, back when somebody does."""

import json
import time
from pathlib import Path

import pytest

from tests.support.http import http
from tests.support.load import COUNTING, running_load
from tests.support.patience import PATIENCE
from tests.support.platform import Platform
from tests.support.source import write

TRIES = 20
"""One is enough where a start takes the tenth of a second that it should."""
SLOW = """
import time

def handle(event):
    time.sleep(0.2)
    return event["id"]
"""


def described(platform: Platform, name: str) -> dict[str, object]:
    return dict(json.loads(http("GET", f"{platform.gateway}/default/{name}").body))


def wait_until_replicas(platform: Platform, name: str, wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while described(platform, name)["readyReplicas"] != wanted:
        assert time.monotonic() < deadline, described(platform, name)
        time.sleep(0.1)  # a caller has nothing but GET to see it by


@pytest.fixture(scope="module")
def sleepy(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write(tmp_path_factory.mktemp("scaling") / "sleepy", 'def handle(event):\n    return "awake"\n')
    platform.faas("deploy", str(folder), "--scale-to-zero-after", "1s", check=True)
    return "sleepy"


def test_a_call_that_finds_nothing_running_gets_a_true_hint_at_once(platform: Platform, sleepy: str) -> None:
    wait_until_replicas(platform, sleepy, 0)
    began = time.monotonic()
    answer = http("POST", f"{platform.gateway}/default/{sleepy}", b"{}")
    assert time.monotonic() - began < 10
    assert (answer.status, answer.headers["faas-error"]) == (503, "function_starting")
    assert "is starting" in json.loads(answer.body)["message"]
    for _ in range(TRIES):
        time.sleep(int(answer.headers["retry-after"]))  # what the answer told the caller to do
        answer = http("POST", f"{platform.gateway}/default/{sleepy}", b"{}")
        if answer.status == 200:
            break
    assert answer.body == b"awake"


def test_the_command_says_on_its_own_line_that_the_function_is_starting(platform: Platform, sleepy: str) -> None:
    wait_until_replicas(platform, sleepy, 0)
    done = platform.faas("execute", f"default/{sleepy}", "{}")
    assert done.code == 4
    assert "is starting" in done.out + done.err
    assert "try again in" in done.out + done.err


def test_ready_stays_true_at_zero(platform: Platform, sleepy: str) -> None:
    wait_until_replicas(platform, sleepy, 0)
    conditions = described(platform, sleepy)["conditions"]
    assert isinstance(conditions, list)
    assert next(condition["status"] for condition in conditions if condition["type"] == "Ready") == "True"


@pytest.mark.parametrize("door", ["http", "command"])
def test_a_call_that_waits_is_answered_from_zero(platform: Platform, sleepy: str, door: str) -> None:
    wait_until_replicas(platform, sleepy, 0)
    if door == "http":
        answer = http("POST", f"{platform.gateway}/default/{sleepy}", b"{}", {"Prefer": "wait=40"})
        assert (answer.status, answer.body) == (200, b"awake")
    else:
        done = platform.faas("execute", f"default/{sleepy}", "{}", "--wait")
        assert (done.code, done.out) == (0, "execute function success, result: awake\n")


def test_a_function_may_ask_that_all_its_calls_wait(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "patient", 'def handle(event):\n    return "here"\n')
    platform.faas("deploy", str(folder), "--cold-start", "Wait", "--scale-to-zero-after", "1s", check=True)
    wait_until_replicas(platform, "patient", 0)
    assert http("POST", f"{platform.gateway}/default/patient", b"{}").body == b"here"


def test_load_scales_out_and_back_and_loses_no_call(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "busy", SLOW)
    platform.faas(
        "deploy", str(folder), "--concurrency", "2", "--max", "4", "--min", "1", "--window", "4s",
        "--scale-to-zero-after", "1s", check=True,
    )  # fmt: skip
    url, peak = f"{platform.gateway}/default/busy", 0
    with running_load(url, tmp_path / "effects", workers=8):
        deadline = time.monotonic() + PATIENCE
        while peak < 4 and time.monotonic() < deadline:
            peak = max(peak, int(str(described(platform, "busy")["readyReplicas"])))
            time.sleep(0.1)  # a caller has nothing but GET to see it by
    assert peak == 4
    with running_load(url, tmp_path / "effects", workers=1) as load:
        wait_until_replicas(platform, "busy", 1)
    assert set(load.statuses()) == {200}


def test_a_new_revision_under_load_fails_no_call(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "changing", COUNTING)
    platform.faas("deploy", str(folder), "--min", "2", check=True)
    before = described(platform, "changing")["revision"]
    url = f"{platform.gateway}/default/changing"
    with running_load(url, tmp_path / "effects", workers=4) as load:
        load.wait_for_success(time.monotonic())
        for number in range(3):
            (folder / "main.py").write_text(f"VERSION = {number}\n{COUNTING}")
            platform.faas("deploy", str(folder), "--min", "2", check=True)
            load.wait_for_success(time.monotonic())
    assert set(load.statuses()) == {200}
    assert load.ran_twice() == []
    assert described(platform, "changing")["revision"] != before


def test_a_revision_that_cannot_start_leaves_the_old_one_serving(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "careful", 'def handle(event):\n    return "old"\n')
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    (folder / "main.py").write_text("import nothing_of_that_name\n\ndef handle(event):\n    return 1\n")
    done = platform.faas("deploy", str(folder), "--min", "1", "--wait-timeout", "60s")
    assert done.code == 1
    assert "nothing_of_that_name" in done.out + done.err
    assert http("POST", f"{platform.gateway}/default/careful", b"{}").body == b"old"
