"""`instrument("httpx", "fastapi", ...)`: clients carry the context, and servers continue it, without further code.

Must not know any framework: each has a module in `ops_lib.integrations`, imported on request.
It has `uninstrument()` and `instrument(*, allow_hosts, **options)`,
which returns a function that restores the state before.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from contextlib import ExitStack, suppress
from types import ModuleType

_PACKAGE = "ops_lib.integrations"


def _integration(name: str) -> ModuleType:
    module_name = f"{_PACKAGE}.{name.strip().lower().replace('-', '_')}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise  # the integration exists, but not its framework; its message says what to install
        module = ModuleType(module_name)
    if not hasattr(module, "instrument"):
        raise ValueError(f"nothing to instrument under the name {name!r}; known are: {', '.join(_known())}")
    return module


def _known() -> list[str]:
    import pkgutil

    package = importlib.import_module(_PACKAGE)
    names = (found.name for found in pkgutil.iter_modules(package.__path__))
    known = [name for name in names if hasattr(importlib.import_module(f"{_PACKAGE}.{name}"), "instrument")]
    return [name.replace("_", "-") for name in known]


def instrument(*names: str, allow_hosts: Collection[str] | None = None, **options: object) -> None:
    """Let client libraries inject the context into their calls, and servers run each request in its caller's context.

    Takes:

    - `names`: of clients "httpx", "requests", "aiohttp", "urllib3"; of servers "fastapi", "starlette", "flask",
      "django", "aiohttp-server"; of both "grpc".
    - `allow_hosts`: the only hosts that get headers; default: all.
    - further options of the integrations named: `app` of a server, to trace one application alone.

    A second call changes nothing.
    Gives: nothing.
    Raises: ValueError for an unknown name, listing the known ones, or a wrong host pattern; ImportError telling the pip
    command if a package is missing.
    Then nothing has changed: what this call switched on is off
    again, and what an earlier call switched on is as it was.
    Specification: OpenTelemetry semantic conventions, HTTP and gRPC spans.
    """
    integrations = [_integration(name) for name in names]
    with ExitStack() as undo:
        for integration in integrations:
            undo.callback(integration.instrument(allow_hosts=allow_hosts, **options))
        undo.pop_all()  # all of them are on: nothing is to be undone


def uninstrument(*names: str) -> None:
    """Undo `instrument`.

    Takes: `names` as `instrument` takes them.
    Gives: nothing; what was not instrumented stays as it is.
    Raises: ValueError for an unknown name.
    Specification: none.
    """
    for integration in [_integration(name) for name in names]:
        with suppress(ImportError):  # what is not installed was not instrumented
            integration.uninstrument()
