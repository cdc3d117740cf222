# mypy: disable-error-code="no-untyped-call"
"""How the engine's functions are compiled: few versions of each, no wrappers that nobody calls, kept on disk.

numba compiles a function anew for every constant that it is called with (``f(x, 0)`` and ``f(x, 1)`` are two), and
gives each version an entry for Python and one for C. Neither is of use here and both took most of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.targetconfig import TargetConfig

type_function = TypeVar("type_function", bound=Callable[..., Any])

_njit: Any = njit  # its types do not know all of its options


def _stamp() -> tuple[int, int]:
    """Newest change, and size, of the engine's sources: what is kept on disk holds for these only."""
    facts = [path.stat() for path in Path(__file__).parent.rglob("*.py") if path.parent.name != "tests"]
    return max(fact.st_mtime_ns for fact in facts), sum(fact.st_size for fact in facts)


STAMP = _stamp()
"""numba looks at the file of a kernel only, not at those of what it calls."""


def _all_values(config: Any) -> dict[str, Any]:
    """Return every option of a compilation with its value: what numba asks one by one, 14 million times."""
    kind = type(config)
    defaults = _DEFAULTS.get(kind)
    if defaults is None:
        defaults = _DEFAULTS[kind] = {name: option.default for name, option in kind.options.items()}
    return {**defaults, **config._values}


_DEFAULTS: dict[Any, dict[str, Any]] = {}
TargetConfig.values = _all_values  # type: ignore[method-assign]


class _LinkedOnly(JITCodeLibrary):
    """Code that is only ever linked into a kernel: optimised and translated there, not before."""

    def _optimize_final_module(self) -> None:
        """Leave it to the kernel."""

    def _finalize_final_module(self) -> None:
        """Nothing is to be run from here."""
        self._finalized = True

    def get_pointer_to_function(self, _name: str) -> int:
        """There is none."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """The generator of code, without environments: what is not loaded has none."""
        return _WithoutEnvironment(self._codegen)


class _WithoutEnvironment:
    """A generator of code that does not look for the environment of a function."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        """All else is the generator's."""
        return getattr(self._codegen, name)

    def set_env(self, _name: str, _environment: Any) -> None:
        """Nothing: it is used by functions that call Python only."""


class _Helper(Compiler):
    """Compiles into such code."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *rest: Any) -> None:
        super().__init__(typingctx, targetctx, library, *rest)
        if library is None:
            self.state.library = _LinkedOnly(targetctx.codegen(), "helper")


_OPTIONS = {
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": _Helper,
}


def kernel(function: type_function) -> type_function:
    """Compile a function that Python calls, once; it is kept on disk. Other threads run meanwhile."""
    made = _one_version(_njit(cache=True, nogil=True, error_model="numpy")(function))
    kept = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if kept is not None:
        kept._source_stamp = STAMP
    return cast(type_function, made)


def helper(function: type_function) -> type_function:
    """Compile a function that only kernels call."""
    made = _njit(**_OPTIONS)(function)
    return cast(type_function, _one_version(made))


def bare(function: type_function) -> type_function:
    """Compile a helper that makes no arrays and no exceptions: without counting references to arrays."""
    made = _njit(**_OPTIONS, _nrt=False)(function)
    return cast(type_function, _one_version(made))


def inlined(function: type_function) -> type_function:
    """Compile a helper into its callers: in a hot loop the counting of references to arrays costs more than it does."""
    made = _njit(**_OPTIONS, forceinline=True, _nrt=False)(function)
    return cast(type_function, _one_version(made))


def _wide(kind: Any) -> Any:
    """Return the type that a constant's or a short number's is a part of."""
    wide: Any = types.unliteral(kind)
    return types.int64 if getattr(wide, "signed", False) else wide


def _one_version(dispatcher: Any) -> Any:
    """Let constants count as what they are values of, short numbers as long ones: one version for all of them."""
    template = dispatcher.get_call_template

    def general(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return template(tuple(_wide(kind) for kind in args), {name: _wide(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = general
    return dispatcher
