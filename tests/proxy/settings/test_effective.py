"""The settings in effect: every key, the value that counts, and who set it."""

from __future__ import annotations

from pathlib import Path

from proxy.settings import load
from proxy.settings.effective import Entry, effective


def entries(tmp_path: Path, text: str, **environ: str) -> dict[str, Entry]:
    file = tmp_path / "f.yaml"
    file.write_text(text, encoding="utf-8")
    return {entry.key: entry for entry in effective(load(file, environ=environ))}


def test_a_narrow_key_is_shown_with_whoever_set_it_in_effect(tmp_path: Path) -> None:
    text = """\
propagation:
  inject: [b3]
outbound:
  propagation:
    session: {bridge: on}
upstreams:
  - name: a
    match: a
    propagation: {mode: participate}
"""
    found = entries(tmp_path, text, OPS_SIDECAR_OUTBOUND__PROPAGATION__LOSSLESS="false")
    assert found["propagation.mode"][1:3] == ("auto", "default (0.1 had translate)")
    assert found["propagation.inject"].source.endswith("f.yaml:2")
    assert found["inbound.propagation.inject"][1:3] == (["b3"], found["propagation.inject"].source)
    assert found["inbound.propagation.session.bridge"][1:3] == (False, "default")
    assert found["upstreams.0.propagation.session.bridge"].value is True
    assert found["upstreams.0.propagation.session.bridge"].source.endswith("f.yaml:5")
    assert found["upstreams.0.propagation.mode"][1:3] == ("participate", found["upstreams.0.propagation.mode"].source)
    assert found["upstreams.0.propagation.mode"].source.endswith("f.yaml:9")
    assert found["upstreams.0.propagation.lossless"].source.endswith("OPS_SIDECAR_OUTBOUND__PROPAGATION__LOSSLESS")
    assert found["upstreams.0.propagation.extract"].source == "default"


def test_of_two_that_set_a_key_the_narrower_counts(tmp_path: Path) -> None:
    text = """\
propagation: {inject: [b3]}
outbound: {propagation: {inject: [jaeger]}}
upstreams:
  - {name: a, match: a, propagation: {inject: [tracecontext]}}
"""
    key, found = "propagation.inject", entries(tmp_path, text)
    assert [found[name].source[-2:] for name in (key, f"outbound.{key}", f"upstreams.0.{key}")] == [":1", ":2", ":4"]


def test_what_has_no_effect_is_left_out(tmp_path: Path) -> None:
    found = entries(tmp_path, "inbound: {listen: off, app: 'http://a'}\nupstreams: [{name: a, match: a}]\n")
    assert found["inbound.listen"].value == "off"
    assert not any(key.startswith("inbound.") for key in found if key != "inbound.listen")
    assert not any(".tls." in key or "upstreams.0.limits" in key for key in found)
    assert "upstreams.0.timeouts.connect_s" in found


def test_changed_is_what_differs_not_what_was_written(tmp_path: Path) -> None:
    text = """\
propagation: {inject: [b3], mode: auto}
inbound: {propagation: {inject: [tracecontext]}, host: target}
timeouts: {idle_s: 75, connect_s: "1"}
upstreams: [{name: a, match: a, host: auto, timeouts: {idle_s: 1m}}]
"""
    changed = {entry.key for entry in entries(tmp_path, text).values() if entry.changed}
    assert changed == {
        "propagation.inject",
        "inbound.propagation.inject",  # as the default is, but not what stands above it
        "outbound.propagation.inject",
        "upstreams.0.propagation.inject",
        "inbound.host",
        "timeouts.connect_s",
        "inbound.timeouts.connect_s",
        "outbound.timeouts.connect_s",
        "upstreams.0.timeouts.connect_s",
        "upstreams.0.timeouts.idle_s",
        "upstreams.0.name",
        "upstreams.0.match",
    }


def test_host_is_shown_as_it_takes_effect(tmp_path: Path) -> None:
    """`auto` is shown only where two ways lead to the upstream, and it is not the same on both."""
    ways = ("match: [a]", "listen: '127.0.0.1:1'", "match: [c], listen: '127.0.0.1:2'", "match: [d], host: target")
    text = "upstreams:\n" + "".join(f"- {{name: u{n}, target: 'http://u', {way}}}\n" for n, way in enumerate(ways))
    found = entries(tmp_path, text)
    assert [found[f"upstreams.{n}.host"].value for n in range(4)] == ["preserve", "target", "auto", "target"]
    assert [found[f"upstreams.{n}.host"].source == "default" for n in range(4)] == [True, True, True, False]


def test_values_are_shown_as_they_would_be_written(tmp_path: Path) -> None:
    found = entries(
        tmp_path, "upstreams: [{name: a, match: ['*.a:80', '[::1]:80'], target: 'https://a', listen: '[::1]:1'}]"
    )
    assert found["upstreams.0.match"].value == ["*.a:80", "[::1]:80"]
    assert found["upstreams.0.target"].value == "https://a:443"
    assert found["upstreams.0.listen"].value == "[::1]:1"
    assert found["upstreams.0.tls.verify"].value is True
    assert found["upstreams.0.tls.ca_file"].value is None
    assert found["upstreams.0.limits.connections"].value == 10_000


def test_a_default_that_is_new_names_the_old_one(tmp_path: Path) -> None:
    found = entries(tmp_path, "inbound: {propagation: {on_defer: accept}}\n")
    assert found["propagation.on_defer"][1:3] == ("accept", "default (0.1 had deny)")
    assert found["outbound.propagation.on_defer"].source == "default (0.1 had deny)"
    assert found["inbound.clients.half_close"][1:3] == ("abandon", "default (0.1 had serve)")
    assert found["inbound.propagation.on_defer"].source.endswith("f.yaml:1")


def test_a_listener_of_an_upstream_is_its_own_or_none(tmp_path: Path) -> None:
    """Not that of outbound, which is a key of the same name, and no wider one."""
    text = "outbound: {listen: '127.0.0.1:7'}\nupstreams: [{name: a, match: a}]\n"
    found = entries(tmp_path, text)
    assert found["upstreams.0.listen"][1:4] == ("off", "default", False)
    assert found["outbound.listen"].value == "127.0.0.1:7"


def test_addresses_are_shown_as_they_may_be_written(tmp_path: Path) -> None:
    """One as it is, several as a list."""
    found = entries(tmp_path, "inbound: {listen: ['0.0.0.0:1', '[::]:1']}\noutbound: {listen: ['127.0.0.1:2']}\n")
    assert found["inbound.listen"].value == ["0.0.0.0:1", "[::]:1"]
    assert found["outbound.listen"].value == "127.0.0.1:2"


def test_collectors_are_shown_as_urls(tmp_path: Path) -> None:
    found = entries(tmp_path, "export: {endpoint: 'http://a/otlp', traces_endpoint: 'https://[::1]:1/v1/traces'}\n")
    assert found["export.endpoint"].value == "http://a:4318/otlp"
    assert found["export.traces_endpoint"].value == "https://[::1]:1/v1/traces"
    assert found["export.metrics_endpoint"].value is None


def test_reports_are_shown_where_no_console_is_beside_the_sidecar(tmp_path: Path) -> None:
    """They go to a console elsewhere; the other keys of a console have no effect then."""
    found = entries(tmp_path, "console: {report: {endpoint: 'http://console', interval_s: 1}}\n")
    assert found["console.report.endpoint"].value == "http://console:4318"
    assert found["console.report.endpoint"].source.endswith("f.yaml:1")
    assert found["console.report.interval_s"].value == 1
    assert [key for key in found if key.startswith("console.") and ".report." not in key] == ["console.listen"]
