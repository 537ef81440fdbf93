"""Environment variables as a carrier: a process passes the context to the programs that it starts.

May know how header names become variable names, and which headers are read. Must not know their values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, MutableMapping

from ops_lib.propagation.baggage import UBERCTX
from ops_lib.propagation.carrier import known_names


def variable_of(header: str) -> str:
    """The variable for a header: upper case, `_` for anything but letters and digits, and before a leading digit.

    OpenTelemetry specification, "Environment Variables as Context Propagation Carriers", "Environment Variable Names".
    """
    name = re.sub(r"[^A-Z0-9_]", "_", header.upper())
    return f"_{name}" if not name or name[0].isdecimal() else name


_HEADERS = {variable_of(header): header for header in known_names()}
_UBERCTX = variable_of(UBERCTX)


class EnvironmentCarrier(MutableMapping[str, str]):
    """An environment as headers: for `extract_context` in a program, and for `inject_context` before one is started.

    Takes: `environ`, such as a copy of `os.environ` for `subprocess.run(env=...)`; it is written to in place.
    Default: `os.environ` itself, which `extract_context` and `inject_context` also take as it is.
    Gives: a mapping with the headers that the library reads, under
    their names in lower case: `X_B3_TRACEID` is `x-b3-traceid`.
    Other variables, and those not in upper case, are left out.
    Raises: as a dict does.
    Specification: OpenTelemetry, "Environment Variables as Context Propagation Carriers".
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def __getitem__(self, header: str) -> str:
        return self._environ[variable_of(header)]

    def __setitem__(self, header: str, value: str) -> None:
        self._environ[variable_of(header)] = value

    def __delitem__(self, header: str) -> None:
        del self._environ[variable_of(header)]

    def __iter__(self) -> Iterator[str]:
        for variable in list(self._environ):
            if (header := _HEADERS.get(variable)) is not None:
                yield header
            elif variable.startswith(_UBERCTX):
                yield UBERCTX + variable[len(_UBERCTX) :].lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"EnvironmentCarrier({sorted(self)})"


Environment = type(os.environ)
"""What `os.environ` is."""
