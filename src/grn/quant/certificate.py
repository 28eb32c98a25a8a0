"""Certificates: what the ledger saw of a run, signed, so that others can hold a result to it.

A certificate says which strategy was run over which space, on which data; how many trials stood in the
ledger then; which verdicts were asked for; which periods were locked, when, what had been seen of them
before, and who opened them. It claims only what this ledger saw: looks that were made elsewhere are not in
it, and whoever keeps a ledger could have kept two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grn.kit.canonical import canonical_json
from grn.kit.clock import Clock, SystemClock
from grn.kit.errors import LedgerError, UsageError
from grn.kit.files import sha256_hex, write_atomic
from grn.kit.signing import SigningKey, verify
from grn.ledger import Invocation, Ledger
from grn.ledger.holdouts import Holdout, Look
from grn.quant import record
from grn.quant.asked import verdicts_on
from grn.quant.strategy.plain import from_plain

KIND: Final = "grn.certificate.1"
SCOPE: Final = "what one ledger saw; looks that were made elsewhere are not in it"
_EVER: Final = 2**63 - 1


@dataclass(frozen=True)
class Certificate:
    """Claims and their signature.

    Attributes
    ----------
    claims
        What is said, as plain data; its canonical JSON is what is signed.
    public_key, signature
        Ed25519, in hex digits.
    """

    claims: Mapping[str, Any]
    public_key: str
    signature: str

    @property
    def valid(self) -> bool:
        """Whether the claims are those that were signed.  Whose key it is, is for the reader to know."""
        return self.claims.get("kind") == KIND and verify(
            self.public_key, self.signature, canonical_json(self.claims)
        )

    def save(self, path: Path) -> None:
        """Write it as indented JSON, whole or not at all."""
        content = {"claims": self.claims, "public_key": self.public_key, "signature": self.signature}
        write_atomic(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def certify(ledger: Ledger, run: str, key: SigningKey, *, clock: Clock | None = None) -> Certificate:
    """Certify what the ledger saw of a finished run.

    Raises
    ------
    UsageError
        There is no such run, or it is no sweep, search or backtest.
    LedgerError
        The run did not finish, or the ledger is not whole: nothing is certified that does not fit.
    """
    entry = ledger.show(run)
    if "strategy" not in entry.inputs or "grid" not in entry.inputs:
        raise UsageError(f"run {entry.run} is no sweep or backtest", seen=entry.command)
    if entry.outcome is None or entry.outcome.exit_code != 0:
        raise LedgerError(f"run {entry.run} did not finish: there is nothing to certify", hint="run it again")
    found = ledger.check()
    if found.faults:
        raise LedgerError(
            "the ledger is not whole: nothing is certified", seen=found.faults[0], hint="grn ledger check"
        )
    now_ns = (SystemClock() if clock is None else clock).now_ns()
    claims = {
        "kind": KIND,
        "scope": SCOPE,
        "issued_ns": now_ns,
        "ledger": {"head": found.head, "rows": found.rows},
        **_claims(ledger, entry),
    }
    return Certificate(claims, key.public, key.sign(canonical_json(claims)))


def read_certificate(path: Path) -> Certificate:
    """Read a certificate; whether it holds is another question (`Certificate.valid`).

    Raises
    ------
    UsageError
        The file cannot be read or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
        claims, public, signature = (content[k] for k in ("claims", "public_key", "signature"))
        if not (isinstance(claims, dict) and isinstance(public, str) and isinstance(signature, str)):
            raise TypeError
    except OSError as error:
        raise UsageError(f"cannot read {path}", seen=error.strerror) from error
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            "this is no certificate", seen=str(path), hint="grn quant certify RUN writes one"
        ) from None
    return Certificate(claims, public, signature)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; a name that stands twice would be read differently by others."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def _claims(ledger: Ledger, entry: Invocation) -> dict[str, Any]:
    inputs: Mapping[str, Any] = entry.inputs
    assert entry.outcome is not None
    strategy = from_plain(inputs["strategy"])
    ids = sorted({row.data_id for row in entry.trials})
    count = ledger.count_trials(ids, watermark=entry.outcome.watermark)
    looks = [Look(one["identity"], one["symbol"], _EVER) for one in inputs["data"]]
    return {
        "run": entry.run,
        "command": entry.command,
        "began_ns": entry.began_ns,
        "finished_ns": entry.outcome.finished_ns,
        "result_key": entry.outcome.result_key,
        "frame_sha256": entry.outcome.outputs.get("frame_sha256"),
        "versions": dict(entry.versions),
        "strategy": {"name": strategy.name, "sha256": record.strategy_key(strategy)},
        "space": {
            "sha256": sha256_hex(canonical_json({"strategy": inputs["strategy"], "grid": inputs["grid"]})),
            **{k: v for k, v in inputs["grid"].items() if k != "sha256"},
        },
        "rules_sha256": sha256_hex(canonical_json(inputs["rules"])),
        "data": [
            {k: one[k] for k in ("symbol", "identity", "digest", "bars", "first_ns", "last_ns")}
            for one in inputs["data"]
        ],
        "trials": {"n": count.n, "data_sets": count.data_sets, "watermark": count.watermark},
        "verdicts": [one.to_dict() for one in verdicts_on(ledger, entry.outcome.result_key or "")],
        "holdouts": [_holdout(ledger, one, entry) for one in ledger.check_holdouts(looks, allowed=True)],
    }


def _holdout(ledger: Ledger, one: Holdout, entry: Invocation) -> dict[str, Any]:
    seen = ledger.count_touching(one).n
    return {
        "symbol": one.symbol,
        "identity": one.identity,
        "from_ns": one.from_ns,
        "locked_ns": one.locked_ns,
        "trials_that_had_seen_it": seen,
        "fixed_before_looking": seen == 0,
        "locked_before_this_run": one.locked_ns <= entry.began_ns,
        "opened_by_this_run": entry.run in {opening.run for opening in one.openings},
        "openings": [
            {
                "run": opening.run,
                "opened_ns": opening.opened_ns,
                "trials": ledger.show(opening.run).n_trials,
            }
            for opening in one.openings
        ],
    }
