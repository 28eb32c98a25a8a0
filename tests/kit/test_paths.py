from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grn.kit.errors import UsageError
from grn.kit.paths import cache_dir, grn_home, ledger_dir

HOME = Path.home()


def test_grn_home_wins(tmp_path: Path) -> None:
    """GRN_HOME decides everything that lasts; a relative one counts from the working directory."""
    assert grn_home({"GRN_HOME": str(tmp_path)}) == tmp_path
    assert ledger_dir({"GRN_HOME": str(tmp_path)}) == tmp_path / "ledger"
    assert grn_home({"GRN_HOME": "here"}) == Path.cwd() / "here"
    assert grn_home({"GRN_HOME": "~/here"}) == HOME / "here"


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG rule is Linux's")
def test_xdg_is_followed() -> None:
    """The XDG base directory specification: its variables, their defaults, and relative paths ignored."""
    assert grn_home({"XDG_DATA_HOME": "/data"}) == Path("/data/grn")
    assert grn_home({"XDG_DATA_HOME": "data"}) == HOME / ".local/share/grn"
    assert grn_home({}) == HOME / ".local/share/grn"
    assert cache_dir({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/grn")
    assert cache_dir({}) == HOME / ".cache/grn"


def test_the_cache_has_its_own_variable(tmp_path: Path) -> None:
    """The cache may be on another disk than what must not be lost."""
    assert cache_dir({"GRN_CACHE": str(tmp_path), "GRN_HOME": "/elsewhere"}) == tmp_path


def test_no_home_folder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service user without a home folder is told which variable to set."""

    def homeless(_self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(UsageError) as caught:
        grn_home({})
    assert "GRN_HOME" in (caught.value.hint or "")
