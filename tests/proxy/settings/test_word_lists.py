"""Words that settings know or refuse, each tried by itself, and texts at their edges."""

from __future__ import annotations

import pytest

from proxy.address import Address
from proxy.settings.addresses import parse_listen
from proxy.settings.otlp_values import CollectorUrl, parse_attributes, parse_headers, parse_rate, parse_ratio, parse_url
from proxy.settings.problems import shown, unknown_key
from proxy.settings.values import METHOD, parse_response_header, parse_session_header, parse_switch, ratio_of
from proxy.settings.words import OFF_WORDS, ON_WORDS

TAKEN = [
    "accept",
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-real-ip",
    "traceparent",
    "tracestate",
    "b3",
    "uber-trace-id",
    "baggage",
    "jaeger-baggage",
    "jaeger-debug-id",
    "grpc-trace-bin",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "sentry-trace",
    "sw8",
    "sw8-correlation",
    "sw8-x",
]
PREFIXES = [
    "uberctx-",
    "x-b3-",
    "x-forwarded-",
    "accept-",
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "sec-",
    "x-datadog-",
    "ot-tracer-",
    "ot-baggage-",
    "x-instana-",
]


@pytest.mark.parametrize("name", [*TAKEN, *(f"{prefix}x" for prefix in PREFIXES)])
def test_each_header_that_has_another_meaning_holds_no_session_and_no_trace(name: str) -> None:
    for spelled in (name, name.upper(), name.replace("-", "_")):
        with pytest.raises(ValueError, match=r"^this header has another meaning; choose another name for the session$"):
            parse_session_header(spelled)
        with pytest.raises(ValueError, match=rf"^'{spelled}' cannot carry the trace: expected a header name without "):
            parse_response_header(spelled)


@pytest.mark.parametrize("name", ["X-Sid", "x-session", "Server-Timing", "traceresponse", "a" * 256, "x-accept", "ifx"])
def test_others_do(name: str) -> None:
    assert parse_session_header(name) == parse_response_header(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a:", "ü", "a" * 257, None, 5])
def test_what_is_not_a_name(name: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a header name: letters, digits and -$"):
        parse_session_header(name)


def test_no_response_header() -> None:
    assert [parse_response_header(none) for none in (None, "", "none")] == ["", "", ""]
    with pytest.raises(ValueError, match=r"^expected a header name, such as Server-Timing, or none$"):
        parse_response_header(5)


@pytest.mark.parametrize("word", ["off", "none", "null", "false", "no", "disabled", "OFF", " Off "])
def test_each_word_for_no_listener(word: str) -> None:
    assert parse_listen(word) is None


@pytest.mark.parametrize("word", ["on", "true", "yes", "enabled"])
def test_each_word_for_a_listener_somewhere(word: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_listen(word)
    assert word in ON_WORDS
    assert word not in OFF_WORDS
    assert parse_listen("127.0.0.1:1") == Address("127.0.0.1", 1)


@pytest.mark.parametrize("word", ["true", "on", "yes", "1", "True", " ON "])
def test_each_word_that_switches_on(word: str) -> None:
    assert parse_switch(word) is True


@pytest.mark.parametrize("word", ["false", "off", "no", "0", "False", " OFF "])
def test_each_word_that_switches_off(word: str) -> None:
    assert parse_switch(word) is False


def test_ratios_of_words() -> None:
    assert [ratio_of("accept"), ratio_of("deny"), ratio_of(0.25)] == [1, 0, 0.25]
    assert [parse_ratio("always_on"), parse_ratio(" ALWAYS_OFF "), parse_ratio("1")] == [1, 0, 1]
    assert parse_rate("2.5") == 2.5
    with pytest.raises(
        ValueError, match=r"^expected always_on, always_off, or the ratio of traces to record, from 0 to 1$"
    ):
        parse_ratio("1.01")
    with pytest.raises(ValueError, match=r"^expected a number of traces per second, or 0 for no limit"):
        parse_rate("x")


def test_a_method_has_32_characters() -> None:
    assert METHOD.match("A" * 32)
    assert not METHOD.match("A" * 33)
    assert not METHOD.match("-A")


@pytest.mark.parametrize(
    "name", ["content-length", "content-type", "content-encoding", "transfer-encoding", "host", "connection"]
)
def test_each_header_of_a_collector_that_is_ours(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is the sidecar's own to set$"):
        parse_headers({name.title(): "x"})
    assert parse_headers({f"{name}x": "y"})[0].name == f"{name}x"


def test_pairs_are_bounded() -> None:
    most = {f"a{number}": "x" for number in range(64)}
    assert len(parse_headers(most)) == len(parse_attributes(most)) == 64
    for parse in (parse_headers, parse_attributes):
        with pytest.raises(ValueError, match=r"^expected at most 64 of them$"):
            parse({**most, "b": "y"})  # type: ignore[operator]
    assert parse_attributes({"k" * 255: "v" * 1024})
    with pytest.raises(ValueError, match=r"^an attribute's key has 1 to 255 printable characters$"):
        parse_attributes({"k" * 256: "v"})
    with pytest.raises(ValueError, match=r"^the value of k{40} is longer than 1024 characters$"):
        parse_attributes({"k" * 41: "v" * 1025})
    assert parse_headers({"h" * 256: "v"})
    with pytest.raises(ValueError, match=r"^a header's name has letters, digits and -$"):
        parse_headers({"h" * 257: "v"})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"a": True, "b": 5, "c": 1.5}, ["a=true", "b=5", "c=1.5"]),
        ("a=b, c = d%20e ,", ["a=b", "c=d e"]),
        ("a=b=c", ["a=b=c"]),
        ("a=1,a=2", ["a=2"]),
        (None, []),
        ((), []),
        ("", []),
    ],
)
def test_pairs_are_read(value: object, read: list[str]) -> None:
    assert [str(one) for one in parse_attributes(value)] == read


