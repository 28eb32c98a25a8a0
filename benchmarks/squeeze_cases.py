"""Outputs of real tools, made here and now, and which lines of them bear a load: the tool's own record says.

Every tool runs in a temporary folder on real code: this repository's tests of ``grn.kit`` against the package
with a fault put in, installed packages that a linter has something to say about, C and C++ that does not
compile, this repository's history. Nothing is labelled by hand, nor by what the filters do.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT

BIN = Path(sys.executable).parent
SITE = Path(sysconfig.get_paths()["purelib"])


@dataclass(frozen=True)
class Case:
    """What a tool wrote.

    Attributes
    ----------
    load
        Pieces of lines that have to be found in what is left of it, each in a line.
    """

    name: str
    kind: str
    text: str
    load: tuple[str, ...]


def run(*command: str | Path, cwd: Path, out: bool = True, err: bool = True) -> str:
    """Run a tool as a person would who pipes it on; returns what it wrote, in the order in which it came."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if out else subprocess.DEVNULL,
        stderr=(subprocess.STDOUT if out else subprocess.PIPE) if err else subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )
    return ran.stdout if out else ran.stderr


def cases(folder: Path) -> Iterator[Case]:
    """Make every case."""
    for make in (
        suites,
        findings,
        types,
        compiled,
        diffs,
        histories,
        installs,
        traces,
        logs,
        documents,
        tables,
    ):
        place = folder / make.__name__
        place.mkdir()
        yield from make(place)


# One fault each, put into the package that the tests test.
_FAULTS = (
    ("paths.py", '"XDG_DATA_HOME"', '"XDG_DATA"', "test_paths.py"),
    ("canonical.py", "sort_keys=True", "sort_keys=False", "test_canonical.py"),
    ("clock.py", "now_ns", "now_nanos", "test_clock.py"),
    ("files.py", "hexdigest()", "hexdigest().upper()", "test_files.py"),
    ("errors.py", "what is wrong", "what was wrong", "test_errors.py"),
)
_STYLES = (
    ("-q",),
    ("-v", "--tb=short"),
    ("-vv", "--tb=long", "-rA"),
    ("--tb=native", "--durations=3"),
    ("-ra", "--tb=auto", "--color=yes"),
)


def suites(folder: Path) -> Iterator[Case]:
    """Runs of pytest, most of which fail."""
    for number, (module, old, new, test) in enumerate(_FAULTS):
        place = folder / str(number)
        shutil.copytree(
            ROOT / "src" / "grn",
            place / "src" / "grn",
            ignore=shutil.ignore_patterns("__pycache__", "quant", "llm"),
        )
        shutil.copytree(
            ROOT / "tests" / "kit", place / "tests" / "kit", ignore=shutil.ignore_patterns("__pycache__")
        )
        file = place / "src" / "grn" / "kit" / module
        source = file.read_text(encoding="utf-8")
        file.write_text(source.replace(old, new), encoding="utf-8")
        (place / "pytest.ini").write_text(
            "[pytest]\npythonpath = src .\naddopts = --import-mode=importlib -p no:cacheprovider\n"
        )
        for style in (_STYLES[number], _STYLES[(number + 2) % len(_STYLES)]):
            record = place / "junit.xml"
            text = run(
                sys.executable, "-m", "pytest", f"tests/kit/{test}", *style, f"--junitxml={record}", cwd=place
            )
            yield Case(f"pytest {test} {' '.join(style)}", "pytest", text, _of_junit(record, text))
    file.write_text(source, encoding="utf-8")
    for style in (("-v",), ("-rA",), ()):
        text = run(sys.executable, "-m", "pytest", "tests/kit", *style, f"--junitxml={record}", cwd=place)
        yield Case(f"pytest all {' '.join(style)}", "pytest", text, _of_junit(record, text))


def _of_junit(record: Path, text: str) -> tuple[str, ...]:
    """The verdict, what was found of each failure, and where in user code: as JUnit's record has it."""
    load = [line for line in _plain(text).splitlines()[-3:] if re.search(r"\d (?:passed|failed|error)", line)]
    for case in ET.parse(record).getroot().iter("testcase"):
        for failed in (*case.findall("failure"), *case.findall("error")):
            for line in (failed.text or "").splitlines():
                found = line.startswith("E  ") and line.strip() != "E"
                place = re.match(r"(\S+\.py):\d+: |  File \"([^\"]+)\", line \d+", line)
                user = place is not None and "site-packages" not in line and "/lib/python" not in line
                if found or user:
                    load.append(line.strip())
    shown = {line.strip() for line in _plain(text).splitlines()}
    # Its record wraps nothing and shortens nothing; a style may show less than is in it.
    return tuple(line for line in load if line in shown)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


