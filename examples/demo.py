"""The whole story on one machine, with the real commands and what they really say. ``make demo`` runs it."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
OPTICKS = HERE / "words" / "opticks.txt"
WORDS_SETTINGS = ("--concurrency", "2", "--max", "4", "--window", "5s")
SOON = ("--scale-to-zero-after", "3s")
UNAVAILABLE = 4
"""Exit code of ``faas execute`` for a function that is starting."""
ROCKET = HERE / "thumbnail" / "rocket.jpg"


class Story:
    """Runs commands against one platform and shows them as a user would type them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._began = time.monotonic()
        self._env = os.environ | {"FAAS_DIR": str(directory), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def tell(self, text: str) -> None:
        """A line of the story."""
        print(f"\n== {time.monotonic() - self._began:5.1f} s  {text}", flush=True)

    def come_back(self, *command: str) -> None:
        """Runs a command, and again after a second each time that it says that the function is starting."""
        for _ in range(20):
            if "is starting" not in self.run(*command, may_be=UNAVAILABLE):
                return
            time.sleep(1)
        sys.exit("it went on starting")

    def run(
        self, *command: str, expect: int = 0, may_be: int = 0, stdin: Path | None = None, quiet: bool = False
    ) -> str:
        """Runs one command, shows it and its output; the story ends when it exits with another code than ``expect``."""
        if not quiet:
            print(f"$ {shlex.join(command)}{f' < {stdin.name}' if stdin else ''}", flush=True)
        source = stdin.open("rb") if stdin else subprocess.DEVNULL
        done = subprocess.run(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._env,
            timeout=120, cwd=HERE, check=False,
        )  # fmt: skip
        if not quiet:
            print(done.stdout, end="", flush=True)
        if done.returncode not in (expect, may_be or expect):
            sys.exit(f"{command[0]} exited with {done.returncode}, expected {expect}\n{done.stdout if quiet else ''}")
        return done.stdout

    def background(self, *command: str) -> "subprocess.Popen[str]":
        """Starts a command whose lines are printed, marked, as they come; returns once it has said its first."""
        print(f"$ {shlex.join(command)} &", flush=True)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self._env, cwd=HERE)
        output = process.stdout
        assert output is not None
        print(f"   | {output.readline()}", end="", flush=True)
        threading.Thread(
            target=lambda: [print(f"   | {line}", end="", flush=True) for line in output], daemon=True
        ).start()
        return process

    def replicas(self, name: str) -> int:
        """How many Pods a function has now."""
        return int(json.loads(self.run("faas", "get", name, "-o", "json", quiet=True))["status"].get("replicas", 0))

    def wait_for(self, what: Callable[[], bool], seconds: float) -> None:
        """Waits for something to become true; the story ends when it does not."""
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                sys.exit(f"waited {seconds:g} s in vain")
            time.sleep(0.2)


def deploy(story: Story) -> None:
    story.tell("deploy: a folder with a main.py is enough")
    story.run("faas", "deploy", "add")
    story.run("faas", "deploy", "words", *WORDS_SETTINGS)
    story.tell("a requirement (Pillow) is resolved and packed here; no Pod runs an installer")
    story.run("faas", "deploy", "thumbnail")
    story.tell("an ASGI application is a function too")
    story.run("faas", "deploy", "clocks")
    story.run("faas", "list")


def call(story: Story, gateway: str, nats: str) -> None:
    story.tell("call it: the command, HTTP, and a NATS client that knows nothing of this project")
    story.run("faas", "execute", "default/add", '{"x":3,"y":4}')
    story.run("curl", "-sS", "-X", "POST", f"{gateway}/default/add", "-d", '{"x":3,"y":4}')
    print()
    story.run(sys.executable, "clients/request.py", nats, "faas.invoke.default.add", '{"x":3,"y":4}')
    story.tell("real input: Newton's Opticks (567 kB) in, its words out; a photograph in, its thumbnail out")
    story.run(
        "curl", "-sS", f"{gateway}/default/words", "-H", "Content-Type: text/plain", "--data-binary", f"@{OPTICKS}"
    )
    print()
    thumbnail = story.directory / "thumbnail.jpg"
    story.run("curl", "-sS", f"{gateway}/default/thumbnail", "--data-binary", f"@{ROCKET}", "-o", str(thumbnail))
    print(f"{ROCKET.name}: {ROCKET.stat().st_size} bytes, {thumbnail.name}: {thumbnail.stat().st_size} bytes")
    if not thumbnail.read_bytes().startswith(b"\xff\xd8"):
        sys.exit("the thumbnail is not a JPEG")
    proxy = f"{gateway}/api/v1/namespaces/default/functions/clocks/proxy"
    story.run("curl", "-sS", f"{proxy}/zones/CH")
    print()


