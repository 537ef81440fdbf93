"""Chooses the translators of one route by what its peer was last seen to speak.

May know the mirror, translators and requests. What is written until a peer is seen is what the settings say.
"""

from __future__ import annotations

from collections.abc import Callable

from ops_lib.propagation import Format
from proxy.participation.mirror import Mirror
from proxy.semantics.request import Request
from proxy.translate import Translator

Translators = tuple[Translator, ...]
"""By the number of the rule of trust."""


class Mirroring:
    """Of one route."""

    __slots__ = ("_host", "_is_of_app", "_made", "_make", "_mirror", "_usual")

    def __init__(
        self,
        mirror: Mirror,
        usual: Translators,
        make: Callable[[tuple[Format, ...]], Translators],
        *,
        host: str | None,
        is_of_app: bool,
    ) -> None:
        """`usual`: as the settings say. `make` makes those that write the given formats.

        `host`: of the target, empty for a Unix socket; None: the request names it.
        `is_of_app`: whether the peer is the app.
        """
        self._mirror = mirror
        self._usual = usual
        self._make = make
        self._host = host
        self._is_of_app = is_of_app
        self._made: dict[tuple[Format, ...], Translators] = {}  # no more than there are sets of formats

    def translators(self, request: Request) -> Translators:
        """Those for `request`."""
        if self._is_of_app:
            formats = self._mirror.app_speaks()
        else:
            formats = self._mirror.speaks(request.authority.host if self._host is None else self._host)
        return self._usual if formats is None else self._writing(formats)

    def made(self, injected: tuple[Format, ...]) -> Translators:
        """Those that wrote these formats."""
        return self._made.get(injected, self._usual)

    def _writing(self, formats: tuple[Format, ...]) -> Translators:
        found = self._made.get(formats)
        if found is None:
            found = self._made[formats] = self._make(formats)
        return found
