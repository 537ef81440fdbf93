"""gRPC: calls carry the context, and served calls run in it; `ops.instrument("grpc")`, or interceptors by hand.

Both sides, with threads and with asyncio (`grpc.aio`).
`calls` is shared: names, statuses, metadata.
Nothing here needs generated code.
Importable without grpcio, which each function imports.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from ops_lib.integrations.outgoing import Outgoing
from ops_lib.integrations.patches import Slot, install, missing, remove

_MADE_BY = ("server", "insecure_channel", "secure_channel")  # the functions of `grpc` and of `grpc.aio`


def instrument(*, allow_hosts: str | Iterable[str] | None = None) -> Callable[[], None]:
    """Trace every call of channels and servers that are made from now on.

    `allow_hosts`: the only hosts that may receive trace, session and baggage metadata (AllowList.parse); None: all.
    A target without a host, such as a Unix socket, is not allowed then.
    A second call takes effect.
    Gives a function that restores the state before.
    Raises ImportError with the pip command, and ValueError for a wrong pattern.
    """
    policy = Outgoing(allow_hosts)
    try:
        import grpc.aio
    except ImportError as error:
        raise missing("grpc", "grpcio", error) from error
    undo = ExitStack()
    for owner, wraps in ((grpc, _WRAPS), (grpc.aio, _AIO_WRAPS)):
        for name in _MADE_BY:
            slot = install(owner, name, wraps[name])
            undo.callback(_put_back, owner, name, slot, slot.policy)
            slot.policy = policy
    return undo.close


def _put_back(owner: Any, name: str, slot: Slot, before: Outgoing | None) -> None:
    if before is None:
        remove(owner, name)
    else:
        slot.policy = before


def uninstrument() -> None:
    """Undo `instrument`, also for the channels and servers that were made meanwhile."""
    import grpc.aio

    for owner in (grpc, grpc.aio):
        for name in _MADE_BY:
            remove(owner, name)


def server_interceptor() -> Any:
    """For `grpc.server(..., interceptors=[server_interceptor()])`, first in the list."""
    from ops_lib.integrations.grpc.server import ServerInterceptor

    return ServerInterceptor(_always)


def aio_server_interceptor() -> Any:
    """For `grpc.aio.server(interceptors=[aio_server_interceptor()])`, first in the list."""
    from ops_lib.integrations.grpc.server import AioServerInterceptor

    return AioServerInterceptor(_always)


def client_interceptor(target: str, allow_hosts: str | Iterable[str] | None = None) -> Any:
    """For `grpc.intercept_channel(grpc.insecure_channel(target), client_interceptor(target))`."""
    from ops_lib.integrations.grpc.client import ClientInterceptor

    policy = Outgoing(allow_hosts)
    return ClientInterceptor(target, lambda: policy)


def aio_client_interceptors(target: str, allow_hosts: str | Iterable[str] | None = None) -> list[Any]:
    """For `grpc.aio.insecure_channel(target, interceptors=aio_client_interceptors(target))`."""
    from ops_lib.integrations.grpc.client import aio_interceptors

    policy = Outgoing(allow_hosts)
    return aio_interceptors(target, lambda: policy)


def _always() -> bool:
    return True


def _with_interceptors(make: Any, args: Any, kwargs: Any, ours: Callable[[Any], list[Any]]) -> Any:
    """Calls `make` with our interceptors before those of its caller. `ours` gets its arguments."""
    bound = inspect.signature(make).bind(*args, **kwargs)
    bound.arguments["interceptors"] = [*ours(bound.arguments), *(bound.arguments.get("interceptors") or ())]
    return make(*bound.args, **bound.kwargs)


def _wrap_server(make: Any, slot: Slot) -> Any:
    def server(*args: Any, **kwargs: Any) -> Any:
        from ops_lib.integrations.grpc.server import ServerInterceptor

        return _with_interceptors(make, args, kwargs, lambda _: [ServerInterceptor(lambda: slot.policy is not None)])

    return server


def _wrap_channel(make: Any, slot: Slot) -> Any:
    def channel(target: str, *args: Any, **kwargs: Any) -> Any:
        import grpc

        from ops_lib.integrations.grpc.client import ClientInterceptor

        return grpc.intercept_channel(make(target, *args, **kwargs), ClientInterceptor(target, lambda: slot.policy))

    return channel


def _wrap_aio_server(make: Any, slot: Slot) -> Any:
    def server(*args: Any, **kwargs: Any) -> Any:
        from ops_lib.integrations.grpc.server import AioServerInterceptor

        return _with_interceptors(make, args, kwargs, lambda _: [AioServerInterceptor(lambda: slot.policy is not None)])

    return server


def _wrap_aio_channel(make: Any, slot: Slot) -> Any:
    def channel(*args: Any, **kwargs: Any) -> Any:
        from ops_lib.integrations.grpc.client import aio_interceptors

        return _with_interceptors(
            make, args, kwargs, lambda given: aio_interceptors(given["target"], lambda: slot.policy)
        )

    return channel


_WRAPS = {"server": _wrap_server, "insecure_channel": _wrap_channel, "secure_channel": _wrap_channel}
_AIO_WRAPS = {"server": _wrap_aio_server, "insecure_channel": _wrap_aio_channel, "secure_channel": _wrap_aio_channel}
