"""Values about export: what is taken, and what a wrong one is told."""

from __future__ import annotations

import pytest

from proxy.settings import otlp_values
from proxy.settings.otlp_values import Attribute, CollectorUrl, Header


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://collector:4318", CollectorUrl("http", "collector", 4318, "")),
        ("http://collector", CollectorUrl("http", "collector", 4318, "")),
        (" https://Api.Vendor.com/otlp/ ", CollectorUrl("https", "api.vendor.com", 4318, "/otlp")),
        ("https://api.vendor.com:443/v1/traces", CollectorUrl("https", "api.vendor.com", 443, "/v1/traces")),
        ("http://[::1]:4318", CollectorUrl("http", "::1", 4318, "")),
    ],
)
def test_a_collector(text: str, url: CollectorUrl) -> None:
    assert otlp_values.parse_url(text) == url
    assert otlp_values.parse_url(str(url)) == url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("collector:4318", "begins with http"),
        ("grpc://collector:4317", "begins with http"),
        ("http://", "expected the URL"),
        ("", "expected the URL"),
        (None, "expected the URL"),
        ("http://collector:70000", "expected the URL"),
        ("http://collector:0", "from 1 to 65535"),
        ("http://user:secret@collector", "set export.headers"),
        ("http://collector/v1?x=1", "without a query"),
        ("http://collector/a b", "without a query"),
        ("http://-x-/", "host name"),
    ],
)
def test_what_is_no_collector(text: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        otlp_values.parse_url(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (None, ()),
        ({}, ()),
        ("", ()),
        ({"X-Key": "a b"}, (Header("X-Key", "a b"),)),
        ("api-key=abc%20d, X-Other=1", (Header("api-key", "abc d"), Header("X-Other", "1"))),
        ("a=1=2", (Header("a", "1=2"),)),
        ("a=1,A=2", (Header("A", "2"),)),
        ({"n": 5, "b": True}, (Header("n", "5"), Header("b", "true"))),
    ],
)
def test_headers(value: object, headers: tuple[Header, ...]) -> None:
    assert otlp_values.parse_headers(value) == headers


@pytest.mark.parametrize(
    "value",
    [
        "a",
        ["a=1"],
        {"a": None},
        {"a": {"b": 1}},
        {"a b": "1"},
        "=1",
        "a=b%0d%0ac",
        "Host=x",
        "content-length=5",
        {1: "x"},
        {f"h{n}": "x" for n in range(65)},
    ],
)
def test_what_is_no_header(value: object) -> None:
    with pytest.raises(ValueError):
        otlp_values.parse_headers(value)


def test_a_headers_value_is_never_shown() -> None:
    header = Header("Authorization", "Bearer secret")
    assert str(header) == "Authorization=(hidden)"
    assert "secret" not in repr(header)


def test_attributes() -> None:
    found = otlp_values.parse_attributes("deployment.environment.name=prod,host.name=a%2Cb")
    assert found == (Attribute("deployment.environment.name", "prod"), Attribute("host.name", "a,b"))
    assert [str(one) for one in found] == ["deployment.environment.name=prod", "host.name=a,b"]
    with pytest.raises(ValueError, match="1024"):
        otlp_values.parse_attributes({"a": "x" * 1025})
    with pytest.raises(ValueError, match="255"):
        otlp_values.parse_attributes({"a" * 256: "x"})
    assert otlp_values.parse_attributes({"a" * 255: "x" * 1024})


@pytest.mark.parametrize(
    ("value", "ratio"), [("always_on", 1.0), ("Always_Off", 0.0), (0.25, 0.25), ("0.1", 0.1), (1, 1.0), ("0", 0.0)]
)
def test_a_ratio(value: object, ratio: float) -> None:
    assert otlp_values.parse_ratio(value) == ratio


@pytest.mark.parametrize("value", [1.01, -0.1, "often", True, None, "1.1"])
def test_what_is_no_ratio(value: object) -> None:
    with pytest.raises(ValueError, match="always_on"):
        otlp_values.parse_ratio(value)