@pytest.mark.parametrize("value", ["a", "a=b,c", 5, [1], {"a": {}}, {"a": []}, {"a": None}, {5: "a"}])
def test_what_is_no_pairs(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected attributes with their values, or the text key=value,key=value$"):
        parse_attributes(value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" http://a ", CollectorUrl("http", "a", 4318, "")),
        ("https://a/", CollectorUrl("https", "a", 4318, "")),
        ("http://a:1/b/", CollectorUrl("http", "a", 1, "/b")),
        ("http://[::1]:65535/b", CollectorUrl("http", "::1", 65535, "/b")),
    ],
)
def test_a_collector(text: str, url: CollectorUrl) -> None:
    assert parse_url(text) == url
    assert parse_url(str(url)) == url


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "such as http://collector:4318$"),
        (5, "such as http://collector:4318$"),
        ("http://a:b", "such as http://collector:4318$"),
        ("ftp://a", "; it begins with http:// or https://$"),
        ("http://", "; it begins with http:// or https://$"),
        ("http://u@a", r"^a collector's URL has no user name or password; set export\.headers$"),
        ("http://:p@a", r"^a collector's URL has no user name or password; set export\.headers$"),
        ("http://a?b", "; without a query or a fragment$"),
        ("http://a#b", "; without a query or a fragment$"),
        ("http://a/ü", "; without a query or a fragment$"),
        ("http://a:0", "^a collector's port is from 1 to 65535$"),
    ],
)
def test_what_is_no_collector(text: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_url(text)


GUESSES = {
    "port bind address host_port": "inbound.listen",
    "backend service app_url app_port proxy_pass upstream_url": "inbound.app",
    "propagator propagators format formats": "propagation.inject or propagation.extract",
    "loglevel verbosity debug": "log.level",
}


@pytest.mark.parametrize(("key", "meant"), [(key, meant) for keys, meant in GUESSES.items() for key in keys.split()])
def test_each_key_of_other_programs_is_understood(key: str, meant: str) -> None:
    assert unknown_key((key,), by_variable=False).endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize(
    "word", ["password", "passwd", "secret", "token", "credential", "apikey", "api_key", "private"]
)
def test_each_word_that_names_a_secret_hides_its_value(word: str) -> None:
    assert shown((f"my_{word.upper()}_2",), "x") == "(hidden)"
    assert shown(("a",), f"{word}: x") == f"{word}: (hidden)"
    assert shown(("a",), f"my_{word}_2=x&b") == f"my_{word}_2= (hidden)"
