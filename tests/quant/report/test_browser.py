"""The report in a real browser, where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from grn.quant.report import write_report
from grn.quant.result import SweepResult
from grn.quant.validation import Validation

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
    "--virtual-time-budget=8000", "--enable-logging=stderr",
    # Every name resolves to nothing: a page that reaches for the network would fail.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


def open_page(path: Path, folder: Path, *flags: str) -> str:
    """Load a page, run its scripts, and return its elements; messages on the console fail."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,800", *flags,
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, re.findall(r".*CONSOLE.*", done.stderr)
    return done.stdout


def test_figures_are_drawn_and_answer(result: SweepResult, validation: Validation, tmp_path: Path) -> None:
    """Figures become drawings without an error; buttons change period, scale, colours; all are large."""
    path = write_report(result, tmp_path / "report.html", validation=validation)
    text = path.read_text(encoding="utf-8")
    wanted = len(re.findall(r'<div class="plot"', text))
    press = """<script>
    const log = {};
    const box = (id) => document.getElementById(id);
    const small = [...document.querySelectorAll("button, summary, nav a")]
      .filter((e) => { const r = e.getBoundingClientRect(); return r.height < 44; });
    log.small = small.map((e) => e.outerHTML);
    log.wide = document.documentElement.scrollWidth > innerWidth;
    const figure = box("equity-figure"), plot = box("plot-equity");
    log.before = plot.layout.yaxis.type;
    figure.querySelector("button[data-log]").click();
    log.after = plot.layout.yaxis.type;
    const whole = plot._fullLayout.xaxis.range.slice();
    figure.querySelectorAll("button[data-span]")[1].click();
    log.zoomed = plot._fullLayout.xaxis.range[0] > whole[0];
    log.light = plot.layout.paper_bgcolor;
    box("theme").click();
    log.dark = plot.layout.paper_bgcolor;
    log.kept = plot.layout.yaxis.type === log.after && plot._fullLayout.xaxis.range[0] > whole[0];
    document.documentElement.dataset.log = JSON.stringify(log);
    </script></body>"""
    path.write_text(text.replace("</body>", press), encoding="utf-8")
    page = open_page(path, tmp_path)
    assert f'data-drawn="{wanted}"' in page
    assert "data-errors" not in page
    assert page.count('class="main-svg"') >= wanted
    found = re.search(r'data-log="([^"]*)"', page)
    assert found is not None
    log = found[1].replace("&quot;", '"')
    for said in (
        '"small":[]', '"wide":false', '"before":"linear"', '"after":"log"', '"zoomed":true',
        '"light":"#fcfbf8"',
        '"dark":"#14171a"', '"kept":true',
    ):  # fmt: skip
        assert said in log, log


def test_dark_is_drawn_dark(result: SweepResult, tmp_path: Path) -> None:
    """Where the system wishes a dark page, figures are drawn in dark colours from the start."""
    path = write_report(result, tmp_path / "report.html")
    page = open_page(path, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert "rgb(20, 23, 26)" in page
    assert "data-errors" not in page
