"""What a hop adds depends on who came before it: a first hop writes the same for every request of a client."""

from __future__ import annotations

import pytest

from proxy.semantics import request
from proxy.semantics.hop import Hop
from proxy.semantics.request import Field, Request

pytestmark = pytest.mark.skipif(
    not str(request.__file__).endswith(".py"), reason="compiled classes have no subclass in Python"
)


class Came(Request):
    """A request of a client that speaks to us directly."""

    version = b"1.1"
    host = b"shop.example"

    def fields(self) -> list[Field]:
        return []

    def field(self, name: bytes) -> bytes:
        raise NotImplementedError

    def weigh(self) -> tuple[int, int]:
        raise NotImplementedError

    def forward(self, name: bytes, value: bytes) -> None:
        raise NotImplementedError


def came(**said: object) -> Came:
    request = Came()
    for name, value in said.items():
        setattr(request, name, value)
    return request


HOP = Hop(via=b"sidecar", client=b"10.0.0.7", forwarded=True)
FIRST = [
    (b"Via", b"1.1 sidecar"),
    (b"X-Forwarded-For", b"10.0.0.7"),
    (b"X-Forwarded-Proto", b"http"),
    (b"X-Forwarded-Host", b"shop.example"),
]


def test_a_first_hop() -> None:
    assert HOP.is_first(came())
    assert HOP.fields(came()) == FIRST


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({"via": (b"1.0 edge",)}, {b"Via": b"1.0 edge, 1.1 sidecar"}),
        ({"forwarded_for": (b"192.0.2.1",)}, {b"X-Forwarded-For": b"192.0.2.1, 10.0.0.7"}),
        ({"has_forwarded_proto": True}, {b"X-Forwarded-Proto": b""}),
        ({"has_forwarded_host": True}, {b"X-Forwarded-Host": b""}),
        ({"host": b""}, {b"X-Forwarded-Host": b""}),
        ({"scheme": "https"}, {b"X-Forwarded-Proto": b"https"}),
    ],
    ids=lambda said: next(iter(said)) if isinstance(next(iter(said)), str) else "",
)
def test_what_makes_it_another(said: dict[str, object], changed: dict[bytes, bytes]) -> None:
    """An empty value: the field is not added."""
    assert not HOP.is_first(came(**said))
    assert HOP.fields(came(**said)) == [
        (name, changed.get(name, value)) for name, value in FIRST if changed.get(name, value)
    ]


def test_a_client_without_an_address() -> None:
    hop = Hop(via=b"", client=b"", forwarded=True)
    assert hop.fields(came(host=b"")) == [(b"X-Forwarded-Proto", b"http")]
    assert hop.fields(came(forwarded_for=(b"192.0.2.1",)))[0] == (b"X-Forwarded-For", b"192.0.2.1")
