"""The files that come of a derivation: module, tests of its properties, picture of its errors, trace."""

from __future__ import annotations

import json
from pathlib import Path

from grn.kit.files import write_atomic
from grn.maths.implement.module import Implemented, module_source, trace_of, trace_path
from grn.maths.implement.plot import draw_panels
from grn.maths.implement.properties import properties_source


def write_files(made: Implemented, module: Path) -> list[Path]:
    """Write module, properties, picture and trace; each is whole or absent."""
    tests = module.with_name(f"test_{module.stem}.py")
    picture = module.with_suffix(".svg")
    write_atomic(module, module_source(made))
    write_atomic(tests, properties_source(made, module.stem))
    write_atomic(picture, draw_panels(made.panels))
    write_atomic(trace_path(module), json.dumps(trace_of(made, module), indent=1, ensure_ascii=False) + "\n")
    return [module, tests, picture, trace_path(module)]
