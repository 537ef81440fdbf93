"""What has changed from one reading of the settings to the next, for one line of the log."""

from __future__ import annotations

from proxy.lifecycle.generation import changes


def test_each_changed_key_is_told_with_both_values() -> None:
    old = {"log.level": "info", "inbound.listen": "a", "upstreams.0.name": "x"}
    new = {"log.level": "debug", "inbound.listen": "a", "upstreams.1.name": "y"}
    assert changes(old, new) == "log.level: info -> debug, upstreams.1.name: none -> y, upstreams.0.name: x -> none"


def test_no_change_is_told_as_well() -> None:
    assert changes({"a": "1"}, {"a": "1"}) == "nothing"


def test_a_line_has_an_end() -> None:
    told = changes({}, {f"k{n}": "1" for n in range(20)})
    assert told.count("->") == 20
    assert told.endswith("k19: none -> 1")
    told = changes({}, {f"k{n}": "1" for n in range(23)})
    assert told.count("->") == 20
    assert told.endswith(", and 3 more")
    assert changes({}, {f"k{n}": "1" for n in range(21)}).endswith(", and 1 more")
