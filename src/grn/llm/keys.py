"""Keys of providers: from the environment or the system's keyring; never in an argument or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grn.kit.errors import AccessError, MissingError, UsageError, require_extra

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "voyage": ("VOYAGE_API_KEY",),
}
"""Environment variables that are looked at, in order: the names that the makers' own clients read."""

SERVICE = "alpha-metaphorica"
MASK = "[key]"

# What keys look like, for text of others that may repeat one: Anthropic's, Google's, Voyage's, and bearer
# tokens.
_LIKE_A_KEY = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{8,}|AIza[A-Za-z0-9_-]{20,}|\bpa-[A-Za-z0-9_-]{20,}|(?i:bearer\s+)[A-Za-z0-9._~+/-]{12,}=*"
)


class Secret:
    """A key that does not show itself: not in repr, str, errors or pickles."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the key itself, for the client that sends it and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


@dataclass(frozen=True)
class Key:
    """A provider's key, and where it was found."""

    secret: Secret
    source: str


def find_key(provider: str, environ: Mapping[str, str] | None = None) -> Key | None:
    """Look a key up: environment first, then the keyring; ``None`` when there is none."""
    env = os.environ if environ is None else environ
    for variable in VARIABLES.get(provider, ()):
        if value := env.get(variable, "").strip():
            return Key(Secret(value), f"environment variable {variable}")
    stored = _keyring_get(provider)
    if stored is None:
        return None
    _STORED[stored] = f"system keyring, {provider}"
    return Key(Secret(stored), "system keyring")


def require_key(provider: str, environ: Mapping[str, str] | None = None) -> Secret:
    """Give a provider's key.

    Raises
    ------
    AccessError
        There is none.
    """
    found = find_key(provider, environ)
    if found is None:
        variable = VARIABLES[provider][0]
        raise AccessError(
            f"there is no key for {provider}",
            hint=f"export {variable}=…, or once: grn llm keys set {provider}; --model local needs none",
        )
    return found.secret


def store_key(provider: str, value: str) -> None:
    """Put a key into the system's keyring.

    Raises
    ------
    UsageError
        The key is empty.
    MissingError
        This system has no keyring.
    """
    if not value.strip():
        raise UsageError("the key is empty", hint="paste it when asked; nothing is shown")
    require_extra("keyring", "llm")
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, provider, value.strip())
    except KeyringError as error:
        raise _no_keyring(provider, error) from error


def forget_key(provider: str) -> None:
    """Take a key out of the system's keyring.

    Raises
    ------
    MissingError
        This system has no keyring, or no such key in it.
    """
    require_extra("keyring", "llm")
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.delete_password(SERVICE, provider)
    except KeyringError as error:
        raise _no_keyring(provider, error) from error


def without_keys(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment without any key in it, for a process that needs none."""
    hidden = {name for names in VARIABLES.values() for name in names}
    env = os.environ if environ is None else environ
    return {name: value for name, value in env.items() if name not in hidden}


def mask(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Replace keys in a text: given, of the environment, read from the keyring, and what looks like one."""
    values = [*(secret.reveal() for secret in secrets), *_STORED]
    values += [os.environ.get(name, "") for names in VARIABLES.values() for name in names]
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = text.replace(value, MASK)
    return _LIKE_A_KEY.sub(MASK, text)


def holds_key(text: str) -> str | None:
    """Name whose key stands in a text: a variable's, or the keyring's; ``None`` when none does."""
    variables = [name for names in VARIABLES.values() for name in names]
    known = {os.environ.get(name, "").strip(): name for name in variables} | _STORED
    found = (source for value, source in known.items() if len(value) >= _SHORTEST and value in text)
    return next(found, None)


_STORED: dict[str, str] = {}
"""Keys that this process has read from the keyring, and whose they are: nobody else knows what to hide."""

_SHORTEST = 8  # a placeholder such as "x" is no key, and stands in every text


def _keyring_get(provider: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError:
        return None
    try:
        return keyring.get_password(SERVICE, provider)
    except KeyringError:
        return None


def _no_keyring(provider: str, error: Exception) -> MissingError:
    return MissingError(
        "the system's keyring did not do it",
        seen=type(error).__name__,
        hint=f"set {VARIABLES[provider][0]} in the environment instead",
    )
