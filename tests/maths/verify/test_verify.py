from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import sympy as sp

from grn.cli.main import main
from grn.maths.verdict import BeyondError
from grn.maths.verify.bounds import BOXES, enclose_box, split
from grn.maths.verify.contracts import Contract, Parameter, from_derivation, from_docstrings
from tests.maths.documents import derive
from tests.maths.sandboxes import no_sandbox

MODULE = '''"""Promises."""


def double(n: int) -> int:
    """Twice.

    post: _ % 2 == 0
    """
    return 2 * n


def inverse(x: float) -> float:
    """One over x, which may be 0.

    pre: x >= 0
    post: _ > 0
    """
    return 1 / x


def root(x: float) -> float:
    """Square root.

    post: _ * _ <= x * 1.000001 + 1e-300

    Raises
    ------
    ValueError
        Of a negative number.
    """
    if x < 0:
        raise ValueError("negative")
    return x**0.5


def joined(text: str) -> str:
    """Not numbers.

    post: len(_) >= len(text)
    """
    return text


def silent(x: float) -> float:
    """Promises nothing."""
    return x
'''


def test_contracts_are_read_from_docstrings() -> None:
    """PEP 316's lines, exceptions that are announced; what takes more than numbers is left, with why."""
    found, left = from_docstrings(MODULE.encode())
    assert [contract.function for contract in found] == ["double", "inverse", "root"]
    assert found[1].pre == ("x >= 0",)
    assert found[0].finite is False
    assert found[2].raises == ("ValueError",)
    assert left == [("joined", "text is none of float, int, bool")]


def test_contracts_come_from_what_a_derivation_declares() -> None:
    """Ranges as code is held to its formula: open ends by 1e-9, none by 16; ties as conditions; a twin."""
    derivation = derive(r"Let $0 < q < 1$, $t > 0$, $T > t$, $n \in \mathbb{N}$. $$ a := q t T n $$")
    trace = {"functions": [{"of": "a", "name": "a", "step": 5}]}
    ((contract,), left) = from_derivation(trace, derivation)
    assert left == []
    assert contract.parameters[0] == Parameter("q", "float", 1e-9, 1 - 1e-9)
    assert contract.parameters[1] == Parameter("t", "float", 1e-9, 16.0)
    assert contract.parameters[3] == Parameter("n", "int", 1.0, 13.0)
    assert contract.pre == ("T > t",)
    assert "def original_a(" in contract.twin


def test_bounds_enclose_and_tighten() -> None:
    """A parabola, x (1 - x), lies in [0, 1/4] on [0, 1]; each bound is outside, by less than 0.02."""
    x = sp.Symbol("x", real=True)
    found = enclose_box(x * (1 - x), [x], ((Fraction(0), Fraction(1)),))
    assert -0.02 < found.low <= 0
    assert 0.25 <= found.high < 0.27
    assert found.boxes <= BOXES + 1
    with pytest.raises(BeyondError, match="not defined for certain"):
        enclose_box(1 / x, [x], ((Fraction(0), Fraction(1)),))
    low, high = split(((Fraction(1, 1000), Fraction(10)), (Fraction(0), Fraction(1))))
    assert low[0][1] == high[0][0] == pytest.approx(0.1)


def test_a_constant_is_its_own_bound() -> None:
    """A formula without names is looked at once."""
    found = enclose_box(sp.pi, [], ())
    assert found.low <= 3.141592653589793 <= found.high
    assert found.boxes == 1


def test_each_means_says_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CrossHair proves what is linear in integers, both find the 0, and what is announced is no failure.

    What fails is exit code 1; a module that promises nothing is an error, and nothing is written.
    """
    monkeypatch.chdir(tmp_path)
    Path("bare.py").write_text("def f(x):\n    return x\n")
    assert main(["maths", "verify", "bare.py"]) == 2
    assert "the module promises nothing" in capsys.readouterr().err
    if reason := no_sandbox():
        pytest.skip(reason)
    Path("promises.py").write_text(MODULE)
    assert main(["maths", "verify", "promises.py", "--json", "--examples", "50", "--paths", "8"]) == 1
    told = json.loads(capsys.readouterr().out)
    rows = {(row["function"], row["by"]): (row["kind"], row["detail"]) for row in told["rows"]}
    assert rows["double", "CrossHair"] == ("proved", "every path")
    assert rows["double", "Hypothesis"] == ("searched", "50 examples")
    by_zero = "inverse(x=0.0): ZeroDivisionError: float division by zero"
    assert rows["inverse", "Hypothesis"] == ("failed", by_zero)
    assert rows["inverse", "CrossHair"][0] == "failed"
    assert "inverse(0" in rows["inverse", "CrossHair"][1]
    assert rows["root", "Hypothesis"][0] == "searched"
    assert told["left"] == [{"name": "joined", "why": "text is none of float, int, bool"}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.py", "promises.py"]


def test_a_contract_is_data() -> None:
    """What goes to the process that searches is plain."""
    contract = Contract("f", (Parameter("x", "float", 0.0),), post=("_ > 0",))
    assert json.loads(json.dumps(contract.data()))["parameters"][0]["low"] == 0.0
