"""What an installation's Secrets hold: nobody's password changes, and nats-server takes the configuration."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from cli.local.topology import nats_server
from deploy.credentials import CONFIG, OPERATOR, TOKENS, Installation, InvalidTenants, names, plan, read_tenants

ONE = Installation("faas-system", 1, {"default": ["default"]})


def test_a_second_plan_changes_nothing() -> None:
    first = plan(ONE, {})
    assert sorted(first) == sorted(names(ONE))
    assert plan(ONE, first) == first


def test_passwords_differ() -> None:
    found = plan(ONE, {})
    passwords = [values["password"] for values in found.values() if "password" in values]
    assert len(set(passwords)) == len(passwords) >= 6
    assert all(len(password) >= 32 for password in passwords)


def test_a_new_tenant_adds_its_secret_and_account() -> None:
    first = plan(ONE, {})
    wanted = ONE._replace(tenants={"default": ["default"], "shop": ["cart", "pay"]})
    second = plan(wanted, first)
    changed = {name for name in second if second[name] != first.get(name)}
    assert changed == {"faas-caller-shop", CONFIG}
    caller = second["faas-caller-shop"]
    assert caller["url"] == f"nats://caller-shop:{caller['password']}@nats.faas-system.svc:4222"
    accounts = json.loads(second[CONFIG]["nats.conf"])["accounts"]
    subjects = [each["service"]["subject"] for each in accounts["shop"]["imports"] if "service" in each]
    doors = ("faas.invoke.{}.*", "faas.run.{}.*", "faas.send.{}")
    assert subjects == [door.format(namespace) for namespace in ("cart", "pay") for door in doors]


def test_the_operators_own_tokens_stay() -> None:
    first = plan(ONE, {})
    assert json.loads(first[TOKENS]["tokens.json"]) == {first[OPERATOR]["token"]: ["*"]}
    theirs = {"tokens.json": '{"t": ["default"]}'}
    assert plan(ONE, {**first, TOKENS: theirs})[TOKENS] == theirs


@pytest.mark.parametrize("servers", [1, 3])
def test_nats_server_takes_the_configuration(servers: int, tmp_path: Path) -> None:
    file = tmp_path / "nats.conf"
    text = plan(ONE._replace(servers=servers), {})[CONFIG]["nats.conf"]
    file.write_text(text)
    command = [nats_server(), "-c", str(file), "-t"]
    done = subprocess.run(
        command, env={**os.environ, "POD_NAME": "nats-0"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("nats-2.nats-headless.faas-system.svc:6222" in text) == (servers == 3)
    assert ('"always"' in text) == (servers == 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not of the form"),
        ('{"default": "default"}', "not of the form"),
        ("{", "not of the form"),
        ('{"Shop": ["*"]}', "the tenant 'Shop' is not valid"),
        ('{"shop": ["a.b"]}', "the namespace of tenant shop 'a.b' is not valid"),
        ('{"shop": [">"]}', "the namespace of tenant shop '>' is not valid"),
        (json.dumps({"x" * 60: ["*"]}), "has 60 characters, at most 51"),
    ],
)
def test_tenants_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(InvalidTenants, match=re.escape(said)):
        read_tenants(text)


def test_tenants() -> None:
    assert read_tenants('{"a": ["*"], "b": ["x", "y"]}') == {"a": ["*"], "b": ["x", "y"]}
