"""What the compiler (mypyc, `make compiled`) is told of a class. Without the compiler it means nothing.

    @mypyc_attr(free_list_len=1)  the memory of the last instance that was freed serves the next one
    @trait                        a class without attributes that can be a second base; its methods are called less fast

An attribute that is a bool takes one byte between others, and eight beside anything else.

For speed, for objects that each exchange makes anew: docs/decisions/006-cost-per-request.md has the figures.

The compiler knows the decorator by its type, so `mypy_extensions` is not needed where the sidecar runs.

Never use `acyclic=True`: it takes instances out of garbage collection, and so their heads for the collector. CPython
uses that head when an object dies inside 50 others that are dying (the "trashcan"). Without it, the write hits whatever
comes before the object in memory. Seen with mypy 2.4 and Python 3.11.

Compiled coroutines hand on an exception (a connection that fails) in a way that Python deprecates from 3.12 on. Whoever
runs a loop with them calls `quieten_coroutines`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
    from mypy_extensions import trait as trait
else:
    _Class = TypeVar("_Class")

    def mypyc_attr(**_: object) -> Callable[[_Class], _Class]:
        """Returns what leaves a class as it is."""
        return lambda made: made

    def trait(made: _Class) -> _Class:
        """Returns it as it is."""
        return made


def quieten_coroutines() -> None:
    """No warning for how compiled coroutines hand on exceptions.

    Who has warnings shown (`PYTHONDEVMODE`, `PYTHONWARNINGS`) would see one for each connection that fails. And where
    warnings are errors, that error would come instead of the exception: the connection would never give back its place.
    """
    warnings.filterwarnings("ignore", r"the \(type, exc, tb\) signature of throw\(\) is deprecated", DeprecationWarning)
