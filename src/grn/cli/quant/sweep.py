"""``grn quant sweep FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.capped import within_memory
from grn.cli.output import json_option, write_json
from grn.cli.quant.options import parse_settings, pick_data, read_rules, run_options
from grn.cli.quant.tables import check_frame_output, check_output, pick_order, save_frame, top_rows, write_top
from grn.kit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from grn.quant.strategy.weights import AnyStrategy
    from grn.quant.stream.result import StreamResult


@click.command()
@run_options
@click.option(
    "-p", "--param", "settings", multiple=True, help="Other values: name=2:100, name=5,10,20, name=7."
)
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Rows to show.")
@click.option("--by", help="Metric that orders the rows (default: sharpe).")
@click.option(
    "--min-trades", type=click.IntRange(min=0), default=0, help="Show rows with at least so many trades."
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads (default: every processor).")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write all rows to a .parquet or .csv file."
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Stream the sweep into this folder, in bounded memory; the same again goes on where it stopped.",
)
@click.option(
    "--chunk", type=click.IntRange(min=1), help="With --to: combinations per chunk (default: 131,072 rows)."
)
@click.option("--on", "cluster", metavar="CLUSTER", help="With --to: compute it there, as a job array.")
@click.option(
    "--tasks", type=click.IntRange(min=1), help="With --on: tasks of the array (default: 16 at most)."
)
@click.option(
    "--cpus", type=click.IntRange(min=1), default=4, show_default=True, help="With --on: of a task."
)
@click.option(
    "--walltime-min", type=click.IntRange(min=1), default=60, show_default=True, help="With --on: of a task."
)
@click.option("--report", type=click.Path(path_type=Path), help="Write the HTML report, with the verdict.")
@click.option("--dry-run", is_flag=True, help="Print what would be run and what it takes, and stop.")
@json_option
@within_memory
def sweep(
    file: Path,
    data: str | None,
    metrics: str | None,
    engine: str,
    settings: tuple[str, ...],
    top: int,
    by: str | None,
    min_trades: int,
    threads: int | None,
    output: Path | None,
    folder: Path | None,
    chunk: int | None,
    cluster: str | None,
    tasks: int | None,
    cpus: int,
    walltime_min: int,
    report: Path | None,
    dry_run: bool,
    as_json: bool,
    **rules: Any,
) -> int:
    """Run a strategy at every parameter setting.

    Every combination is a trial and is counted in the ledger.  FILE is a Python file that defines a
    strategy, such as examples/ma_cross.py.

    With --on a cluster computes it and the command returns; the same command again, once it is done, brings
    it home: the same bytes in FOLDER and the same trials in the ledger as without --on.
    """
    from grn.quant.files import load_strategy_file
    from grn.quant.strategy.settings import with_values

    check_frame_output(output)
    check_output(report)
    _check_folder(folder, chunk, output, report)
    order = pick_order(by, metrics)
    loaded = load_strategy_file(file)
    strategy = with_values(loaded.strategy, parse_settings(settings))
    chosen_data = pick_data(loaded, data)
    chosen_rules = read_rules(loaded, **rules)
    if dry_run and cluster is None:
        from grn.cli.quant.plans import write_plan, write_stream_plan

        if folder is None:
            write_plan(strategy, chosen_rules, chosen_data, metrics, engine, as_json=as_json)
        else:
            write_stream_plan(
                strategy, chosen_rules, chosen_data, metrics, engine, chunk=chunk, as_json=as_json
            )
        return ExitCode.DONE
    if cluster is not None:
        from grn.cli.quant.shards import sweep_there

        code, brought = sweep_there(
            strategy, chosen_data, folder, cluster, tasks=tasks, cpus=cpus, walltime_min=walltime_min,
            dry_run=dry_run, as_json=as_json, metrics=metrics, engine=engine, threads=threads, chunk=chunk,
            rules=chosen_rules,
        )  # fmt: skip
        if brought is not None:
            _show_stream(brought, order, top, min_trades, everything=metrics is not None, as_json=as_json)
        return code
    if folder is not None:
        streamed = _stream(
            strategy, chosen_data, folder, metrics=metrics, engine=engine, threads=threads, chunk=chunk,
            rules=chosen_rules,
        )  # fmt: skip
        _show_stream(streamed, order, top, min_trades, everything=metrics is not None, as_json=as_json)
        return ExitCode.DONE
    from grn.kit.progress import Progress
    from grn.quant.sweep import sweep as run_sweep

    with Progress("sweep", unit="combinations") as progress:
        result = run_sweep(
            strategy, chosen_data, metrics=metrics, engine=engine, threads=threads, progress=progress.advance,
            expect=progress.expect, command="quant sweep", rules=chosen_rules,
        )  # fmt: skip
    if output is not None:
        save_frame(result.frame, output)
    if report is not None:
        from grn.cli.quant.verdicts import judge_with_progress, open_known_ledger

        with open_known_ledger() as ledger:
            validation = judge_with_progress(result, ledger)
        result.report(report, validation=validation)
        click.echo(f"report {report}: {validation.decision}", file=sys.stderr)
    rows = top_rows(result, order, top, min_trades)
    if not rows:
        raise UsageError("no row has so many trades", seen=min_trades, hint="lower --min-trades")
    if as_json:
        write_json(
            {
                "run": result.run,
                "result_key": result.result_key,
                "rows": len(result),
                "trials": result.trials.n if result.trials else None,
                "top": rows,
            }
        )
        return ExitCode.DONE
    write_top(rows, order, everything=metrics is not None)
    took = f"{result.timings_s['total']:.2f} s, engine {result.choice.engine}"
    note = f"run {result.run}: {len(result):,} rows in {took}"
    click.echo(
        f"{note}; {result.trials.n:,} trials counted on this data" if result.trials else note, file=sys.stderr
    )
    click.echo(f"next: grn quant validate {result.run}", file=sys.stderr)
    return ExitCode.DONE


def _show_stream(
    result: StreamResult, order: str, top: int, min_trades: int, *, everything: bool, as_json: bool
) -> None:
    from grn.cli.quant.top import write_stream

    write_stream(result, order, top, min_trades, everything=everything, as_json=as_json)
    click.echo(f"next: grn quant top {result.path}, or grn quant validate {result.run}", file=sys.stderr)


def _check_folder(folder: Path | None, chunk: int | None, output: Path | None, report: Path | None) -> None:
    if folder is None:
        if chunk is not None:
            raise UsageError(
                "chunks are those of a streamed sweep", seen=f"--chunk {chunk}", hint="add --to FOLDER"
            )
        return
    for name, path in (("--output", output), ("--report", report)):
        if path is not None:
            raise UsageError(
                f"{name} needs all rows in memory, --to keeps them on the disk",
                seen=str(path),
                hint="leave one of them out; the parts in the folder are Parquet files",
            )


def _stream(strategy: AnyStrategy, data: Any, folder: Path, **options: Any) -> StreamResult:
    """Stream a sweep with progress; an interrupted one says what is kept."""
    from grn.kit.progress import Progress
    from grn.quant.stream.run import stream_sweep

    with Progress("sweep", unit="combinations") as progress:
        try:
            return stream_sweep(
                strategy, data, folder, progress=progress.advance, expect=progress.expect,
                command="quant sweep", **options,
            )  # fmt: skip
        except KeyboardInterrupt:
            click.echo(f"finished chunks are kept in {folder}: the same command goes on", file=sys.stderr)
            raise
