"""Loading: which source wins, and that every problem is named with key, value, source and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from ops_lib.propagation import FORMATS, Format
from proxy.errors import SettingsError, SettingsProblem
from proxy.settings import Flag, Loaded, Settings, config_file, load
from proxy.settings.problems import all_keys


def loaded(tmp_path: Path, text: str = "", *, flags: dict[str, str] | None = None, **environ: str) -> Loaded:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    given = [Flag(tuple(key.split(".")), value, f"flag --set {key}") for key, value in (flags or {}).items()]
    return load(file, environ=environ, flags=given)


def problems(tmp_path: Path, text: str = "", **more: object) -> dict[str, SettingsProblem]:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text, **more)  # type: ignore[arg-type] - flags and environment as they come
    return {problem.key: problem for problem in caught.value.problems}


def test_without_anything_the_defaults_count() -> None:
    assert load(environ={}).settings == Settings.from_layers([])


def test_later_wins_key_by_key(tmp_path: Path) -> None:
    text = "timeouts: {connect_s: 1, idle_s: 1, queue_s: 1, response_head_s: 1}\n"
    found = loaded(
        tmp_path,
        text,
        OPS_SIDECAR_TIMEOUTS__IDLE_S="2",
        OPS_SIDECAR_TIMEOUTS__QUEUE_S="2s",
        flags={"timeouts.queue_s": "3"},
    )
    timeouts = found.settings.timeouts
    assert (timeouts.connect_s, timeouts.idle_s, timeouts.queue_s, timeouts.body_read_s) == (1, 2, 3, 60)
    assert found.sources["timeouts", "connect_s"].endswith("sidecar.yaml:1")
    assert found.sources["timeouts", "idle_s"] == "environment variable OPS_SIDECAR_TIMEOUTS__IDLE_S"
    assert found.sources["timeouts", "queue_s"] == "flag --set timeouts.queue_s"


def test_the_propagator_of_mirascope_is_the_default_of_inject(tmp_path: Path) -> None:
    assert loaded(tmp_path, MIRASCOPE_PROPAGATOR="b3multi").settings.propagation.inject == (Format.B3MULTI,)
    assert loaded(tmp_path, MIRASCOPE_PROPAGATOR="Composite").settings.propagation.inject == FORMATS
    from_file = loaded(tmp_path, "propagation: {inject: [jaeger]}", MIRASCOPE_PROPAGATOR="b3multi")
    assert from_file.settings.propagation.inject == (Format.JAEGER,)
    assert problems(tmp_path, MIRASCOPE_PROPAGATOR="b4")["propagation.inject"].source == (
        "environment variable MIRASCOPE_PROPAGATOR"
    )


def test_a_wrong_propagator_is_an_error_even_where_the_file_says_otherwise(tmp_path: Path) -> None:
    found = problems(tmp_path, "propagation: {inject: [jaeger]}", MIRASCOPE_PROPAGATOR="b4")
    assert "b3multi" in found["propagation.inject"].message


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "named.yaml"
    file.write_text("inbound: {listen: off}\n", encoding="utf-8")
    found = load(environ={"OPS_SIDECAR_CONFIG": str(file)})
    assert found.settings.inbound.listen == ()
    assert found.file == file


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config = .*gone.yaml \(from environment variable OPS_SIDECAR_CONFIG\)"):
        load(environ={"OPS_SIDECAR_CONFIG": str(tmp_path / "gone.yaml")})
    with pytest.raises(SettingsError, match="Is a directory"):
        load(tmp_path, environ={})
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(binary, environ={})


@pytest.mark.parametrize(("text", "word"), [("", "write {}"), ("# later\n", "write {}"), ("log: {}\n", "`...`")])
def test_a_half_written_file_is_no_reload(tmp_path: Path, text: str, word: str) -> None:
    """What may be said at the start may not follow settings that are in force."""
    first = loaded(tmp_path, "inbound: {listen: '127.0.0.1:1'}\n...\n")
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    assert load(file, environ={}).settings == Settings.from_layers([])
    with pytest.raises(SettingsError, match=r"config = .*sidecar.yaml \(from --config\)") as caught:
        load(file, environ={}, before=first)
    (problem,) = caught.value.problems
    assert word in problem.message


def test_a_file_that_says_nothing_may_stay_so(tmp_path: Path) -> None:
    first = loaded(tmp_path, "")
    assert load(first.file, environ={}, before=first).settings == first.settings


@pytest.mark.parametrize("writes", [1, 99])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Never a mixture of two texts; where it does not come to rest, a problem."""
    file = tmp_path / "sidecar.yaml"
    file.write_text("log: {level: debug}\n", encoding="utf-8")
    left = [writes]

    def read_and_write(path: Path, patience_s: float | None) -> tuple[bytes, bool]:
        raw = path.read_bytes()
        if left[0] > 0:
            left[0] -= 1
            path.write_text(f"log: {{level: error}}\n{'#' * left[0]}\n", encoding="utf-8")
        return raw, True

    monkeypatch.setattr(config_file, "_contents", read_and_write)
    if writes == 1:
        assert load(file, environ={}).settings.log.level == "error"
    else:
        with pytest.raises(SettingsError, match="changed while it was read"):
            load(file, environ={})