_LINTED = ("tabulate", "sortedcontainers", "dotenv", "pytz", "iniconfig")


def findings(folder: Path) -> Iterator[Case]:
    """Ruff on installed packages, in both of its styles."""
    for package in _LINTED:
        shutil.copytree(
            SITE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "zoneinfo")
        )
        rules = ("check", "--isolated", "--no-cache", "--select", "E,F,B,UP,SIM", package)
        said = json.loads(run(BIN / "ruff", *rules, "--output-format", "json", cwd=folder, err=False))
        places = [
            (Path(one["filename"]).relative_to(folder.resolve()), one["location"], one["code"])
            for one in said
        ]
        for style in ("full", "concise") if package in _LINTED[:3] else ("full",):
            text = run(BIN / "ruff", *rules, "--output-format", style, cwd=folder)
            load = [f"{path}:{at['row']}:{at['column']}" for path, at, _ in places]
            load += [str(code) for _, _, code in places if code] + [f"Found {len(said)} error"]
            yield Case(f"ruff {package} {style}", "ruff", text, tuple(load))


def types(folder: Path) -> Iterator[Case]:
    """Mypy, strict, on installed packages that were not written for it."""
    for package in _LINTED[:3]:
        shutil.copytree(
            SITE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "py.typed")
        )
        options = ("--strict", "--ignore-missing-imports", "--cache-dir", folder / "cache", package)
        said = run(BIN / "mypy", *options, "--output", "json", cwd=folder, err=False)
        found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        load = [
            f"{one['file']}:{one['line']}: {one['severity']}: {one['message']}"
            for one in found
            if one["severity"] == "error"
        ]
        style = ("--pretty", "--show-error-end") if package == _LINTED[0] else ()
        if style:
            load = [f"{one['file']}:{one['line']}" for one in found if one["severity"] == "error"]
        yield Case(
            f"mypy {package} {' '.join(style)}",
            "mypy",
            run(BIN / "mypy", *options, *style, cwd=folder),
            tuple(load),
        )


_SOURCES = {
    "missing.c": """\
#include <stdio.h>
int area(int w, int h) {
    int unused = 3;
    return w * hight;
}
int main(void) {
    printf("%d\\n", area(2));
    char *p = 7;
    return undeclared(p)
}
""",
    "templates.cpp": """\
#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <vector>
struct Row { int id; std::string name; };
int main() {
    std::list<Row> rows;
    std::sort(rows.begin(), rows.end());
    std::map<Row, int> seen;
    seen[Row{1, "a"}] = 2;
    std::vector<Row> v; v.push_back(3);
    return 0;
}
""",
    "streams.cpp": """\
#include <iostream>
#include <memory>
struct Point { double x, y; };
int main() {
    Point p{1, 2};
    std::cout << p << std::endl;
    std::unique_ptr<Point> a = std::make_unique<Point>(p), b = a;
    return b->z;
}
""",
    "warnings.c": """\
#include <string.h>
#include <stdlib.h>
static int helper(int a) { return a; }
int f(char *s, unsigned n) {
    int x;
    for (int i = 0; i < n; i++) s[i] = x;
    if (n = 3) return -1;
    char b[4]; strcpy(b, "too long for it");
    switch (n) { case 1: n++; case 2: return 2; }
}
""",
}


def compiled(folder: Path) -> Iterator[Case]:
    """GCC on C and C++ that is wrong."""
    for name, source in _SOURCES.items():
        (folder / name).write_text(source)
        compiler = "gcc" if name.endswith(".c") else "g++"
        options = ("-Wall", "-Wextra", "-O2", "-c", name, "-o", "out.o")
        said = run(compiler, *options, "-fdiagnostics-format=json", cwd=folder, out=False)
        found = [one for line in said.splitlines() if line.startswith("[") for one in json.loads(line)]
        load = []
        for one in found:
            caret = one["locations"][0]["caret"]
            load.append(
                f"{caret['file']}:{caret['line']}:{caret['column']}: {one['kind']}: "
                + one["message"].splitlines()[0]
            )
        yield Case(f"{compiler} {name}", "compiler", run(compiler, *options, cwd=folder), tuple(load))
    names = [f"part{number}" for number in range(40)]
    for name in names:
        (folder / f"{name}.c").write_text(f"int {name}(int a) {{ return a + {len(name)}; }}\n")
    (folder / "Makefile").write_text(
        f"all: {' '.join(f'{name}.o' for name in names)}\n%.o: %.c\n"
        "\tgcc -std=c11 -Wall -Wextra -O2 -g -fPIC -DNDEBUG -Iinclude -c $< -o $@\n"
    )
    yield Case("make", "compiler", run("make", cwd=folder), ())
    (folder / "Makefile").write_text(
        "all: warnings.o missing.o\n%.o: %.c\n\tgcc -Wall -Wextra -O2 -c $< -o $@\n"
    )
    text = run("make", "-k", cwd=folder)
    yield Case(
        "make -k",
        "compiler",
        text,
        tuple(line for line in text.splitlines() if re.search(r": (?:error|warning): |\*\*\*", line)),
    )


