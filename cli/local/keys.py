"""Makes the platform's keys, certificates, passwords and their configuration once; a second start keeps them."""

import secrets

from cli.local import pki
from cli.local.layout import Layout, Ports
from services.contracts import accounts

TENANT = "default"
"""The one tenant of one machine, with all namespaces."""
NODE = "local"


def ensure(layout: Layout, ports: Ports) -> None:
    """Creates what is missing and writes what depends on the ports anew."""
    users = (*accounts.SERVICES, accounts.caller(TENANT))
    for user in users:  # a new version may have a service more
        if not layout.password_file(user).exists():
            pki.write_secret(layout.password_file(user), secrets.token_urlsafe(24))
    if not (layout.secrets / "api-token").exists():
        _certificates(layout)
        pki.write_secret(layout.secrets / "archive-key", secrets.token_hex(32))
        pki.write_secret(layout.secrets / "api-token", secrets.token_urlsafe(32))  # last: it marks the set as whole
    authority = (layout.secrets / "ca.crt").read_bytes()
    token = (layout.secrets / "api-token").read_text()
    pki.write_kubeconfig(layout.kubeconfig, f"https://127.0.0.1:{ports.apiserver}", authority, token)
    config = accounts.render(
        listen=f"127.0.0.1:{ports.nats}",
        store_dir=str(layout.jetstream),
        passwords={user: layout.password_file(user).read_text() for user in users},
        tenants={TENANT: ["*"]},
    )
    pki.write_secret(layout.nats_config, config)


def caller_url(layout: Layout, ports: Ports) -> str:
    """The NATS URL for callers, with user and password."""
    password = layout.password_file(accounts.caller(TENANT)).read_text()
    return f"nats://{accounts.caller(TENANT)}:{password}@127.0.0.1:{ports.nats}"


def _certificates(layout: Layout) -> None:
    directory = layout.secrets
    authority = pki.create_authority()
    pki.write_key_pair(authority, directory / "ca.crt", directory / "ca.key")
    for name, pair in (
        ("apiserver", pki.issue_server_certificate(authority, "apiserver", ["127.0.0.1"], ["localhost"])),
        ("kubelet", pki.issue_server_certificate(authority, NODE, ["127.0.0.1"], [NODE])),
        ("kubelet-client", pki.issue_client_certificate(authority, "apiserver-kubelet-client", "system:masters")),
    ):
        pki.write_key_pair(pair, directory / f"{name}.crt", directory / f"{name}.key")
