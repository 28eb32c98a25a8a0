from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from grn.cli.main import main
from grn.kit.errors import DataError, ProviderError, UsageError
from grn.llm.calls import Caller
from grn.llm.request import File, Text
from grn.llm.tables import frame_of, read_table, schema_of
from tests.llm.asks import FLASH
from tests.llm.servers import Answer, Server, gemini_stream, gemini_text

Make = Callable[..., Caller]
COLUMNS = {"year": "integer", "revenue": "number", "closed": "date", "note": "text", "audited": "boolean"}
ROWS = [
    {"year": 2024, "revenue": -1234.5, "closed": "2024-12-31", "note": "restated", "audited": True},
    {"year": 2025, "revenue": 99, "closed": None, "note": None, "audited": None},
]
PDF = File("application/pdf", b"%PDF-1.4 a report", "report.pdf")


def answer(text: str) -> Answer:
    return gemini_stream([gemini_text(text, "STOP", {"promptTokenCount": 9, "candidatesTokenCount": 9})])


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)


def test_a_report_becomes_a_typed_frame(server: Server, caller: Make) -> None:
    """The document goes with question and schema; what comes back has the columns' types, nulls kept."""
    server.answers = [answer(json.dumps({"rows": ROWS}))]
    frame = read_table(caller(), [PDF, Text("an annex")], COLUMNS, "revenue by year", model=FLASH)
    assert frame.schema == {
        "year": pl.Int64,
        "revenue": pl.Float64,
        "closed": pl.Date,
        "note": pl.String,
        "audited": pl.Boolean,
    }
    assert frame.rows() == [
        (2024, -1234.5, date(2024, 12, 31), "restated", True),
        (2025, 99.0, None, None, None),
    ]
    sent = server.asked[0][1]
    assert sent["generationConfig"]["responseJsonSchema"] == schema_of(COLUMNS)
    assert sent["contents"][0]["parts"][0]["inlineData"]["mime_type"] == "application/pdf"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", "2024"), ("integer", 1.5), ("integer", True), ("number", "1,234"), ("date", "31.12.2024"),
     ("date", 20241231), ("boolean", 1), ("text", 7)],
)  # fmt: skip
def test_a_cell_of_another_type_is_named(kind: str, value: object) -> None:
    """Nothing is converted on the quiet."""
    with pytest.raises(DataError, match=f"row 1, column 'x' is no {kind}"):
        frame_of([{"x": None}, {"x": value}], {"x": kind})


def test_rows_have_the_columns_asked_for() -> None:
    """No more and no fewer; an empty table keeps its types."""
    with pytest.raises(DataError, match="row 0"):
        frame_of([{"y": 1}], {"x": "integer"})
    assert frame_of([], {"x": "date"}).schema == {"x": pl.Date}


def test_what_is_no_table_is_refused(server: Server, caller: Make) -> None:
    """Prose instead of rows; columns without a type."""
    server.answers = [answer("there are two years"), answer('{"rows": 1}')]
    for _ in range(2):
        with pytest.raises(ProviderError, match="with a table"):
            read_table(caller(), [PDF], COLUMNS, "x", model=FLASH)
    for columns in ({}, {"x": "float"}):
        with pytest.raises(UsageError):
            schema_of(columns)


def test_from_the_command_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recorded once, then from the tape as a table, JSON lines, Parquet and CSV; nothing wrong is sent."""
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").write_bytes(PDF.data)
    Path("columns.json").write_text(json.dumps(COLUMNS))
    server.answers = [answer(json.dumps({"rows": ROWS}))]
    command = ["llm", "table", "report.pdf", "revenue by year", "--columns", "columns.json"]
    assert main([*command, "--record", "t", "--max-cost", "0.5"]) == 0
    first = capsys.readouterr().out.splitlines()[1].split()
    assert first == ["2,024", "-1,234.5", "2024-12-31", "restated", "yes"]
    assert main([*command, "--replay", "t", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {**ROWS[0]},
        {**ROWS[1], "revenue": 99.0},
    ]
    assert main([*command, "--replay", "t", "-o", "out.parquet"]) == 0
    assert main([*command, "--replay", "t", "-o", "out.csv"]) == 0
    assert pl.read_parquet("out.parquet").height == 2
    assert Path("out.csv").read_text().startswith("year,revenue,")
    assert len(server.asked) == 1
    untyped, two_tapes = ["--columns", '{"x": "float"}'], ["--record", "a", "--replay", "b"]
    for wrong in (["-o", "x.xlsx"], ["-o", "no/x.csv"], ["--columns", "[]"], untyped, two_tapes):
        assert main([*command, *wrong]) == 2
