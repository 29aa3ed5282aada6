"""Whoever waits for a run hears its end, whatever is killed meanwhile."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.patience import PATIENCE
from tests.support.platform import FAAS, running_platform

FLOW = """
document: { dsl: '1.0.3', namespace: default, name: patient, version: '1.0.0' }
do:
- rest: { wait: PT4S }
- done: { set: { rested: '${ .hours }' } }
"""


def test_a_wait_outlives_the_gateway_and_the_workflow_service(tmp_path: Path) -> None:
    file = tmp_path / "patient.yaml"
    file.write_text(FLOW)
    with running_platform(tmp_path / "platform") as platform:
        platform.faas("deploy", str(file), check=True)
        environment = {"FAAS_DIR": str(platform.directory), "PATH": str(Path(FAAS).parent)}
        command = [FAAS, "workflow", "run", "default/patient", '{"hours": 8}', "--wait", "--id", "r1"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline() == "run default/r1\n"
            assert waiting.stderr.readline() == "▸ rest  started\n"
            for name in ("gateway", "workflow"):
                os.kill(platform.pid(name), signal.SIGKILL)
            out, err = waiting.communicate(timeout=2 * PATIENCE)
        assert (waiting.returncode, out) == (0, '{\n  "rested": 8\n}\n'), err
