"""Each option of curl that has a value, or is a header: nothing behind another option is taken for one."""

from __future__ import annotations

import pytest

from proxy.explain.curl import is_curl, read_curl

VALUED = [
    "-d",
    "-X",
    "--request",
    "-u",
    "--user",
    "-o",
    "--output",
    "-F",
    "--form",
    "--json",
    "-m",
    "--max-time",
    "-x",
    "--proxy",
    "--url",
    "-T",
    "--upload-file",
    "--resolve",
    "--connect-to",
    "--data",
    "--data-raw",
    "--data-binary",
    "--data-urlencode",
]
NAMED = {
    "-A": "User-Agent", "--user-agent": "User-Agent", "-b": "Cookie", "--cookie": "Cookie", "-e": "Referer",
    "--referer": "Referer",
}  # fmt: skip


@pytest.mark.parametrize("option", VALUED)
def test_each_option_with_a_value(option: str) -> None:
    assert read_curl(f"curl {option} -H http://a -H 'b3: 0'") == [("b3", "0")]
    assert read_curl(f"curl -H 'b3: 0' {option}") == [("b3", "0")]


@pytest.mark.parametrize("option", ["-v", "-s", "-k", "--compressed", "-i", "-L"])
def test_options_without(option: str) -> None:
    assert read_curl(f"curl {option} -H 'b3: 0'") == [("b3", "0")]


@pytest.mark.parametrize("option", NAMED)
def test_each_option_that_is_a_header(option: str) -> None:
    assert read_curl(f"curl {option} x http://a") == [(NAMED[option], "x")]
    assert read_curl(f"curl {option}") == [(NAMED[option], "")]


@pytest.mark.parametrize("written", ["-H 'b3: 0'", "--header 'b3: 0'", "--header='b3: 0'", "'-Hb3: 0'", "-H'b3: 0'"])
def test_each_way_to_write_a_header(written: str) -> None:
    assert read_curl(f"curl {written} http://a") == [("b3", "0")]


def test_headers_without_a_value() -> None:
    assert read_curl("curl -H 'X-Empty;' -H 'Accept:' -H 'a:b;'") == [("X-Empty", ""), ("a", "b;")]


@pytest.mark.parametrize("end", ["\\\n", "\\\r\n", "^\r\n"])
def test_each_way_to_go_on_in_the_next_line(end: str) -> None:
    assert read_curl(f" $ curl http://a {end} -H {end} 'b3: 0'") == [("b3", "0")]


@pytest.mark.parametrize(
    ("text", "yes"), [("curl x", True), (" $  curl x", True), ("curlx", False), ("x curl ", False)]
)
def test_what_is_a_command(text: str, yes: bool) -> None:
    assert is_curl(text) is yes
