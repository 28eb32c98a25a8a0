"""Files as parts of a prompt: text as it is, pictures and PDFs by content, a folder as its text files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from grn.kit.errors import DataError, UsageError
from grn.llm.request import File, Part, Text

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_MAX_BYTES = 50 << 20  # the largest PDF that the Gemini API reads; Anthropic's requests are smaller


def attach(path: Path) -> list[Part]:
    """Read a file, or the text files of a folder, as parts of a prompt.

    Raises
    ------
    UsageError
        It cannot be read, or is too large to send.
    DataError
        It is neither text nor a picture nor a PDF.
    """
    if path.is_dir():
        return [Text(f"{name}\n\n{text}") for name, text in texts_below(path)]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError("cannot read the attachment", seen=f"{path}: {error.strerror}") from error
    return [part_of(data, str(path))]


def part_of(data: bytes, name: str) -> Text | File:
    """Make a part of a prompt of a file's bytes, told by their beginning.

    Raises
    ------
    UsageError
        There are too many to send.
    DataError
        They are neither text nor a picture nor a PDF.
    """
    if len(data) > _MAX_BYTES:
        raise UsageError(
            "the attachment is too large to send",
            seen=f"{name}: {len(data):,} bytes",
            hint=f"at most {_MAX_BYTES:,} bytes",
        )
    if (media_type := media_type_of(data)) is not None:
        return File(media_type, data, Path(name).name)
    text = _text(data)
    if text is None:
        raise DataError(
            "the attachment is neither text (UTF-8) nor PDF, PNG, JPEG, GIF or WebP",
            seen=name,
            hint="convert it first",
        )
    return Text(text)


def media_type_of(data: bytes) -> str | None:
    """Tell a picture or a PDF by its first bytes, whatever it is called."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), None)


def texts_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Give every text file of a folder: path below it and content, by path.

    In a Git repository only what Git knows and does not ignore; otherwise what is not hidden.
    """
    for path in sorted(files_below(folder), key=lambda path: path.as_posix()):
        try:
            text = _text((folder / path).read_bytes())
        except OSError:
            continue
        if text:
            yield path.as_posix(), text


def files_below(folder: Path) -> list[Path]:
    """List the files of a folder, relative to it: in a Git repository those that Git does not ignore."""
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = (Path(name.decode("utf-8", "surrogateescape")) for name in listed.stdout.split(b"\0") if name)
        return [name for name in names if (folder / name).is_file()]
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path for path in found if not any(part.startswith(".") for part in path.parts)]


def _text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
