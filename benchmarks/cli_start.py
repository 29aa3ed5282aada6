"""What a start of the command costs: ``faas execute`` beside a one-command typer program that does nothing.

    python -m benchmarks.cli_start [--rounds 30]

Whole processes, in turn, so that both meet the same noise; the ratio is the median of the rounds' own ratios. The
call is answered by a server in this process that does nothing else, so the difference is the command's alone: its
imports, the JSON check, one request, one answer. A bare interpreter stands beside both, to show what of it is
Python's own. To be held: at most 1.5 times the program.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LIMIT = 1.5
PROGRAM = """\
import typer

app = typer.Typer()


@app.command()
def main(name: str, parameters: str) -> None:
    print(name, parameters)


app()
"""


class Answers(BaseHTTPRequestHandler):
    """Answers every call with 7."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"7")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {"FAAS_GATEWAY": f"http://127.0.0.1:{server.server_address[1]}"}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(PROGRAM)
        arguments = ["default/add", '{"x":3,"y":4}']
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "typer program": [sys.executable, str(program), *arguments],
            "faas execute": [str(Path(sys.executable).with_name("faas")), "execute", *arguments],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
                if number:  # the first round warms the page cache and the byte code
                    times[name].append(time.perf_counter() - began)
    server.shutdown()
    server.server_close()
    for name, taken in times.items():
        median, fastest = statistics.median(taken) * 1000, min(taken) * 1000
        print(f"{name:<16} median {median:6.1f} ms, fastest {fastest:6.1f} ms, of {len(taken)}")
    pairs = zip(times["faas execute"], times["typer program"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    print(f"faas execute is {ratio:.2f} x the typer program (at most {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
