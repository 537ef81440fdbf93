"""Unknown keys beyond those that are told."""

from __future__ import annotations

from proxy.settings.surplus import without_surplus


def test_known_keys_and_the_first_unknown_ones_stay() -> None:
    data = {"x": 1, "log": {"level": "info", "y": 1, "z": 2}, "y": {"a": 1}, "z": 3}
    assert without_surplus(data, 1) == ({"x": 1, "log": {"level": "info", "y": 1}}, 3)
    assert without_surplus(data, 2) == ({"x": 1, "log": data["log"], "y": {"a": 1}}, 1)
    assert without_surplus(data, 9) == (data, 0)


def test_each_upstream_has_its_own() -> None:
    upstreams = [{"name": "a", "x": 1, "y": 2}, 5, {"tls": {"x": 1, "y": 2}}]
    assert without_surplus({"upstreams": upstreams}, 1) == (
        {"upstreams": [{"name": "a", "x": 1}, 5, {"tls": {"x": 1}}]},
        2,
    )


def test_what_is_not_a_section_stays_as_it_is() -> None:
    for data in ({"log": 5}, {"inbound": {"listen": {"a": 1, "b": 2}}}, {"propagation": {"inject": ["b3", "x"]}}):
        assert without_surplus(data, 0) == (data, 0)
