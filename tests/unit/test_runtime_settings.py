"""The Pod's environment: defaults, bounds, and what user code must not see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faas_runtime.errors import StartupError
from faas_runtime.settings import hide_platform_variables, read_settings


def test_defaults() -> None:
    settings = read_settings({})
    assert (settings.host, settings.port, settings.handler) == ("0.0.0.0", 8080, "main:handle")
    assert (settings.timeout, settings.concurrency) == (60.0, 10)
    assert (settings.inline, settings.archive, settings.cache_dir) == (None, None, None)
    assert settings.title == "default/function"


def test_archive() -> None:
    digest = "0123456789abcdef" * 4
    env = {"FAAS_ARCHIVE_URL": "http://gateway/a", "FAAS_ARCHIVE_SHA256": digest, "FAAS_ARCHIVE_TOKEN": "t"}
    archive = read_settings(env).archive
    assert archive is not None
    assert (archive.url, archive.sha256, archive.token) == ("http://gateway/a", digest, "t")
    for wrong in ("https://gateway/a", "file:///etc/passwd"):
        with pytest.raises(StartupError, match="FAAS_ARCHIVE_URL must start with http://"):
            read_settings(env | {"FAAS_ARCHIVE_URL": wrong})


@pytest.mark.parametrize("handler", ["main", "main:", ":handle", "main:handle()", "main:a b", "../main:handle", "1a:b"])
def test_handler(handler: str) -> None:
    with pytest.raises(StartupError, match="FAAS_HANDLER must look like"):
        read_settings({"FAAS_HANDLER": handler})


@given(st.text(max_size=20))
def test_a_number_is_taken_or_refused_by_name(text: str) -> None:
    refused = ""
    try:
        assert 1 <= read_settings({"FAAS_CONCURRENCY": text}).concurrency <= 1000
    except StartupError as error:
        refused = error.reason
    assert not refused or refused.startswith("FAAS_CONCURRENCY must be a whole number")


def test_hidden_variables() -> None:
    names = ("NAMESPACE", "FUNCTION", "REVISION", "ARCHIVE_TOKEN", "X")
    env = {"A": ""} | {f"FAAS_{name}": "x" for name in names}
    hide_platform_variables(env)
    assert sorted(env) == ["A", "FAAS_FUNCTION", "FAAS_NAMESPACE", "FAAS_REVISION"]
