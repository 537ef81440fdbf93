"""What pasted headers say, as the page shows it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.explain.pasted import LONGEST, explain_pasted, read_pasted

W3C = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
B3 = "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"
ORDERS = {"sidecar": "shop", "name": "orders", "inject": ["b3multi"], "extract": ["tracecontext", "b3"]}


def test_two_traces() -> None:
    said = explain_pasted(f"{W3C}\n{B3}\nX-Mirascope-Session-Id: ann", [ORDERS])
    assert (said["read"], said["winner"], said["session"], said["error"]) == (3, "tracecontext", "ann", None)
    by_format = {one["format"]: one for one in said["says"]}
    assert by_format["tracecontext"]["verdict"].startswith("wins")
    assert by_format["b3"]["conflict"]
    assert by_format["jaeger"]["absent"]
    assert said["record"]["trace"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert said["sentence"] == "W3C wins: the first valid format in the order that is read. B3 told another trace."
    (to,) = said["to"]
    names = [header["name"].lower() for header in to["headers"]]
    assert names[:3] == ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]


def test_a_bare_decision() -> None:
    said = explain_pasted("b3: 0", [])
    assert (said["bare"], said["record"]) == ("deny", None)
    assert said["sentence"].startswith("Only a decision came: deny.")


def test_what_is_malformed_is_diagnosed() -> None:
    said = explain_pasted("traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", [])
    assert "all zeros" in said["says"][0]["malformed"]
    assert said["winner"] is None


def test_a_line_that_is_not_a_header_is_told_and_the_rest_is_read() -> None:
    said = explain_pasted(f"hello there\n{B3}", [])
    assert "'hello there' is not a header" in said["error"]
    assert said["winner"] == "b3"


def test_egress() -> None:
    said = explain_pasted(W3C, [{**ORDERS, "egress": {"trace": False}}])
    assert said["to"][0]["egress"] is True
    assert said["to"][0]["headers"] == []


def test_too_long() -> None:
    assert explain_pasted("x" * (LONGEST + 1), [])["error"]


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert explain_pasted(text, [ORDERS])["sentence"]
    assert explain_pasted("curl " + text, [])["sentence"]


def test_a_text_has_at_most_65536_characters_and_200_headers() -> None:
    """A longer one is not read at all; headers beyond are left out, also where a line cannot be read."""
    longest = "a: " + "1" * 65533
    assert read_pasted(longest) == ([("a", "1" * 65533)], None)
    assert read_pasted(longest + "1") == ([], "The text has 65,537 characters. It may have 65,536.")
    assert len(read_pasted("a: 1\n" * 201)[0]) == 200
    found, wrong = read_pasted("nonsense\n" + "a: 1\n" * 201)
    assert len(found) == 200
    assert wrong == "'nonsense' is not a header: expected 'name: value'."
