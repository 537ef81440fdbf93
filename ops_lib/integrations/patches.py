"""Patches a method of a framework or a client library, once, and removes the patch again.

A patch keeps its state beside the patched method, in its class or module: there is no registry.
Must not know a framework.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from weakref import ref

_SLOT = "_ops_slot_"


class Slot:
    """The state of one patched method: the policy in force (None:
    switched off), the maker of client spans, and its options.

    A client's policy is an `Outgoing`; a server's names the traced applications (`Applications`).
    """

    __slots__ = ("instrumentor", "options", "policy", "wrapper")

    def __init__(self) -> None:
        self.policy: Any = None
        self.instrumentor: Any = None
        self.options: dict[str, Any] = {}
        self.wrapper: Any = None


def install(owner: Any, method: str, wrap: Callable[[Any, Slot], Any]) -> Slot:
    """Patch `owner.method`, of a class or a module, with `wrap(original, slot)`, once.

    Gives the slot, of the earlier patch if there is one.
    """
    slot = vars(owner).get(_SLOT + method)
    if isinstance(slot, Slot):
        return slot
    slot, original = Slot(), getattr(owner, method)
    slot.wrapper = functools.wraps(original)(wrap(original, slot))
    setattr(owner, _SLOT + method, slot)
    setattr(owner, method, slot.wrapper)
    return slot


def remove(owner: Any, method: str) -> Slot | None:
    """Remove the patch. If another tool has patched over it since, only switch it off, to keep the chain whole."""
    slot = vars(owner).get(_SLOT + method)
    if not isinstance(slot, Slot):
        return None
    slot.policy = None
    if getattr(owner, method) is slot.wrapper:
        setattr(owner, method, slot.wrapper.__wrapped__)
        delattr(owner, _SLOT + method)
    return slot


class Applications:
    """The traced applications of a server's framework: all, or those that were named. Immutable."""

    __slots__ = ("_every", "_named")

    def __init__(self, every: bool = False, named: tuple[ref[Any], ...] = ()) -> None:
        self._every = every
        self._named = named

    def with_one(self, application: object | None) -> Applications:
        """These and one more; None: all."""
        if application is None:
            return Applications(every=True)
        if self.covers(application):
            return self
        alive = (named for named in self._named if named() is not None)
        return Applications(named=(*alive, ref(application)))

    def covers(self, application: object) -> bool:
        """Whether `application` is traced."""
        return self._every or any(named() is application for named in self._named)


def switch_on(
    owner: type, method: str, wrap: Callable[[Any, Slot], Any], application: object | None
) -> Callable[[], None]:
    """Trace one application of a framework, or all (None), by a patch of `owner.method`.

    Gives a function that restores the state before. An application may already exist, and serve.
    """
    slot = install(owner, method, wrap)
    before = slot.policy
    slot.policy = (before or Applications()).with_one(application)

    def undo() -> None:
        if before is None:
            remove(owner, method)
        else:
            slot.policy = before

    return undo


def is_on(slot: Slot, application: object) -> bool:
    """Whether `application` is traced by the patch of `slot`."""
    return slot.policy is not None and bool(slot.policy.covers(application))


def missing(name: str, package: str, error: ImportError) -> ImportError:
    """What to raise if the framework of `ops.instrument(name)` is not installed."""
    return ImportError(f"ops.instrument({name!r}): {package} is not installed; pip install {package}", name=error.name)