def test_nothing_after_a_key_means_no_keys(tmp_path: Path) -> None:
    text = "inbound:\n  propagation:\ntimeouts:\nupstreams:\n"
    assert loaded(tmp_path, text).settings == Settings.from_layers([])
    assert loaded(tmp_path, text, OPS_SIDECAR_TIMEOUTS__IDLE_S="1").settings.timeouts.idle_s == 1


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="larger than"):
        loaded(tmp_path, "# " + "x" * 2**22)
    with pytest.raises(SettingsError, match="larger than"):
        load(Path("/dev/zero"), environ={})


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = """\
propagation:
  inject: [b3multy]
outbond: {}
inbound:
  app: "http://127.0.0.1:9080"
  listen: "127.0.0.1:9080"
upstreams:
  - match: [a]
  - {name: b, match: ["*.b.*"]}
  - {name: c}
"""
    found = problems(
        tmp_path, text, OPS_SIDECAR_ADMIN__LISTEN="x", OPS_SIDECAR_LOGS__LEVEL="x", flags={"drain.grace_s": "-1"}
    )
    assert set(found) == {
        "propagation.inject",
        "outbond",
        "inbound.app",
        "upstreams.0.name",
        "upstreams.1.match.0",
        "upstreams.2.name",
        "admin.listen",
        "logs",
        "drain.grace_s",
    }
    assert "did you mean b3multi?" in found["propagation.inject"].message
    assert "did you mean outbound?" in found["outbond"].message
    assert "loop" in found["inbound.app"].message  # also what stands between keys
    assert found["propagation.inject"].source.endswith("sidecar.yaml:2")
    assert found["logs"].source == "environment variable OPS_SIDECAR_LOGS__LEVEL"
    assert found["drain.grace_s"].source == "flag --set drain.grace_s"


def test_a_key_of_thousands_of_steps_is_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path, flags={".".join("a" * 5000): "1"}, **{f"OPS_SIDECAR_{'__'.join('B' * 5000)}": "1"})
    assert "more than 32 steps" in found["a"].message
    assert "more than 32 steps" in found["b"].message


def test_an_unknown_variable_is_an_error(tmp_path: Path) -> None:
    found = problems(tmp_path, OPS_SIDECAR_INBOND__APP="http://a")
    assert found["inbond"].source == "environment variable OPS_SIDECAR_INBOND__APP"
    assert "did you mean OPS_SIDECAR_INBOUND__...?" in found["inbond"].message


