"""One module a provider: the maker's own client, imported when it is first used and by nobody else's call."""

from __future__ import annotations

from collections.abc import Mapping

from grn.kit.errors import require_extra
from grn.llm.port import Provider

ADDRESSES: Mapping[str, str] = {
    "anthropic": "ANTHROPIC_BASE_URL",
    "google": "GOOGLE_GEMINI_BASE_URL",
    "voyage": "VOYAGE_BASE_URL",
}
"""Environment variables that send a provider's calls elsewhere: to a proxy, a gateway, a test's server."""


def connect(name: str, *, timeout_s: float) -> Provider:
    """Make a provider ready, importing its client.

    Parameters
    ----------
    name
        See :data:`grn.llm.lifecycle.PROVIDERS`.
    timeout_s
        How long to wait for the next byte of an answer.

    Raises
    ------
    AccessError
        It needs a key and there is none.
    MissingExtraError
        Its client is not installed.
    """
    match name:
        case "anthropic":
            require_extra("anthropic", "llm")
            from grn.llm.providers.anthropic import Anthropic

            return Anthropic.connect(timeout_s)
        case "google":
            require_extra("google.genai", "llm")
            from grn.llm.providers.google import Google

            return Google.connect(timeout_s)
        case "voyage":
            require_extra("voyageai", "llm")
            from grn.llm.providers.voyage import Voyage

            return Voyage.connect(timeout_s)
        case "local":
            from grn.llm.providers.local import Local

            return Local.connect(timeout_s)
        case _:
            raise ValueError(f"no provider {name!r}")
