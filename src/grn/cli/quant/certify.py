"""``grn quant certify RUN``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.output import json_option, write_facts, write_json
from grn.kit.clock import utc_text
from grn.kit.errors import ExitCode, UsageError
from grn.kit.paths import grn_home, ledger_dir

if TYPE_CHECKING:
    from grn.quant.certificate import Certificate


@click.command()
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write (default: RUN.certificate.json here).",
)
@click.option("--verify", "file", type=click.Path(path_type=Path), help="Verify this file instead.")
@click.option("--key", help="With --verify: the public key that must have signed it.")
@json_option
def certify(
    run: str | None, output: Path | None, file: Path | None, key: str | None, as_json: bool
) -> ExitCode:
    """Sign what the ledger saw of a run, or verify it.

    Strategy, search space, data, trials counted, hold-outs with all their openings, and the head of the
    ledger, signed with a key that is made on first use. It claims only what this ledger saw. --verify works
    anywhere: exit code 1 when the file was changed, was signed with another key than --key, or when the
    ledger here has forgotten the run.
    """
    if (run is None) == (file is None):
        raise UsageError("name a run to certify, or a file to verify", hint="grn quant certify RUN")
    if file is not None:
        return _verify(file, key, as_json=as_json)
    assert run is not None
    from grn.kit.signing import open_key
    from grn.ledger import Ledger
    from grn.quant.certificate import certify as sign

    if not Ledger.exists(ledger_dir()):
        raise UsageError("there is no ledger yet", seen=str(ledger_dir()))
    with Ledger.open(ledger_dir()) as book:
        made = sign(book, run, open_key(grn_home() / "keys" / "certify.key"))
    path = output or Path(f"{made.claims['run']}.certificate.json")
    made.save(path)
    _write(made, as_json=as_json)
    click.echo(f"written to {path}; verify: grn quant certify --verify {path}", file=sys.stderr)
    return ExitCode.DONE


def _verify(file: Path, key: str | None, *, as_json: bool) -> ExitCode:
    from grn.quant.certificate import read_certificate

    found = read_certificate(file)
    faults = []
    if not found.valid:
        faults.append("the claims are not the ones that were signed")
    if key is not None and key.lower() != found.public_key:
        faults.append(f"it was signed with another key: {found.public_key}")
    if not faults and (fault := _forgotten(found)):
        faults.append(fault)
    if as_json:
        write_json({"valid": not faults, "faults": faults, "key": found.public_key, "claims": found.claims})
    elif faults:
        for fault in faults:
            click.echo(f"not valid: {fault}")
    else:
        _write(found, as_json=False)
    return ExitCode.NO if faults else ExitCode.DONE


def _forgotten(found: Certificate) -> str | None:
    """What the ledger of this machine, if it has the run, no longer knows."""
    from grn.ledger import Ledger

    if not Ledger.exists(ledger_dir()):
        return None
    with Ledger.open(ledger_dir()) as book:
        if book.knows(str(found.claims["run"])) and not book.has_head(str(found.claims["ledger"]["head"])):
            return "the ledger here does not go on from what was certified"
    return None


def _write(found: Certificate, *, as_json: bool) -> None:
    if as_json:
        write_json({"claims": found.claims, "key": found.public_key, "signature": found.signature})
        return
    claims: Any = found.claims
    facts: list[tuple[str, object]] = [
        ("run", claims["run"]),
        ("began", utc_text(claims["began_ns"])),
        ("strategy", f"{claims['strategy']['name'] or '-'} {claims['strategy']['sha256']}"),
        ("space", claims["space"]["sha256"]),
        *(("data", f"{one['symbol']} {utc_text(one['first_ns'])[:10]} to {utc_text(one['last_ns'])[:10]}")
          for one in claims["data"]),
        ("trials", f"{claims['trials']['n']:,} up to watermark {claims['trials']['watermark']}"),
        *(("verdict", _verdict(one)) for one in claims.get("verdicts", [])),
        *(("hold-out", _holdout(one)) for one in claims["holdouts"]),
        ("ledger", f"{claims['ledger']['rows']:,} rows, head {claims['ledger']['head']}"),
        ("claims", claims["scope"]),
        ("signed with", found.public_key),
    ]  # fmt: skip
    write_facts(facts)


def _verdict(one: Any) -> str:
    how = f"{one['shuffles']} shuffles of blocks of {one['block']}, seed {one['seed']}"
    return f"{one['decision']}, with {how}, {one['counted']:,} trial(s) counted"


def _holdout(one: Any) -> str:
    seen = "not seen before" if one["fixed_before_looking"] else (
        f"seen before by {one['trials_that_had_seen_it']:,} trial(s)"
    )  # fmt: skip
    openings = "; ".join(
        f"opened {utc_text(o['opened_ns'])} by {o['run']} ({o['trials']:,} trial(s))" for o in one["openings"]
    )
    locked = f"{one['symbol']} from {utc_text(one['from_ns'])[:10]}, locked {utc_text(one['locked_ns'])}"
    return f"{locked}, {seen}; {openings or 'not opened'}"
