"""How many tokens a prompt can have at most, and about how many it will have, without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass

from grn.llm.request import Ask, File, Request

# No tokenizer in use makes more than one token of a byte. What the providers add around messages, tools and
# answer formats is small and not published exactly; Anthropic's tool preamble is the largest that is (346 to
# 804 tokens).
_PER_MESSAGE = 64
_FOR_TOOLS = 1024
_PER_PICTURE = 8_000
_PER_PAGE = 6_000  # Anthropic's guide: 1,500 to 3,000 tokens of text a page, and the page's picture
BYTES_PER_TOKEN = 4
"""Of English and code, about: the usual rule of thumb."""


@dataclass(frozen=True)
class Size:
    """Tokens of a prompt: the most there can be, and an estimate."""

    most: int
    about: int


def size_of(ask: Ask) -> Size:
    """Bound and estimate a prompt's tokens from its bytes, pictures and pages."""
    n_bytes = ask.text_bytes()
    if not isinstance(ask, Request):
        return Size(n_bytes + _PER_MESSAGE, n_bytes // BYTES_PER_TOKEN + 1)
    most = n_bytes + _PER_MESSAGE * (len(ask.messages) + 1)
    about = n_bytes // BYTES_PER_TOKEN + 8 * len(ask.messages)
    if ask.tools or ask.schema:
        most += _FOR_TOOLS
        about += _FOR_TOOLS // 2
    if ask.cached is not None:
        most += ask.cached.tokens
        about += ask.cached.tokens
    for file in ask.files():
        pages = _pages(file)
        most += _PER_PICTURE if pages is None else _PER_PAGE * pages
        about += 1_600 if pages is None else 2_500 * pages
    return Size(most, about)


def _pages(file: File) -> int | None:
    """Pages of a PDF; ``None`` for a picture. Unreadable: as many as its bytes could possibly hold."""
    if file.media_type != "application/pdf":
        return None
    try:
        import io
        import logging

        import pypdf

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it speaks of every oddity, on stderr

        return len(pypdf.PdfReader(io.BytesIO(file.data)).pages)
    except Exception:  # whatever is wrong with the file, the provider will say; this is a bound
        return max(len(file.data) // 300, 1)  # a page object with its content stream takes no less