def _commits() -> list[str]:
    """Commits of this repository, one in so many of its whole history."""
    told = run("git", "rev-list", "--no-merges", "--reverse", "HEAD", cwd=ROOT).split()
    return told[5 :: max(len(told) // 8, 1)][:6]


def diffs(folder: Path) -> Iterator[Case]:
    """Commits of this repository as diffs."""
    for commit in _commits():
        text = run("git", "diff", "--no-color", f"{commit}~1", commit, "--", "src", "tests", "docs", cwd=ROOT)
        # `git diff` itself is the label: in a hunk every line says by its first letter what it is.
        load: list[str] = []
        left = 0
        for line in text.splitlines():
            hunk = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line)
            if hunk is not None:
                left = int(hunk[1] or 1) + int(hunk[2] or 1)
                load.append(line)
            elif left > 0:
                left -= 1 if line[:1] in "+-" else 2 if line[:1] == " " else 0
                if line[:1] in "+-" and line[1:].strip():
                    load.append(line.strip())
            elif line.startswith("diff --git"):
                load.append(line)
        yield Case(f"git diff {commit[:8]}", "diff", text, tuple(load))


def histories(folder: Path) -> Iterator[Case]:
    """The history of this repository, in three styles."""
    last = _commits()[-1]
    for style in ((), ("--stat",), ("-p", "--", "src/grn/kit")):
        span = ("git", "log", "-25", "--no-color", last)
        facts = run(
            *span, "--format=%H%x00%s", *style[style.index("--") :] if "--" in style else (), cwd=ROOT
        )
        load = [part for line in facts.splitlines() for part in line.split("\0") if part]
        yield Case(f"git log {' '.join(style)}", "git-log", run(*span, *style, cwd=ROOT), tuple(load))


def installs(folder: Path) -> Iterator[Case]:
    """Installers: what is there already, a package built from its source, one that is not to be had."""
    (folder / "widget").mkdir()
    (folder / "widget" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "widget"\nversion = "1.2.3"\ndependencies = ["numpy", "polars"]\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["widget"]\n'
    )
    (folder / "widget" / "widget").mkdir()
    (folder / "widget" / "widget" / "__init__.py").write_text("")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--dry-run",
        "--no-build-isolation",
        "--find-links",
        ".",
    )
    for name, wanted in (
        ("pip, all there", ("numpy", "polars", "pytest", "sphinx", "matplotlib")),
        ("pip, built", ("-v", "./widget")),
    ):
        report = folder / "report.json"
        text = run(*pip, "--report", report, *wanted, cwd=folder)
        new = [one["metadata"] for one in json.loads(report.read_text())["install"]]
        yield Case(name, "pip", text, tuple(f"{one['name']}-{one['version']}" for one in new))
    text = run(*pip, "./widget", "no-such-package-at-all", cwd=folder)
    yield Case(
        "pip, not to be had",
        "pip",
        text,
        tuple(line for line in text.splitlines() if line.startswith("ERROR: ")),
    )
    uv = (
        BIN / "uv",
        "pip",
        "install",
        "--offline",
        "--no-index",
        "--dry-run",
        "--no-build-isolation",
        "--python",
        sys.executable,
    )
    yield Case("uv, built", "pip", run(*uv, "./widget", cwd=folder), ("widget",))


_SCRIPTS = {
    "deep.py": """\
import json

def load(text):
    return json.loads(text)

def main():
    load('{"a": 1,}')

main()
""",
    "chained.py": """\
import configparser

def read(text):
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser['a']['b']

def main():
    try:
        read('b = 1')
    except Exception as error:
        raise RuntimeError('no configuration') from error

main()
""",
    "endless.py": """\
def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

even(10**6)
""",
    "gathered.py": """\
import asyncio

async def one(n):
    await asyncio.sleep(0)
    return 1 / n

async def main():
    async with asyncio.TaskGroup() as group:
        for n in (2, 1, 0):
            group.create_task(one(n))

asyncio.run(main())
""",
    "framed.py": """\
import polars as pl

def mean(frame):
    return frame.lazy().group_by('k').agg(pl.col('w').mean()).collect()

mean(pl.DataFrame({'k': [1, 2], 'v': [1.0, 2.0]}))
""",
    "queried.py": """\
import sqlalchemy as sa

def ask(engine):
    with engine.connect() as connection:
        return connection.execute(sa.text('select missing from nowhere')).all()

ask(sa.create_engine('sqlite://'))
""",
}
_WATCH = """\
import json, runpy, sys, traceback
try:
    runpy.run_path(sys.argv[1], run_name='__main__')
except BaseException as error:
    seen, todo = [], [error]
    while todo:
        e = todo.pop()
        if e is None: continue
        todo += [e.__cause__, *getattr(e, 'exceptions', ())]
        todo += [] if e.__suppress_context__ else [e.__context__]
        frames = [[f.filename, f.lineno] for f in traceback.extract_tb(e.__traceback__)]
        seen.append([frames, ''.join(traceback.format_exception_only(type(e), e)).strip().splitlines()])
    print(json.dumps(seen))
"""


