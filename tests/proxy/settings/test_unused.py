"""Keys that were set and have no effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import Flag, load
from proxy.settings.unused import without_effect


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ""),
        ("inbound: {propagation: {inject: [b3]}}", ""),
        (
            "inbound: {propagation: {inject: [b3]}}\noutbound: {propagation: {inject: [b3]}}",
            "inbound.propagation.inject, outbound.propagation.inject counts instead",
        ),
        (
            "inbound: {listen: off}\noutbound: {propagation: {inject: [b3]}}",
            "outbound.propagation.inject counts instead",
        ),
        # other hosts, whatever upstreams say
        ("inbound: {listen: off}\nupstreams: [{name: a, match: a, propagation: {inject: [b3]}}]", ""),
        (
            "inbound: {listen: off}\noutbound: {listen: off}\n"
            "upstreams: [{name: a, target: 'http://a', listen: '127.0.0.1:1', propagation: {inject: [b3]}}]",
            "upstreams.0.propagation.inject counts instead",
        ),
        (
            "inbound: {listen: off}\noutbound: {propagation: {inject: [b3]}}\n"
            "upstreams: [{name: a, match: a, propagation: {inject: [b3]}}]",
            "outbound.propagation.inject, upstreams.0.propagation.inject counts instead",
        ),
    ],
)
def test_a_wide_key_that_nobody_goes_by_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load(file, environ={}, flags=[Flag(("propagation", "inject"), "jaeger", "flag --inject")])
    found = [str(one) for one in without_effect(loaded)]
    assert found == ([f"propagation.inject (from flag --inject) has no effect: {told}"] if told else [])


@pytest.mark.parametrize(
    ("outbound", "upstream", "told"),
    [
        ("listen: off", "listen: 'h:1'", []),
        ("listen: off", "listen: 'h:1', limits: {connections: 6}", ["upstreams.0.limits.connections counts instead"]),
        (
            "limits: {connections: 7}",
            "listen: 'h:1', limits: {connections: 6}",
            ["outbound.limits.connections, upstreams.0.limits.connections counts instead"],
        ),
        ("limits: {connections: 7}", "match: a", ["outbound.limits.connections counts instead"]),
    ],
)
def test_limits_count_for_an_upstream_that_has_a_listener(
    tmp_path: Path, outbound: str, upstream: str, told: list[str]
) -> None:
    file = tmp_path / "sidecar.yaml"
    text = f"inbound: {{listen: off}}\noutbound: {{{outbound}}}\nlimits: {{connections: 5}}\n"
    file.write_text(text + f"upstreams: [{{name: a, target: 'http://a', {upstream}}}]\n", encoding="utf-8")
    assert [one.why for one in without_effect(load(file, environ={}))] == told


def test_limits_of_outbound_have_no_effect_without_a_listener_that_takes_them(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("outbound: {listen: off, limits: {connections: 5}, timeouts: {idle_s: 1}}\n", encoding="utf-8")
    assert [one[::2] for one in without_effect(load(file, environ={}))] == [
        ("outbound.limits.connections", "no listener uses it"),
        ("outbound.timeouts.idle_s", "no listener uses it"),
    ]


@pytest.mark.parametrize(
    ("last", "more"), [(7, "upstreams.3.timeouts.idle_s and 3 more"), (4, "upstreams.3.timeouts.idle_s")]
)
def test_many_that_count_instead_are_not_all_named(last: int, more: str, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    upstreams = "".join(
        f"  - {{name: a{n}, target: 'http://a', listen: 'h:{n}', timeouts: {{idle_s: 1}}}}\n"
        for n in range(1, last + 1)
    )
    text = "inbound: {listen: off}\noutbound: {listen: off}\ntimeouts: {idle_s: 2}\nupstreams:\n"
    file.write_text(text + upstreams, encoding="utf-8")
    (found,) = without_effect(load(file, environ={}))
    assert found.why.endswith(f"{more} counts instead")
