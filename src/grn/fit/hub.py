"""A model's ``config.json`` from Hugging Face's hub, only when it was asked for."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from grn.kit.errors import AccessError, DataError, UnreachableError, UsageError

_TIMEOUT_S = 20.0
_MOST_BYTES = 1 << 20
_ENDPOINT = "https://huggingface.co"


def fetch_config(name: str, environ: Mapping[str, str] = os.environ) -> Any:
    """Fetch the ``config.json`` of ``OWNER/NAME``; a few kilobytes, never weights.

    Parameters
    ----------
    name
        The repository.
    environ
        ``HF_ENDPOINT`` and ``HF_TOKEN``, as Hugging Face's own client reads them.

    Raises
    ------
    UsageError
        The name has no owner, or there is no such model.
    AccessError
        The model is behind a licence, and no token (or none that is accepted) was given.
    UnreachableError
        The hub does not answer.
    DataError
        It answers something that is no config.
    """
    owner, _, model = name.partition("/")
    if not owner or not model or "/" in model:
        raise UsageError("a model of the hub is named OWNER/NAME", seen=name)
    address = f"{environ.get('HF_ENDPOINT', _ENDPOINT).rstrip('/')}/{owner}/{model}/resolve/main/config.json"
    if not address.startswith(("http://", "https://")):
        raise UsageError("HF_ENDPOINT is no web address", seen=environ.get("HF_ENDPOINT"))
    request = urllib.request.Request(address)
    if token := environ.get("HF_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return json.loads(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        if error.code in (401, 403):
            raise AccessError(
                "the hub wants a licence accepted, or a token",
                seen=name,
                hint="accept it on the model's page and set HF_TOKEN; or name a config.json",
            ) from error
        if error.code == 404:
            raise UsageError("the hub has no such model", seen=name, hint="check owner and name") from error
        raise UnreachableError(
            "the hub refused", seen=f"HTTP {error.code}", hint="try again later"
        ) from error
    except (OSError, urllib.error.URLError) as error:
        raise UnreachableError(
            "the hub cannot be reached",
            seen=str(getattr(error, "reason", error)),
            hint="name a config.json instead",
        ) from error
    except ValueError as error:
        raise DataError(
            "the hub's answer is no config", seen=name, hint="name a config.json instead"
        ) from error
