"""One kubelet a directory: two would each start the other's Pods."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class AlreadyRunning(Exception):
    """Another kubelet uses the directory."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which the kernel lets go of with the process. Raises AlreadyRunning."""
    descriptor = os.open(directory / "kubelet.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise AlreadyRunning(f"another kubelet is running in {directory}; stop it or choose another --dir") from None
    finally:
        os.close(descriptor)