def test_variables_that_kubernetes_makes_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        OPS_SIDECAR_SERVICE_HOST="10.0.0.1",
        OPS_SIDECAR_SERVICE_PORT_HTTP="80",
        OPS_SIDECAR_PORT="tcp://10.0.0.1:80",
        OPS_SIDECAR_PORT_80_TCP_ADDR="10.0.0.1",
        OPS_SIDECAR_ADMIN_SERVICE_HOST="10.0.0.2",  # of a Service called ops-sidecar-admin
        OPS_SIDECAR_ADMIN_SERVICE_PORT="9082",
        OPS_SIDECAR_ADMIN_PORT="tcp://10.0.0.2:9082",
        OPS_SIDECAR_ADMIN_PORT_9082_TCP="tcp://10.0.0.2:9082",
        OPS_SIDECAR_ADMIN_PORT_9082_TCP_PROTO="tcp",
        OPS_SIDECAR_INBOUND__APP="",
    )
    assert found.settings == Settings.from_layers([])


def test_a_guess_that_looks_like_those_of_kubernetes_is_an_error(tmp_path: Path) -> None:
    assert set(problems(tmp_path, OPS_SIDECAR_PORT="8080", OPS_SIDECAR_INBOUND_PORT="8080")) == {"port", "inbound_port"}


def test_an_upstream_is_reached_by_name_or_number(tmp_path: Path) -> None:
    text = "upstreams:\n  - {name: a-b, match: a, target: 'http://a'}\n  - {name: c, match: c}\n"
    found = loaded(
        tmp_path,
        text,
        OPS_SIDECAR_UPSTREAMS__A_B__TARGET="http://x",
        OPS_SIDECAR_UPSTREAMS__1__PROPAGATION__INJECT="b3,jaeger",
        flags={"upstreams.2.name": "d", "upstreams.2.match": "[d, e]", "upstreams.c.host": "preserve"},
    )
    first, second, third = found.settings.upstreams
    assert (str(first.target), str(first.match[0])) == ("http://x:80", "a")
    assert second.propagation.inject == (Format.B3, Format.JAEGER)
    assert [str(pattern) for pattern in third.match] == ["d", "e"]
    assert found.sources["upstreams", "0", "target"] == "environment variable OPS_SIDECAR_UPSTREAMS__A_B__TARGET"


def test_an_upstream_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    found = problems(tmp_path, "upstreams: [{name: a, match: a}]", flags={"upstreams.b.target": "http://b"})
    assert "no such upstream" in found["upstreams"].message
    assert found["upstreams"].value == "b"


def test_whole_sections_may_be_text(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        OPS_SIDECAR_UPSTREAMS='[{"name": "a", "match": ["[::1]:80"], "propagation": {"inject": "b3"}}]',
        OPS_SIDECAR_TIMEOUTS="{connect_s: 1}",
    )
    assert str(found.settings.upstreams[0].match[0]) == "[::1]:80"
    assert found.settings.timeouts.connect_s == 1


def test_a_section_and_its_key_from_two_sources_are_merged(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "inbound: {propagation: {inject: [b3], mode: participate}}",
        flags={"inbound.propagation.inject": "jaeger"},
    )
    assert found.settings.inbound.propagation.inject == (Format.JAEGER,)
    assert found.settings.inbound.propagation.mode == "participate"


def test_a_section_that_is_no_yaml_is_an_error(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        OPS_SIDECAR_UPSTREAMS="[{name: a]",
        OPS_SIDECAR_INBOUND="{a",
        OPS_SIDECAR_LOG="{level: info, level: x}",
        OPS_SIDECAR_PROPAGATION__INJECT="[a, b: ]]",
    )
    assert "not valid YAML" in found["upstreams"].message
    assert "not valid YAML" in found["inbound"].message
    assert "duplicate key" in found["log"].message
    assert "not valid YAML" in found["propagation.inject"].message