def run_workflows(story: Story) -> None:
    story.tell("a workflow chains functions that know nothing of each other: a text, its words, a report")
    story.run("faas", "deploy", "report")
    story.run("faas", "deploy", "workflows/word-report.yaml")
    opticks = _input(story, "opticks", OPTICKS.read_text(encoding="utf-8"))
    story.run("faas", "workflow", "run", "default/word-report", "-", "--wait", "--raw", stdin=opticks)
    story.tell("another has a fork, retries, a wait, and a catch that undoes: two libraries get a text, or none does")
    story.run("faas", "deploy", "library", "--max", "1", "--idempotent")
    story.run("faas", "deploy", "workflows/legal-deposit.yaml")
    story.run("faas", "workflow", "run", "default/legal-deposit", "-", "--wait", "--id", "too-long", stdin=opticks)
    part = _input(story, "book-one", OPTICKS.read_text(encoding="utf-8")[:100_000])
    story.run("faas", "workflow", "run", "default/legal-deposit", "-", "--wait", "--id", "book-one", stdin=part)
    story.run("faas", "workflow", "list")
    story.tell("what happened, as it is kept")
    story.run("faas", "workflow", "trace", "default/too-long")


def _input(story: Story, title: str, text: str) -> Path:
    """A workflow's input in a file."""
    file = story.directory / f"{title}.json"
    file.write_text(json.dumps({"title": title, "text": text}), encoding="utf-8")
    return file


def scale(story: Story, gateway: str) -> None:
    story.tell("load scales it out")
    load = story.background(
        sys.executable, "-u", "clients/load.py", f"{gateway}/default/words", str(OPTICKS), "12", "6"
    )
    story.wait_for(lambda: story.replicas("default/words") > 1, 60)
    story.run("faas", "get", "default/words")
    if load.wait(90) != 0:
        sys.exit("the load failed")
    story.tell("after a minute without calls a function goes to zero; for this story, after three seconds")
    story.run("faas", "deploy", "add", *SOON)
    story.run("faas", "deploy", "words", *WORDS_SETTINGS, *SOON)
    story.wait_for(lambda: story.replicas("default/add") == 0, 60)
    story.run("faas", "get", "default/add")
    story.tell("the next call is answered at once: it is starting, come back")
    story.run("faas", "execute", "default/add", '{"x":3,"y":4}', expect=UNAVAILABLE)
    time.sleep(1)  # what the hint said
    story.come_back("faas", "execute", "default/add", '{"x":3,"y":4}')
    story.tell("and a call that asks to wait is answered from zero")
    story.wait_for(lambda: story.replicas("default/words") == 0, 60)
    story.run("faas", "execute", "default/words", '"light is light"', "--wait")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="faas-demo-") as directory:
        story = Story(Path(directory))
        story.tell("start the platform: NATS, a Kubernetes API and kubelet, gateway, router, scaler, workflow")
        try:
            story.run("faas", "up", "--detach", "--gateway-port", "0", "--nats-port", "0")
            status = json.loads(story.run("faas", "status", "-o", "json", quiet=True))
            deploy(story)
            story.tell("a subscriber sees every event as it happens")
            subscriber = story.background(
                sys.executable, "clients/subscribe.py", status["nats"], "faas.event.*.function.add.*"
            )
            try:
                call(story, status["gateway"], status["nats"])
                run_workflows(story)
                scale(story, status["gateway"])
            finally:
                subscriber.terminate()
                subscriber.wait(10)
        finally:
            story.tell("stop everything")
            story.run("faas", "down")
        story.tell("the end")


if __name__ == "__main__":
    main()
