"""``faas up``: starts the platform on this machine."""

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from cli.local.layout import Addresses

FIRST_CALL = """\
deploy a function:   faas deploy examples/add
call it:             faas execute default/add '{"x":3,"y":4}'
                     curl -X POST %(gateway)s/default/add -d '{"x":3,"y":4}'
                     nats --server "%(nats)s" req faas.invoke.default.add '{"x":3,"y":4}'
watch its events:    faas events -f
look at the cluster: kubectl --kubeconfig %(kubeconfig)s get fn,rs,pods"""


def up(
    context: typer.Context,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once calls would work.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The platform's directory (FAAS_DIR, ~/.faas).")
    ] = None,
    gateway_port: Annotated[
        int, typer.Option(envvar="FAAS_GATEWAY_PORT", min=0, max=65535, help="Port for HTTP; 0: a free one.")
    ] = 8080,
    nats_port: Annotated[
        int, typer.Option(envvar="FAAS_NATS_PORT", min=0, max=65535, help="Port for NATS; 0: a free one.")
    ] = 4222,
) -> None:
    """Start the platform on this machine: NATS, a Kubernetes API, the services."""
    from cli.local import layout, lifecycle

    where = directory or layout.default_directory()
    try:
        addresses, supervisor = lifecycle.start(where, gateway_port, nats_port)
    except lifecycle.PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    print("faas is up" if supervisor else "faas was up already")
    print(f"  gateway     {addresses.gateway}")
    print(f"  nats        {addresses.nats}")
    print(f"  kubeconfig  {addresses.kubeconfig}")
    print(f"  directory   {where}\n")
    if supervisor is None:
        _tell_ports(context, addresses)
    if where.absolute() != layout.default_directory().absolute():
        print(f"use it from here on: export FAAS_DIR={shlex.quote(str(where.absolute()))}")
    print(
        FIRST_CALL % {"gateway": addresses.gateway, "nats": addresses.nats, "kubeconfig": addresses.kubeconfig},
        flush=True,
    )
    if supervisor is not None and not detach:
        raise typer.Exit(_stay(supervisor))


def _tell_ports(context: typer.Context, addresses: "Addresses") -> None:
    """Says which ports that were asked for are not those of the platform that runs already."""
    for name, option, address in (
        ("gateway_port", "--gateway-port", addresses.gateway),
        ("nats_port", "--nats-port", addresses.nats),
    ):
        source = context.get_parameter_source(name)
        asked = context.params[name]
        if source is not None and source.name != "DEFAULT" and asked not in (0, urlsplit(address).port):
            print(f"{option} {asked} was not taken: faas down, then faas up, moves it there\n", file=sys.stderr)


def _stay(supervisor: "subprocess.Popen[bytes]") -> int:
    """Waits for the supervisor; Ctrl-C or SIGTERM here stops the platform."""
    print("\nCtrl-C stops it", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.send_signal(signal.SIGTERM))
    with contextlib.suppress(KeyboardInterrupt):
        return _wait(supervisor)
    print("stopping", flush=True)
    supervisor.send_signal(signal.SIGTERM)
    return supervisor.wait()


def _wait(supervisor: "subprocess.Popen[bytes]") -> int:
    """Its exit code. Looks up each second: a signal that comes right before a wait begins does not interrupt it, and
    its handler runs only after it."""
    with open(os.pidfd_open(supervisor.pid), "rb") as ended:  # Linux 5.3
        while supervisor.poll() is None:
            select.select([ended], [], [], 1.0)
    return supervisor.returncode
