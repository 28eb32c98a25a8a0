"""Prompts that are used again: one TOML file each, in the folder ``templates``."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from grn.kit.errors import MissingError, UsageError

_INPUT = "{input}"


@dataclass(frozen=True)
class Template:
    """What a template sets; ``None`` leaves it to the command line.

    Attributes
    ----------
    system
        System prompt.
    prompt
        The words; ``{input}`` stands for what is asked, which otherwise follows them.
    model
        Model to ask.
    max_tokens
        Bound on the answer.
    """

    system: str | None = None
    prompt: str | None = None
    model: str | None = None
    max_tokens: int | None = None

    def fill(self, words: str) -> str:
        """Put what is asked into the prompt."""
        if self.prompt is None:
            return words
        if _INPUT in self.prompt:
            return self.prompt.replace(_INPUT, words)
        return f"{self.prompt}\n\n{words}" if words else self.prompt


def load_template(folder: Path, name: str) -> Template:
    """Read a template by name.

    Raises
    ------
    MissingError
        There is none of that name.
    UsageError
        The file is not TOML, or sets what a template does not have.
    """
    path = folder / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = sorted(found.stem for found in folder.glob("*.toml"))
        raise MissingError(
            "there is no such template",
            seen=name,
            hint=f"write {path}; there are: {', '.join(names) or 'none'}",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no template", seen=str(error), hint="correct that line") from error
    known = {field.name: field.type for field in fields(Template)}
    for key, value in table.items():
        wanted = int if key == "max_tokens" else str
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise UsageError(f"unknown entry in {path}", seen=key, hint=hint)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise UsageError(
                f"{key} in {path} must be {wanted.__name__}", seen=value, hint="correct that line"
            )
    return Template(**table)
