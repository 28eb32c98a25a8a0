"""``grn quant indicators``."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_facts, write_json, write_table


@click.command()
@click.argument("name", required=False)
@json_option
def indicators(name: str | None, as_json: bool) -> None:
    """List the indicators, or describe one.

    For one: formula, parameters, warm-up, source, and where it differs from TA-Lib.
    """
    from grn.quant.indicators.registry import INDICATORS, get
    from grn.quant.indicators.spec import Indicator

    def record(i: Indicator) -> dict[str, object]:
        return {
            "name": i.name,
            "inputs": list(i.inputs),
            "params": {
                p.name: {"kind": p.kind, "minimum": p.minimum, "default": p.default} for p in i.params
            },
            "outputs": list(i.outputs),
            "summary": i.summary,
            "formula": i.formula,
            "source": i.source,
            "talib": i.talib,
            "differs": i.differs,
        }

    if name is not None:
        one = record(get(name))
        write_json(one) if as_json else write_facts((k, _flat(v)) for k, v in one.items())
        return
    listed = [record(i) for i in INDICATORS.values()]
    if as_json:
        write_json(listed)
    else:
        write_table(
            ["name", "inputs", "parameters", "outputs", "summary"],
            [
                [i["name"], _flat(i["inputs"]), _flat(i["params"]), _flat(i["outputs"]), i["summary"]]
                for i in listed
            ],
        )


def _flat(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(k if v["default"] is None else f"{k}={v['default']}" for k, v in value.items())
    return ", ".join(value) if isinstance(value, list) else value
