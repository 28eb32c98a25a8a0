"""A person's own PyTorch module by its import path, and a batch of what it reads."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grn.kit.errors import DataError, MissingError, UsageError

HINT = "write module:attr, a class or function without arguments that makes a torch.nn.Module"
INPUTS = "example_inputs"
"""Method of a module that makes a batch: ``example_inputs(batch, seq)``, tensors by name."""


def names_module(name: str) -> bool:
    """Whether a name is an import path such as ``net:Net``, and not a model such as ``llama3.1:8b``."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def find_factory(name: str, folder: Path | None = None) -> Any:
    """Import ``module:attr``, what makes a module.

    Do so before a trace: tensors that a file makes as it is imported would be fake for the process's life.

    Parameters
    ----------
    name
        The import path.
    folder
        Looked into before everything else; default the working directory.

    Raises
    ------
    MissingError
        There is no such Python module, or nothing of that name in it.
    UsageError
        Importing it fails, or it is a module already.
    """
    from torch import nn

    module, _, attribute = name.partition(":")
    with _importing(Path.cwd() if folder is None else folder):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise MissingError(f"there is no Python module {error.name}", seen=name, hint=HINT) from error
        except Exception as error:
            raise UsageError(
                f"importing {module} fails", seen=f"{type(error).__name__}: {error}", hint="correct it first"
            ) from error
    try:
        factory = getattr(found, attribute)
    except AttributeError as error:
        raise MissingError(f"{module} has nothing of this name", seen=attribute, hint=HINT) from error
    if isinstance(factory, nn.Module):
        raise UsageError("this module is made already", seen=name, hint=HINT)
    return factory


def make_module(name: str, folder: Path | None = None) -> Any:
    """Make a module; see :func:`find_factory` for the parameters.

    Raises
    ------
    MissingError, UsageError
        As there; what it is makes no ``torch.nn.Module``.
    """
    from torch import nn

    factory = find_factory(name, folder)
    try:
        made = factory()
    except Exception as error:
        raise UsageError(
            f"{name} cannot be made", seen=f"{type(error).__name__}: {error}", hint=HINT
        ) from error
    if not isinstance(made, nn.Module):
        raise UsageError(f"{name} makes no torch.nn.Module", seen=type(made).__name__, hint=HINT)
    return made


def make_batch(module: Any, data: Path | None, batch: int, seq: int) -> dict[str, Any]:
    """A batch without content that matters, ``batch`` examples: from data, or from the module's own method.

    Raises
    ------
    UsageError, DataError
        There is neither; the method gives no tensors by name; the file is no ``.npz``.
    """
    import torch

    if data is not None:
        kinds = read_kinds(data)
        return {
            name: torch.zeros((batch, *shape[1:]), dtype=getattr(torch, dtype))
            for name, (shape, dtype) in kinds.items()
        }
    method = getattr(module, INPUTS, None)
    if method is None:
        raise UsageError(
            "what this module reads is not known",
            seen=type(module).__name__,
            hint=f"give --data FILE.npz, or the module a method {INPUTS}(batch, seq): tensors by name",
        )
    made = method(batch, seq)
    if not isinstance(made, Mapping) or not all(isinstance(each, torch.Tensor) for each in made.values()):
        raise UsageError(f"{INPUTS} gives no tensors by name", seen=type(made).__name__, hint='{"x": tensor}')
    return dict(made)


def read_kinds(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shapes and types of the arrays of an ``.npz`` file, from their heads alone; the first axis is examples.

    Raises
    ------
    DataError
        It cannot be read, holds objects or nothing, or its arrays are not of one length.
    """
    from numpy.lib import format as npy

    kinds: dict[str, tuple[tuple[int, ...], str]] = {}
    try:
        with zipfile.ZipFile(path) as file:
            for entry in sorted(file.namelist()):
                with file.open(entry) as stream:
                    version = npy.read_magic(stream)
                    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                    shape, _, kind = read(stream)
                kinds[entry.removesuffix(".npy")] = (tuple(shape), str(kind.name))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            "this is no .npz file", seen=f"{path}: {error}", hint="numpy.savez(FILE, x=x, y=y)"
        ) from error
    for name, (shape, dtype) in kinds.items():
        if dtype not in _DTYPES:
            raise DataError(
                f"{path.name} has an array that torch has no type for", seen=f"{name}: {dtype}",
                hint=f"known are {', '.join(_DTYPES)}",
            )  # fmt: skip
        if not shape:
            raise DataError(f"{path.name} has a lone number", seen=name, hint="the first axis is examples")
    lengths = {name: shape[0] for name, (shape, _) in kinds.items()}
    if len(set(lengths.values())) != 1 or not all(lengths.values()):
        raise DataError(
            f"the arrays of {path.name} are not of one length",
            seen=lengths or None,
            hint="the first axis is examples",
        )
    return kinds


_DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """Look into a folder first; what is imported from it is imported anew next time."""
    sys.path.insert(0, os.fspath(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(os.fspath(folder))
