"""The reference says what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from grn.kit import errors
from grn.kit.errors import ExitCode, GrnError
from tests.docs.blocks import ROOT

REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """Import docs/generate.py, which is a script and belongs to no package."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cli.md", "errors.md", "indicators.md"])
def test_the_page_is_fresh(generate: ModuleType, name: str) -> None:
    """A generated page equals what the code gives now; `make fix` writes it anew."""
    assert set(generate.PAGES) == {"cli.md", "errors.md", "indicators.md"}
    assert read(name) == generate.PAGES[name]().rstrip() + "\n"


def test_every_command_is_there(generate: ModuleType) -> None:
    """Each command has its entry with every option, and a help that says what it does."""
    page = read("cli.md")
    for ctx in generate.commands():
        assert f"\n## `{ctx.command_path}`\n" in page
        assert ctx.command.help, f"{ctx.command_path} has no help"
        for parameter in ctx.command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{ctx.command_path}: {parameter.opts[0]} has no help"
                assert parameter.opts[-1] in page


def test_the_summary_in_the_table_begins_the_help(generate: ModuleType) -> None:
    """A command is summed up in its group's table as in its own help: the two are written apart."""
    for ctx in generate.commands():
        lazy = getattr(ctx.command, "lazy", {})
        for name, entry in lazy.items():
            command = ctx.command.get_command(ctx, name)
            first = (command.help or "").strip().partition("\n\n")[0].replace("\n", " ")
            assert first.startswith(entry.summary), (
                f"{ctx.command_path} {name}: {first!r} or {entry.summary!r}?"
            )


def test_every_exit_code_and_error_is_there() -> None:
    """Each exit code has its row; each error its entry, with an example and a fix."""
    page = read("errors.md")
    for code in ExitCode:
        assert f"| {code.value} | `{code.name}` |" in page
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, GrnError):
            entry = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
            assert "**Example:**" in entry
            assert "**Fix:**" in entry


def test_check_finds_a_stale_page(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--check` writes nothing and exits with 1; without it the page is written and then fresh."""
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    monkeypatch.setattr(generate, "PAGES", {"errors.md": generate.errors_page})
    assert generate.main(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_the_documentation_needs_no_installation_of_its_own() -> None:
    """docs/conf.py loads with the extra docs only, and takes the version from the package."""
    code = "import runpy; print(runpy.run_path('docs/conf.py')['version'])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    from importlib.metadata import version

    assert ran.stdout.strip() == version("alpha-metaphorica")
