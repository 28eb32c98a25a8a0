from __future__ import annotations

import json

import pytest

from grn.cli.main import main
from tests.cli.llm.test_ask import Capture, Echo, echo, keys  # noqa: F401 - fixtures


def test_the_answer_that_passed_is_printed(echo: Echo, capsys: Capture) -> None:  # noqa: F811
    """Stdout has it alone; who gave it and the costs are on stderr; cascades are added up."""
    asked = ["llm", "cascade", "be brief", "--models", "haiku,opus", "--record", "t"]
    assert main([*asked, "--check", "grep -q brief"]) == 0
    out, err = capsys.readouterr()
    assert out == "you said: be brief\n"
    assert err.splitlines()[0].startswith("haiku: passed, $0.0000")
    assert "in all; the last model alone: about $" in err
    replayed = [
        "llm",
        "cascade",
        "be brief",
        "--models",
        "haiku,opus",
        "--replay",
        "t",
        "--check",
        "grep -q brief",
    ]
    assert main([*replayed, "--json"]) == 0
    first = capsys.readouterr().out
    assert main([*replayed, "--json"]) == 0
    assert capsys.readouterr().out == first
    assert json.loads(first)["answered"] == "haiku"
    assert main([*asked, "--check", "grep -q verbose"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "no answer passed the check"
    assert [model for _, model in echo.asked] == ["claude-haiku-5-5", "claude-opus-5-5"]
    assert main(["llm", "cascade", "--sum"]) == 0
    assert "answered by haiku  1" in capsys.readouterr().out
    assert main(["llm", "cascade", "--sum", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answered"] == {"haiku": 1, "none": 1}


@pytest.mark.usefixtures("echo")
def test_a_cascade_needs_a_check_that_can_be_run(capsys: Capture) -> None:
    """Before a model is paid: no check, no such program, no command, a file outside, no words."""
    wrong = (
        ["hi"], ["hi", "--check", "no-such-program-of-ours"], ["hi", "--check", "'"], ["--check", "true"],
        ["hi", "--into", "x.py"], ["hi", "--into", "../x", "--check", "true"], ["hi", "--json-schema", "{"],
    )  # fmt: skip
    for arguments in wrong:
        assert main(["llm", "cascade", *arguments]) == 2, arguments
        assert capsys.readouterr().err.startswith("error:")


def test_questions_can_wait(echo: Echo, capsys: Capture) -> None:  # noqa: F811
    """Kept, listed, dropped; nothing is sent; what could not be handed in is refused at once."""
    assert main(["ask", "--later", "why not?", "-m", "haiku", "--project", "thesis"]) == 0
    name = capsys.readouterr().out.strip()
    assert main(["llm", "later"]) == 0
    assert f"{name}  waiting  claude-haiku-5-5  -     why not?" in capsys.readouterr().out
    assert main(["llm", "later", name, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["project"] == "thesis"
    assert main(["llm", "later", "--send"]) == 2  # this double takes no batches
    assert "batches go to" in capsys.readouterr().err
    assert main(["llm", "later", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "waiting"
    assert main(["llm", "later", name, "--drop"]) == 0
    assert main(["llm", "later"]) == 0
    assert capsys.readouterr() == ("", f"dropped {name}\nnothing waits: grn ask --later keeps questions\n")
    for extra in (["--private"], ["--record", "t"], ["-m", "local"], ["-m", "no-model"]):
        assert main(["ask", "--later", "why", "-m", "haiku", *extra]) == 2, extra
    assert main(["llm", "later", "--drop"]) == 2
    assert echo.asked == []