def test_a_section_as_text_is_merged_key_by_key(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "timeouts: {connect_s: 1, idle_s: 1}\nupstreams: [{name: a, match: a}]\n",
        OPS_SIDECAR_TIMEOUTS="{connect_s: 2, queue_s: 2}",
        OPS_SIDECAR_TIMEOUTS__QUEUE_S="3",
        OPS_SIDECAR_UPSTREAMS__A="{propagation: {inject: [b3]}}",
        flags={"timeouts": "{queue_s: 4}", "upstreams.0.propagation": "{mode: participate}"},
    )
    timeouts = found.settings.timeouts
    assert (timeouts.connect_s, timeouts.idle_s, timeouts.queue_s) == (2, 1, 4)
    assert found.sources["timeouts", "connect_s"] == "environment variable OPS_SIDECAR_TIMEOUTS"
    assert found.sources["timeouts", "idle_s"].endswith("sidecar.yaml:1")
    assert found.sources["timeouts", "queue_s"] == "flag --set timeouts"
    upstream = found.settings.upstreams[0]
    assert (str(upstream.match[0]), upstream.propagation.inject) == ("a", (Format.B3,))
    assert upstream.propagation.mode == "participate"
    assert found.sources["upstreams", "0", "name"].endswith("sidecar.yaml:2")
    assert found.sources["upstreams", "0", "propagation", "inject"].endswith("OPS_SIDECAR_UPSTREAMS__A")


def test_upstreams_as_text_can_be_changed_one_by_one(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        OPS_SIDECAR_UPSTREAMS="[{name: a, match: a}]",
        OPS_SIDECAR_UPSTREAMS__A__TARGET="http://a",
        flags={"upstreams.a.host": "target"},
    )
    assert (str(found.settings.upstreams[0].target), found.settings.upstreams[0].host) == ("http://a:80", "target")


def test_many_upstreams_from_the_environment_come_in_their_order(tmp_path: Path) -> None:
    environ = {f"OPS_SIDECAR_UPSTREAMS__{n}__{key}": f"u{n}" for n in range(12) for key in ("NAME", "MATCH")}
    found = loaded(tmp_path, **environ)
    assert [upstream.name for upstream in found.settings.upstreams] == [f"u{n}" for n in range(12)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("upstreams.5.name", "x"),
        ("upstreams.a.match.x", "y"),
        ("upstreams.a.match.9", "y"),
        ("upstreams.a.name.b", "y"),
        ("timeouts.connect_s.x", "1"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, "upstreams: [{name: a, match: [a]}]", flags={key: value})
    assert all(problem.source == f"flag --set {key}" for problem in caught.value.problems)


def test_every_certificate_file_is_watched_beside_the_settings(tmp_path: Path) -> None:
    """Each that any key names: a key that is new is watched as well."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("a").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    pems = {"cert_file": "cert.pem", "key_file": "cert.pem"}
    environ = {
        "OPS_SIDECAR_INBOUND__APP": "https://a",
        "OPS_SIDECAR_INBOUND__LISTEN_TLS__CLIENT_CERTIFICATES": "required",
        "OPS_SIDECAR_UPSTREAMS": "[{name: n, match: n, target: 'https://n'}]",
        "OPS_SIDECAR_EXPORT__ENDPOINT": "https://a",
        "OPS_SIDECAR_CONSOLE__REPORT__ENDPOINT": "https://a",
        "OPS_SIDECAR_CONSOLE__FORWARD__ENDPOINT": "https://a",
    }
    keys = [key.replace(".N.", ".0.") for key in all_keys() if key.endswith("_file")]
    files = {}
    for key in keys:
        last = key.rpartition(".")[2]
        files[key] = tmp_path / key
        files[key].write_bytes((tmp_path / pems.get(last, "ca.pem")).read_bytes())
    found = load(environ=environ, flags=[Flag(tuple(key.split(".")), str(file), key) for key, file in files.items()])
    assert len(keys) == 18
    assert set(found.read) == set(files.values())
    assert all(looks is not None and looks[2] > 0 for looks in found.read.values())
