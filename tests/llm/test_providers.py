from __future__ import annotations

import sys

import pytest

from grn.kit.errors import AccessError, MissingExtraError
from grn.llm import providers


@pytest.mark.parametrize(
    ("name", "module"), [("anthropic", "anthropic"), ("google", "google.genai"), ("voyage", "voyageai")]
)
def test_a_client_that_is_not_installed_is_named(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra that brings it, before anything else is looked at."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as caught:
        providers.connect(name, timeout_s=1.0)
    assert "[llm]" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["anthropic", "google", "voyage"])
def test_without_a_key_there_is_no_connection(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, and what to do."""
    import keyring

    monkeypatch.setattr(keyring, "get_password", lambda service, who: None)
    for variable in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "VOYAGE_API_KEY"):
        monkeypatch.delenv(variable)
    with pytest.raises(AccessError):
        providers.connect(name, timeout_s=1.0)


def test_the_local_model_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named when it is missing."""
    from grn.llm.local.engine import load

    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError) as caught:
        load("local", threads=3)
    assert "[local]" in (caught.value.hint or "")


def test_nobody_else_is_a_provider() -> None:
    """A name that is none is a bug, not a connection."""
    with pytest.raises(ValueError, match="no provider"):
        providers.connect("nobody", timeout_s=1.0)
