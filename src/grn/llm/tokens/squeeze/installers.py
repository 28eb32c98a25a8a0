"""pip and uv: what was changed and what went wrong, not what was there already or is on its way."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DULL = re.compile(
    r" *(?:Requirement already satisfied|Collecting|Downloading|Using cached|Preparing metadata|Processing"
    r"|Getting requirements|Installing build dependencies|Building wheel|Building|Created wheel|Obtaining"
    r"|Stored in directory|Looking in (?:links|indexes)|Attempting uninstall|Found existing installation"
    r"|Uninstalling|Running command|Checking if|Installing collected packages|Created temporary|Cleaning up"
    r"|Downloaded|Fetched|Link requires|Skipping link|Found link|Local (?:files|directories) found"
    r"|Given no hashes|Source in|Added|Removed|Location|Entering|Leaving"
    r")\b.*|.*[━╸╺█▏▎▍▌▋▊▉░].*"
)
_TOLD = re.compile(
    r" *(?:Requirement already|Collecting |Successfully (?:un)?installed|Would install|ERROR: |error: "
    r"|(?:Resolved|Audited|Installed|Prepared|Uninstalled) \d+ pack|Using Python \d).*"
)


def is_installer(lines: Sequence[str]) -> bool:
    """Tell it by what only installers say."""
    return any(_TOLD.fullmatch(line) is not None for line in lines)


def keep_installer(lines: Sequence[str]) -> list[bool]:
    """Choose results, warnings and errors with all that belongs to them."""
    return [_DULL.fullmatch(line) is None for line in lines]
