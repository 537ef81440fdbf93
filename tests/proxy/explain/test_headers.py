"""Headers as people paste them."""

from __future__ import annotations

import pytest

from proxy.explain.headers import HeaderInputError, read_headers, read_transcript

CURL = """\
*   Trying 127.0.0.1:8080...
* Connected to localhost (127.0.0.1) port 8080 (#0)
> GET /x HTTP/1.1\r
> Host: localhost:8080\r
> b3: 0\r
>\r
< HTTP/1.1 200 OK\r
< b3: 1\r
<\r
{ [5 bytes data]
"""


def test_of_a_curl_transcript_the_request_counts() -> None:
    assert read_transcript(CURL) == [("Host", "localhost:8080"), ("b3", "0")]


def test_plain_lines_and_a_request_line_will_do() -> None:
    text = "POST /a?b HTTP/1.1\nA:1\n\nb :  2 \nC: \nD: e: f\n"
    assert read_transcript(text) == [("A", "1"), ("b", "2"), ("C", ""), ("D", "e: f")]


@pytest.mark.parametrize("line", ["x", "a b: c", ": x", "HTTP/1.1", ""])
def test_what_is_no_header_is_shown(line: str) -> None:
    with pytest.raises(HeaderInputError, match="is not a header: expected 'name: value'"):
        read_headers([line])


def test_an_argument_may_be_a_line_of_curl() -> None:
    assert read_headers(["> b3: 0"]) == [("b3", "0")]
