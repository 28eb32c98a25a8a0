"""``grn compute fetch``: results, verified."""

from __future__ import annotations

from pathlib import Path

import click

from grn.cli.compute.options import on_option, reach, tell
from grn.kit.errors import UsageError


@click.command("fetch")
@click.argument("run")
@on_option
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Folder to make (default: the run's name)."
)
@click.option("--partial", is_flag=True, help="Take what there is of a run that is not done.")
def fetch(run: str, cluster: str | None, target: Path | None, partial: bool) -> None:
    """Bring the results of RUN home, verified.

    Every file is held against the hash that the run itself wrote at its end; the folder appears when all of
    them agree. A sweep (grn quant sweep --on) is merged into the folder and the ledger it was begun in.
    """
    from grn.cli.quant.shards import bring_home
    from grn.compute.results import fetch as bring
    from grn.flow.shards.note import read_note

    connection, settings, found = reach(cluster, run)
    note = read_note(connection.name, found.name)
    if note is not None:
        if target is not None and target.resolve() != note.folder:
            raise UsageError(
                "a sweep comes home into the folder it was begun in",
                seen=str(target),
                hint=f"--to {note.folder}",
            )
        click.echo(bring_home(connection, settings, found).path)
        return
    folder = Path(found.name) if target is None else target
    count = bring(connection, settings, found, folder.absolute(), partial=partial)
    click.echo(folder)
    tell(f"{count} files{'' if found.state == 'done' else f' of a run that is {found.state}'}")
