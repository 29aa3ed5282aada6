"""Certificates of the one-machine platform and the kubeconfig that names them.

Everything is generated on the machine and trusted by nobody else: one certificate authority (CA), server certificates
for loopback addresses, client certificates for mutual TLS between the API server and the kubelet. Keys are ECDSA on
P-256: made in under a millisecond, accepted by every TLS 1.3 client. Certificates carry the extensions of RFC 5280 that
Python 3.13's strict checking asks for.
"""

import base64
import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 3650  # a development platform's directory outlives a year; nobody renews these by hand


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate and its private key, both PEM."""

    cert_pem: bytes
    key_pem: bytes


def create_authority(common_name: str = "faas local CA") -> KeyPair:
    """Make a self-signed certificate authority that may sign end certificates only (path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(common_name, None)
    builder = (
        _builder(subject, subject, key.public_key(), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return KeyPair(_cert_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def issue_server_certificate(
    authority: KeyPair, common_name: str, ips: Sequence[str], dns_names: Sequence[str] = ()
) -> KeyPair:
    """Issue a TLS server certificate for the given IP addresses and DNS names.

    Raises ValueError when neither is given (RFC 9525: the common name is not looked at) or an address does not parse.
    """
    names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    names += [x509.DNSName(name) for name in dns_names]
    if not names:
        raise ValueError("a server certificate needs at least one IP address or DNS name")
    return _issue(authority, _subject(common_name, None), ExtendedKeyUsageOID.SERVER_AUTH, names)


def issue_client_certificate(authority: KeyPair, common_name: str, organization: str | None = None) -> KeyPair:
    """Issue a TLS client certificate; Kubernetes reads the user from the common name and the group from the
    organization.
    """
    return _issue(authority, _subject(common_name, organization), ExtendedKeyUsageOID.CLIENT_AUTH, [])


def write_key_pair(pair: KeyPair, cert_path: Path, key_path: Path) -> None:
    """Write both PEM files; the key is readable by its owner alone from the moment it exists."""
    _write(cert_path, pair.cert_pem, 0o644)
    _write(key_path, pair.key_pem, 0o600)


def write_secret(path: Path, text: str) -> None:
    """Write a token or password readable by its owner alone."""
    _write(path, text.encode(), 0o600)


def write_kubeconfig(path: Path, server: str, ca_pem: bytes, token: str, namespace: str = "default") -> None:
    """Write a kubeconfig (mode 0600) with one context for `server` (an https URL) and a bearer token."""
    _write(path, kubeconfig_text(server, ca_pem, token, namespace).encode(), 0o600)


def kubeconfig_text(server: str, ca_pem: bytes, token: str, namespace: str = "default") -> str:
    """Return the kubeconfig as YAML; the CA is embedded, so the file can be copied elsewhere alone."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "faas",
                "cluster": {"server": server, "certificate-authority-data": base64.b64encode(ca_pem).decode()},
            }
        ],
        "users": [{"name": "faas", "user": {"token": token}}],
        "contexts": [{"name": "faas", "context": {"cluster": "faas", "user": "faas", "namespace": namespace}}],
        "current-context": "faas",
    }
    return yaml.safe_dump(document, sort_keys=False)


def _issue(
    authority: KeyPair, subject: x509.Name, usage: x509.ObjectIdentifier, names: list[x509.GeneralName]
) -> KeyPair:
    ca_cert = x509.load_pem_x509_certificate(authority.cert_pem)
    ca_key = serialization.load_pem_private_key(authority.key_pem, password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is not an elliptic-curve key: make the authority with create_authority")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(subject, ca_cert.subject, key.public_key(), ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return KeyPair(_cert_pem(builder.sign(ca_key, hashes.SHA256())), _key_pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))  # clocks of a WSL2 guest lag after sleep
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _cert_pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    # Written beside and renamed: a reader never sees half a file, and the mode holds before the first byte is there.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    temporary.replace(path)
