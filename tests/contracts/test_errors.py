"""The table of errors: complete, and the same for HTTP and for a shell."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.errors import MEANING, Code, ErrorBody, Exit, FaasError, exit_code

EXITS = {value for name, value in vars(Exit).items() if name.isupper()}


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_status_and_an_exit_code(code: Code) -> None:
    meaning = MEANING[code]
    assert 400 <= meaning.status <= 599
    assert meaning.exit in EXITS - {Exit.OK}
    assert exit_code(meaning.status, code) == meaning.exit
    assert code == code.lower()
    assert code.isidentifier()


def test_no_exit_code_means_two_things() -> None:
    assert sorted(EXITS) == list(range(6))
    assert set(MEANING) == set(Code)


@pytest.mark.parametrize(("status", "wanted"), [(200, 0), (404, 1), (500, 1), (503, 4), (504, 5), (418, 1)])
def test_an_answer_without_a_known_code_goes_by_its_status(status: int, wanted: int) -> None:
    assert exit_code(status, None) == exit_code(status, "from_a_newer_version") == wanted


@given(st.sampled_from(list(Code)), st.text(), st.lists(st.text()))
def test_an_error_survives_the_way(code: Code, message: str, details: list[str]) -> None:
    error = FaasError(code, message, details=details)
    assert msgspec.json.decode(error.body(), type=ErrorBody) == ErrorBody(code, message, details)
    assert error.status == MEANING[code].status
