"""Aider's repository map, for :mod:`benchmarks.pack`: runs with an interpreter that has aider, not ours.

Reads lines of JSON (folder, question, budgets) and writes one for each, with the maps and their seconds. The
map is asked for as aider asks (``Coder.get_repo_map``): with the words of the question as identifiers, and
with the files that it names by path or by stem. Tokens are those of o200k, as for everyone else.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

from aider.io import InputOutput
from aider.repomap import RepoMap
from bpe_openai._bindings import tokenizer_for_encoding

_SHORTEST = 5  # letters of a word that names a file, as in aider


class Model:
    """What aider asks of a model: how many tokens a text has."""

    def __init__(self) -> None:
        self._tokenizer = tokenizer_for_encoding("o200k_base")

    def token_count(self, text: str) -> int:
        """Count."""
        return int(self._tokenizer.count(text))


def maps(folder: str, question: str, budgets: list[int]) -> dict[str, object]:
    """Make the maps of a folder, one for each budget."""
    below = sorted(path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file())
    files = [str(Path(folder, path)) for path in below if not str(path).startswith(".")]
    words = set(re.split(r"\W+", question))
    stems = {word.lower() for word in words if len(word) >= _SHORTEST}
    named = {str(path) for path in below if path.stem.lower() in stems or str(path) in question}
    texts, seconds = {}, []
    for budget in budgets:
        started = time.perf_counter()
        quiet = InputOutput(pretty=False, yes=True)
        mapper = RepoMap(budget, folder, Model(), quiet, refresh="always")
        texts[str(budget)] = mapper.get_repo_map([], files, named, words) or ""
        seconds.append(time.perf_counter() - started)
    return {"maps": texts, "seconds": seconds}


def main() -> None:
    """Answer until there is nothing more to read."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what aider says on the way is not an answer
    for line in sys.stdin:
        print(json.dumps(maps(**json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
