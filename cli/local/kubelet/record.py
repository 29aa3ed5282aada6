"""What the kubelet remembers of a Pod: enough to go on after a kill -9, in one JSON file of the Pod's directory.

Times are seconds since the epoch (they are kept across restarts); 0 means "not yet".
"""

import msgspec


class Exit(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How one run of a container ended."""

    code: int
    signal: int = 0
    reason: str
    message: str = ""
    started_at: float = 0
    finished_at: float


class Backoff(msgspec.Struct, omit_defaults=True):
    """Restart back-off: `delay` seconds after an exit, last doubled at `updated`."""

    delay: float = 0
    updated: float = 0


class ContainerRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One container. It runs when `pid` is set; `starting` is written before its process is made, so that a kubelet
    killed between the two looks for the process instead of making a second one."""

    name: str
    runs: int = 0
    starting: bool = False
    pid: int = 0
    pid_started: int = 0
    started_at: float = 0
    started: bool = False
    ready: bool = False
    exit: Exit | None = None
    last_exit: Exit | None = None
    backoff: Backoff = msgspec.field(default_factory=Backoff)
    waiting_reason: str = ""
    waiting_message: str = ""
    failures: int = 0
    retry_at: float = 0
    kill_at: float = 0
    exit_reason: str = ""

    @property
    def running(self) -> bool:
        """True from just before its process is made until its exit has been seen."""
        return self.starting or self.pid != 0

    @property
    def restarts(self) -> int:
        """`restartCount`: every run but the first."""
        return max(0, self.runs - 1)


class PodRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One Pod; `conditions` maps a condition's type to [status, time of the last change]."""

    uid: str
    namespace: str
    name: str
    boot_id: str = ""
    ip: str = ""
    started_at: float = 0
    containers: dict[str, ContainerRecord] = {}
    conditions: dict[str, tuple[str, float]] = {}
    stop_reason: str = ""
    stop_message: str = ""
    grace: float = 0
    finished: bool = False

    def container(self, name: str) -> ContainerRecord:
        """The record of a container, made on first use."""
        return self.containers.setdefault(name, ContainerRecord(name=name))
