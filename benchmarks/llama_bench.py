"""llama.cpp's own bench on the library that `xllamacpp` brings: decode a prompt, decode token by token.

The wheel has no `llama-bench`, and one compiled elsewhere would measure another compiler.  This does what its
`test_prompt` and `test_gen` do (tools/llama-bench/llama-bench.cpp), through the same exported C functions: no
server, no sampling, no text.
"""

from __future__ import annotations

import ctypes
import importlib
import time
from pathlib import Path
from typing import Any, Final, Self

_LONGEST: Final = 8192


class _Opaque(ctypes.Structure):
    """A structure of llama.cpp that is handed on as it is.

    Larger than any of theirs: by the calling convention of 64-bit Linux a structure of this size is returned
    into, and passed as, memory of the caller's, of which the callee touches what it knows.
    """

    _fields_ = (("numbers", ctypes.c_uint32 * 256),)


class LlamaBench:
    """A model of its own, beside those that are being compared with it.

    Parameters
    ----------
    weights
        A GGUF file.
    threads
        Threads for prompts and for single tokens.
    """

    def __init__(self, weights: Path, threads: int) -> None:
        extension = importlib.import_module("xllamacpp.xllamacpp")
        self._c = _declared(ctypes.CDLL(str(extension.__file__)))
        # A function of libc that touches nothing takes the place of the log: one of Python's would be called
        # by threads that outlive the interpreter.
        self._c.llama_log_set(ctypes.cast(ctypes.CDLL(None).labs, ctypes.c_void_p), None)
        self._c.llama_backend_init()
        parameters = self._c.llama_model_default_params()
        self._model = self._c.llama_model_load_from_file(str(weights).encode(), parameters)
        if not self._model:
            raise SystemExit(f"llama.cpp cannot load {weights}")
        wanted = self._c.llama_context_default_params()
        wanted.numbers[0] = _LONGEST  # n_ctx, the first of llama_context_params
        self._context = self._c.llama_init_from_model(self._model, wanted)
        self._c.llama_set_n_threads(self._context, threads, threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._c.llama_free(self._context)
        self._c.llama_model_free(self._model)

    def tokenize(self, text: str) -> list[int]:
        """Cut a text into tokens, with what stands at a beginning."""
        raw = text.encode()
        found = (ctypes.c_int32 * (len(raw) + 8))()
        vocabulary = self._c.llama_model_get_vocab(self._model)
        n = self._c.llama_tokenize(vocabulary, raw, len(raw), found, len(found), True, True)
        return list(found[:n])

    def time(self, prompt: list[int], n_tokens: int) -> tuple[float, float, float]:
        """Decode a prompt into an empty context, then single tokens.

        Returns milliseconds of the prompt by the clock and of processor time, and tokens per second.
        """
        self._c.llama_memory_clear(self._c.llama_get_memory(self._context), False)
        began, began_processor = time.perf_counter(), time.process_time()
        self._decode(prompt)
        prompt_s, processor_s = time.perf_counter() - began, time.process_time() - began_processor
        began = time.perf_counter()
        for number in range(n_tokens):
            self._decode([prompt[number % len(prompt)]])  # any token takes as long as any other
        return 1000 * prompt_s, 1000 * processor_s, n_tokens / (time.perf_counter() - began)

    def _decode(self, tokens: list[int]) -> None:
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        if self._c.llama_decode(self._context, self._c.llama_batch_get_one(array, len(tokens))):
            raise SystemExit("llama.cpp cannot decode")
        self._c.llama_synchronize(self._context)


def _declared(library: Any) -> Any:
    """Say what the functions take and give; see llama.h."""
    number, pointer, ints = ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32)
    functions: dict[str, tuple[list[Any], Any]] = {
        "llama_log_set": ([pointer, pointer], None),
        "llama_backend_init": ([], None),
        "llama_model_default_params": ([], _Opaque),
        "llama_context_default_params": ([], _Opaque),
        "llama_model_load_from_file": ([ctypes.c_char_p, _Opaque], pointer),
        "llama_init_from_model": ([pointer, _Opaque], pointer),
        "llama_set_n_threads": ([pointer, number, number], None),
        "llama_model_get_vocab": ([pointer], pointer),
        "llama_tokenize": (
            [pointer, ctypes.c_char_p, number, ints, number, ctypes.c_bool, ctypes.c_bool],
            number,
        ),
        "llama_get_memory": ([pointer], pointer),
        "llama_memory_clear": ([pointer, ctypes.c_bool], None),
        "llama_batch_get_one": ([ints, number], _Opaque),
        "llama_decode": ([pointer, _Opaque], number),
        "llama_synchronize": ([pointer], None),
        "llama_free": ([pointer], None),
        "llama_model_free": ([pointer], None),
    }
    for name, (takes, gives) in functions.items():
        function = getattr(library, name)
        function.argtypes, function.restype = takes, gives
    return library
