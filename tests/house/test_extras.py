"""What the package depends on is pinned, installed, and importable."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
SELF = canonicalize_name(PROJECT["name"])

# Programs rather than modules: they are called by name.
PROGRAMS = {"ruff": "ruff", "uv": "uv"}

# Modules that come with a package and need another one, for a use that is not ours.
# crosshair-tool names the folders that it was built in beside its own two.
UNUSED = {"adbc_driver_duckdb", "build", "doc", "wheelhouse"}

# Extras that are pinned and documented, and not always installed for the tests: without a card `cuda` can do
# nothing, and torch's build for cards asks for another compiler than the tests of that extra do.
# `film` is built from source, where the headers of Cairo and Pango are.
FOR_HARDWARE = {"cuda", "film", "train"}


@cache
def pins() -> dict[str, str]:
    """Read the versions that constraints.txt pins for this Python and platform."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    every = [Requirement(line) for line in lines if not line.startswith("#")]
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in every
        if pin.marker is None or pin.marker.evaluate()
    }


def pinned(name: str) -> str | None:
    return pins().get(canonicalize_name(name))


def needed(requirements: list[str], extras: frozenset[str] = frozenset()) -> list[Requirement]:
    """Return the requirements that apply here, the project's own extras resolved."""
    found: list[Requirement] = []
    for requirement in map(Requirement, requirements):
        contexts = [{**default_environment(), "extra": extra} for extra in (*sorted(extras), "")]
        if requirement.marker and not any(requirement.marker.evaluate(context) for context in contexts):
            continue
        if canonicalize_name(requirement.name) == SELF:
            for extra in sorted(requirement.extras):
                found += needed(EXTRAS[extra])
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_resolves_from_the_constraints(extra: str) -> None:
    """Everything an extra needs, directly or not, is pinned to a version that satisfies who asks for it."""
    todo = [(extra or "the core", requirement) for requirement in needed(EXTRAS[extra])]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        asking, requirement = todo.pop()
        pin = pinned(requirement.name)
        assert pin is not None, (
            f"{requirement.name}, needed by {asking}, is not in constraints.txt: run make lock"
        )
        assert requirement.specifier.contains(pin, prereleases=True), (
            f"{asking} needs {requirement}, pinned {pin}"
        )
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            further = requires(requirement.name) or []
        except PackageNotFoundError:
            if extra in FOR_HARDWARE:
                continue
            pytest.fail(f"{requirement.name} is not installed: run `make test`, which installs every extra")
        todo += [(requirement.name, child) for child in needed(further, key[1])]


@pytest.mark.parametrize("extra", [extra for extra in EXTRAS if extra not in FOR_HARDWARE])
def test_every_extra_imports(extra: str) -> None:
    """The modules of every package that an extra names import, in the version pinned."""
    modules_of: dict[str, list[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules_of.setdefault(canonicalize_name(distribution), []).append(module)
    lines = []
    # What one extra takes over from another is imported by that one's test.
    own = [line for line in EXTRAS[extra] if canonicalize_name(Requirement(line).name) != SELF]
    for requirement in needed(own):
        name = canonicalize_name(requirement.name)
        assert version(name) == pinned(name)
        if name in PROGRAMS:
            subprocess.run(
                [Path(sys.executable).parent / PROGRAMS[name], "--version"], check=True, capture_output=True
            )
        else:
            public = [
                module
                for module in modules_of[name]
                if not module.startswith("_") and "." not in module and module not in UNUSED
            ]
            assert public, f"{name} brings no module"
            lines += [f"import {module}" for module in sorted(public) if module.isidentifier()]
    code = "import warnings; warnings.simplefilter('ignore')\n" + "\n".join(lines)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_constraints_are_versions_only() -> None:
    """Every line pins one version: no addresses, options or hashes, whatever index the installer uses."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        assert re.fullmatch(r"#.*|[\w.-]+==[\w.!+]+( ; [^;@#]+)?", line), line
    assert "://" not in text
    assert "uv pip compile" in text.partition("\n\n")[0]


def test_every_extra_is_documented() -> None:
    """Each extra and what it brings stands on the page about extras."""
    page = (ROOT / "docs" / "reference" / "extras.md").read_text(encoding="utf-8")
    for extra in PROJECT["optional-dependencies"]:
        assert f"| `{extra}` |" in page
    for requirement in (*EXTRAS["samples"], *EXTRAS["peers"]):
        assert Requirement(requirement).name in page


def test_hints_name_extras_that_exist() -> None:
    """Whatever the code tells people to install is an extra of this package."""
    for path in (ROOT / "src").rglob("*.py"):
        for extra in re.findall(
            r"require_extra\([^,()]+,\s*[\"'](\w+)[\"']", path.read_text(encoding="utf-8")
        ):
            assert extra in PROJECT["optional-dependencies"], f"{path.name} names the extra {extra!r}"
