from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from grn.kit import errors
from grn.kit.errors import (
    BudgetError,
    ExitCode,
    GrnError,
    MissingError,
    MissingExtraError,
    install_command,
    require_extra,
)

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GrnError)]


def test_exit_codes_are_the_promised_numbers() -> None:
    """The numbers are a public interface: scripts branch on them."""
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "NO": 1,
        "ERROR": 2,
        "MISSING": 3,
        "BUDGET": 4,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_says_when_it_is_used(code: ExitCode) -> None:
    """The documentation's page is generated from the members' own docstrings; the number finds the member."""
    assert code.__doc__ is not None
    assert code.__doc__.endswith(".")
    assert code.__doc__ != ExitCode.__doc__
    assert ExitCode(int(code)) is code
    assert pickle.loads(pickle.dumps(code)) is code


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_when_example_and_fix(kind: type[GrnError]) -> None:
    """The error reference is generated: each class says when it happens, shows an example, names the fix."""
    assert kind.__doc__ is not None
    assert "Example: " in kind.__doc__
    assert "Fix: " in kind.__doc__


def test_the_tree_atop_the_module_names_every_class_and_its_code() -> None:
    """The tree that a reader sees first is not out of date."""
    tree = errors.__doc__ or ""
    for kind in ALL:
        assert f"{kind.__name__} [{int(kind.exit_code)}]" in tree


def test_codes_of_missing_things_and_budgets() -> None:
    """A caller can tell "install something" (3) and "too expensive" (4) from other errors (2)."""
    assert GrnError.exit_code is ExitCode.ERROR
    assert MissingError.exit_code is MissingExtraError.exit_code is ExitCode.MISSING
    assert BudgetError.exit_code is ExitCode.BUDGET


def test_an_error_shows_what_and_the_value_seen() -> None:
    """Text is shown quoted, so that a trailing blank is seen; a value of False is a value."""
    assert str(GrnError("no such column")) == "no such column"
    assert str(GrnError("no such column", seen="clsoe ")) == "no such column (seen: 'clsoe ')"
    assert str(GrnError("must be positive", seen=-3.0)) == "must be positive (seen: -3.0)"
    assert str(GrnError("must be set", seen=False)) == "must be set (seen: False)"


def test_a_long_value_is_cut() -> None:
    """One bad value may be a whole frame: the message stays readable."""
    assert len(str(GrnError("bad", seen=list(range(10_000))))) < 250


@pytest.mark.parametrize("kind", ALL)
def test_an_error_crosses_a_process_boundary_whole(kind: type[GrnError]) -> None:
    """Process pools pickle exceptions: nothing of them may be lost."""
    copy = pickle.loads(pickle.dumps(kind("what", seen=7, hint="do this")))
    assert type(copy) is kind
    assert (copy.what, copy.seen, copy.hint, str(copy)) == ("what", 7, "do this", "what (seen: 7)")


def test_a_missing_extra_names_the_exact_command() -> None:
    """The hint can be pasted into a shell."""
    with pytest.raises(MissingExtraError) as caught:
        require_extra("grn_no_such_module", "samples")
    assert caught.value.hint == install_command("samples")
    assert "grn_no_such_module" in str(caught.value)


def test_the_command_fits_where_grn_runs_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, an extra is had by name; in a clone with the pins beside it, whichever Python runs."""
    package = tmp_path / "src" / "grn"
    assert install_command("samples", package) == "pip install 'alpha-metaphorica[samples]'"
    (tmp_path / "pyproject.toml").write_text('name = "something-else"\n')
    assert install_command("samples", package) == "pip install 'alpha-metaphorica[samples]'"
    (tmp_path / "pyproject.toml").write_text('name = "alpha-metaphorica"\n')
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    command = ".venv/bin/python -m pip install -e '.[samples]' -c constraints.txt"
    assert install_command("samples", package) == f"{command}, in the folder of the clone"
    monkeypatch.setattr(sys, "executable", "/opt/python")
    assert install_command("samples", package).startswith("/opt/python -m pip install -e '.[samples]'")


def test_an_extra_that_is_there_is_returned() -> None:
    """require_extra is the import itself."""
    import json.decoder

    assert require_extra("json.decoder", "any") is json.decoder
