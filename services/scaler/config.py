"""Settings of the scaler."""

from typing import Annotated

from msgspec import Meta

from services.common.settings import Common

Seconds = Annotated[float, Meta(gt=0.0, le=3600.0)]


class Settings(Common, frozen=True, kw_only=True):
    """Each field is read from ``FAAS_<NAME>``. Durations are seconds."""

    python_image: str = "localhost/faas-python:0.1"
    """Image of the Python runtime that functions with a ``source`` run in."""
    tmp_volume: bool = True
    """Whether Pods of that image get a volume at ``/tmp``. A kubelet takes 0.3 s for any volume, so where the
    container runtime makes the image's ``VOLUME /tmp`` writable (containerd does) Pods start sooner without."""
    gateway_url: str = "http://127.0.0.1:8080"
    """Where Pods fetch archives, as they see the gateway."""
    archive_key_file: str = ""
    """File with the platform's secret from which each function's archive token is made; empty: Pods get no token."""
    tick_seconds: Seconds = 1.0
    """How often load is looked at when nothing happens; routers report as often."""
    drain_seconds: Annotated[float, Meta(ge=0.0, le=3600.0)] = 1.5
    """How long an old revision keeps its Pods after traffic has moved, so that every router has seen the move."""
    lease_namespace: str = "default"
    """Namespace of the Lease by which scalers elect a leader."""
    lease_name: str = "faas-scaler"
    """Name of that Lease."""
    lease_seconds: Seconds = 15.0
    """How long others wait after the last sign of life of a leader."""
    renew_seconds: Seconds = 10.0
    """A leader that has not renewed its Lease for so long stops acting; less than ``lease_seconds``."""
    retry_seconds: Seconds = 2.0
    """How often a leader renews; less than ``renew_seconds``."""

    def __post_init__(self) -> None:
        """Refuses times with which two scalers could lead at once."""
        if not self.retry_seconds < self.renew_seconds < self.lease_seconds:
            raise ValueError("FAAS_RETRY_SECONDS < FAAS_RENEW_SECONDS < FAAS_LEASE_SECONDS must hold")