def traces(folder: Path) -> Iterator[Case]:
    """Scripts that fail, in themselves, in libraries, in tasks, and on top of another error."""
    (folder / "watch.py").write_text(_WATCH)
    for name, source in _SCRIPTS.items():
        (folder / name).write_text(source)
        text = run(sys.executable, name, cwd=folder)
        told = json.loads(run(sys.executable, "watch.py", name, cwd=folder, err=False).splitlines()[-1])
        load: list[str] = []
        for frames, said in told:
            load += [
                line.strip()
                for line in said
                if line.strip() in {one.strip(" |") for one in text.splitlines()}
            ]
            mine = sorted({tuple(frame) for frame in frames if Path(frame[0]).name == name})
            load += [f'{name}", line {line}' for _, line in mine if f'{name}", line {line}' in text]
        yield Case(f"python {name}", "traceback", text, tuple(load))


_TOLD = """\
import json, logging, random, sys, time
import sqlalchemy as sa
rng = random.Random(int(sys.argv[1]))
class Record(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING: out.write(json.dumps(record.getMessage()) + '\\n')
out = open(sys.argv[2], 'w', buffering=1)
shape = '%(asctime)s %(levelname)s %(name)s: %(message)s'
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format=shape)
logging.getLogger().addHandler(Record())
log = logging.getLogger('shop')
engine = sa.create_engine('sqlite://', echo=False)
logging.getLogger('sqlalchemy.engine').setLevel(logging.INFO)
columns = (sa.Column('id', sa.Integer, primary_key=True), sa.Column('v', sa.Float))
table = sa.Table('rows', sa.MetaData(), *columns)
table.metadata.create_all(engine)
for n in range(int(sys.argv[3])):
    with engine.begin() as c:
        c.execute(table.insert(), [{'v': rng.random()} for _ in range(2)])
        found = c.execute(sa.select(sa.func.count()).select_from(table)).scalar()
    log.info('order %d stored in %.1f ms, %d rows', n, rng.random() * 9, found)
    if rng.random() < 0.05: log.warning('order %d waited %.2f s for the lock', n, rng.random() * 3)
    if rng.random() < 0.03:
        try: {}['price']
        except KeyError: log.exception('order %d has no price', n)
"""


def logs(folder: Path) -> Iterator[Case]:
    """Logs of a program with a database, and of a package manager that tells everything."""
    (folder / "told.py").write_text(_TOLD)
    for seed, orders in ((1, 20), (2, 60), (3, 150)):
        record = folder / "bad.jsonl"
        text = run(sys.executable, "told.py", str(seed), record, str(orders), cwd=folder)
        yield Case(
            f"log of {orders} orders",
            "log",
            text,
            tuple(json.loads(line) for line in record.read_text().splitlines()),
        )


def documents(folder: Path) -> Iterator[Case]:
    """JSON of tools; what bears a load is every value, so it is compared and not searched."""
    rules = (
        "check",
        "--isolated",
        "--no-cache",
        "--select",
        "E,F,B",
        "--output-format",
        "json",
        SITE / "tabulate",
    )
    yield Case("ruff json", "json", run(BIN / "ruff", *rules, cwd=folder, err=False), ())
    yield Case(
        "uv json",
        "json",
        run(BIN / "uv", "pip", "list", "--format", "json", "--python", sys.executable, cwd=folder, err=False),
        (),
    )
    report = json.loads(run(sys.executable, "-m", "pip", "inspect", cwd=folder, err=False))
    named = {
        "installed": [one["metadata"] for one in report["installed"]][:12],
        "environment": report["environment"],
    }
    yield Case("pip inspect", "json", json.dumps(named, indent=4), ())


def tables(folder: Path) -> Iterator[Case]:
    """Tables: the history of this repository as values."""
    for style in ("%H,%ct,%an", "%h;%ct;%ae"):
        text = "\n".join((style, run("git", "log", "-400", f"--format={style}", _commits()[-1], cwd=ROOT)))
        yield Case(
            f"csv {style}", "csv", text, (style, *text.splitlines()[1:3], text.rstrip("\n").splitlines()[-1])
        )
