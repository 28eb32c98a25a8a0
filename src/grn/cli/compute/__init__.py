"""``grn compute``: heavy work, here or on a cluster."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "train": LazyCommand(
            "grn.cli.compute.train:train", "Train a model as RECIPE says: QLoRA, LoRA, or all weights"
        ),
        "connect": LazyCommand(
            "grn.cli.compute.connect:connect", "Open the connection to CLUSTER, answering what it asks"
        ),
        "submit": LazyCommand("grn.cli.compute.submit:submit", "Send JOB to a cluster and queue it"),
        "jobs": LazyCommand("grn.cli.compute.jobs:jobs", "List runs on a cluster and how they stand"),
        "attach": LazyCommand("grn.cli.compute.attach:attach", "Follow the log of RUN until it ends"),
        "cancel": LazyCommand("grn.cli.compute.cancel:cancel", "End RUN"),
        "retry": LazyCommand("grn.cli.compute.retry:retry", "Queue RUN again where it did not end well"),
        "clean": LazyCommand("grn.cli.compute.clean:clean", "Remove runs from a cluster that were fetched"),
        "fetch": LazyCommand("grn.cli.compute.fetch:fetch", "Bring the results of RUN home, verified"),
    },
)
def compute() -> None:
    """Fine-tune models, run jobs on a cluster, bring their results home."""
