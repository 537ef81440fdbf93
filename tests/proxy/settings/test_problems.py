"""What is said of wrong settings: what would be right, and never a secret, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import SettingsError, SettingsProblem
from proxy.settings import Flag, load
from proxy.settings.problems import shown, source_of, without_item


def all_problems(
    tmp_path: Path, text: str = "", *, flags: dict[str, str] | None = None, **environ: str
) -> list[SettingsProblem]:
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    given = [Flag(tuple(key.split(".")), value, f"flag --set {key}") for key, value in (flags or {}).items()]
    with pytest.raises(SettingsError) as caught:
        load(file, environ=environ, flags=given)
    return list(caught.value.problems)


def problems(
    tmp_path: Path, text: str = "", *, flags: dict[str, str] | None = None, **environ: str
) -> dict[str, SettingsProblem]:
    return {problem.key: problem for problem in all_problems(tmp_path, text, flags=flags, **environ)}


@pytest.mark.parametrize(
    ("text", "key", "right"),
    [
        ("inject: [b3]", "inject", "did you mean propagation.inject?"),
        ("app: x", "app", "did you mean inbound.app?"),
        ("port: 80", "port", "did you mean inbound.listen?"),
        ("level: debug", "level", "did you mean log.level?"),
        ("listen: x", "listen", "did you mean inbound.listen or outbound.listen or admin.listen?"),
        ("inbound_listen: x", "inbound_listen", "did you mean inbound.listen?"),
        ("propagators: b3", "propagators", "did you mean propagation.inject or propagation.extract?"),
        ("upstream: []", "upstream", "did you mean upstreams?"),
        ("propagation: {inject: w3c}", "propagation.inject", "did you mean tracecontext?"),
        ("propagation: {inject: zipkin}", "propagation.inject", "did you mean b3 or b3multi?"),
        ("propagation: {extract: [b3-multi]}", "propagation.extract", "did you mean b3multi?"),
        ("propagation: {extract: [uber-trace-id]}", "propagation.extract", "did you mean jaeger?"),
        ("propagation: {extract: all}", "propagation.extract", "did you mean composite?"),
        ("propagation: {extract: [jager]}", "propagation.extract", "did you mean jaeger?"),
        ("inbound: {listen: on}", "inbound.listen", "leave the key out for its default"),
        ("inbound: {listen: true}", "inbound.listen", "leave the key out for its default"),
        ("inbound: {ap: x}", "inbound.ap", "did you mean app?"),
        ("inbound: {zzz: x}", "inbound.zzz", "the keys in inbound are listen, app"),
        ("inbound: 5", "inbound", "expected a section with the keys listen, app"),
        ("inbound: {propagation: [b3]}", "inbound.propagation", "expected a section"),
        ("propagation: {mode: translat}", "propagation.mode", "did you mean translate?"),
        ("propagation: {lossless: 5}", "propagation.lossless", "expected true or false"),
        ("propagation: {inject: []}", "propagation.inject", "at least one format"),
        ("propagation: {inject: null}", "propagation.inject", "expected a list of formats"),
        ("propagation: {inject: [5]}", "propagation.inject", "expected a list of formats"),
        ("propagation: {session: {inject: traceparent}}", "propagation.session.inject", "another name"),
        ("propagation: {response_header: Content-Length}", "propagation.response_header", "such as Server-Timing"),
        ("propagation: {response_header: [a]}", "propagation.response_header", "such as Server-Timing"),
        ("upstreams: {name: a}", "upstreams", "expected a list"),
        ("upstreams: [a]", "upstreams.0", "expected a section with the keys name, match"),
        ("upstreams: [{name: 5, match: a}]", "upstreams.0.name", "expected text"),
        ("limits: {header_bytes: 1}", "limits.header_bytes", "expected 256 to 1,073,741,824 bytes"),
        ("inbound: {app: 'https://a', tls: {server_name: a..b}}", "inbound.tls.server_name", "is not a host name"),
        ("inbound: {app: 'https://a', tls: {server_name: ''}}", "inbound.tls.server_name", "expected a host name"),
        ("inbound: {app: 'https://a', tls: {server_name: 5}}", "inbound.tls.server_name", "expected a host name"),
        ("log: {queue_lines: 1}", "log.queue_lines", "expected 100 to 1,000,000 lines"),
        ("limits: {connections: 0}", "limits.connections", "expected 1 to 1,000,000"),
        ("timeouts: {connect_s: 0}", "timeouts.connect_s", "expected 0.001 to 604,800 s"),
        ("admin: {listen: on}", "admin.listen", "or off"),
        ("log: {}\nlog: {}", "log", "duplicate key, first on line 1"),
        ("inbound: [", "(yaml)", "not valid YAML"),
        (f"limits: {{body_bytes: {'9' * 400}}}", "limits.body_bytes", "expected bytes"),
        (f"limits: {{body_bytes: '{'9' * 400}'}}", "limits.body_bytes", "expected bytes"),
        (f"limits: {{connections: {'9' * 5000}}}", "limits.connections", "expected a whole number"),
        (f"timeouts: {{idle_s: {'9' * 400}}}", "timeouts.idle_s", "expected seconds"),
        ("timeouts: {idle_s: 1e999}", "timeouts.idle_s", "expected seconds"),
    ],
)
def test_a_problem_says_what_would_be_right(tmp_path: Path, text: str, key: str, right: str) -> None:
    assert right in problems(tmp_path, text)[key].message


def test_a_variable_is_told_how_levels_are_joined(tmp_path: Path) -> None:
    found = problems(tmp_path, OPS_SIDECAR_INBOUND_APP="http://a", flags={"timeouts_idle_s": "1"})
    assert "did you mean OPS_SIDECAR_INBOUND__APP?" in found["inbound_app"].message
    assert "did you mean timeouts.idle_s?" in found["timeouts_idle_s"].message
    assert "did you mean OPS_SIDECAR_CONFIG?" in problems(tmp_path, OPS_SIDECAR_CONFG="/a")["confg"].message


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "inbound: {app: 'http://user:hunter2@a'}",
        OPS_SIDECAR_TOKEN="hunter2",
        OPS_SIDECAR_X='{"password": "hunter2"}',
    )
    assert set(found) == {"inbound.app", "token", "x"}
    assert not any("hunter2" in str(problem) for problem in found.values())


@pytest.mark.parametrize(
    "text",
    [
        "inbound:\n  password: hunter2: x\n",
        'inbound:\n  password: "hunter2\n',
        "- token: hunter2\n",
        "inbound: {password: !!int hunter2}\n",
        "inbound: {password: [hunter2], password: hunter2}\n",
        "inbound: {app: http://u:hunter2@x, b: [}\n",
        "inbound: {app: 'http://u:hunt@hunter2 x@a'}\n",
        "inbound: {app: 'http://a?token=hunter2'}\n",
        "inbound: {'http://u:hunter2@a': 1}\n",
        "admin: {listen: 'hunter2@a:1'}\n",
        "limits: {'password': hunter2, connections: '{\"secret\":\"hunter2\"}'}\n",
    ],
)
def test_secrets_are_not_shown_wherever_they_stand(tmp_path: Path, text: str) -> None:
    """In a line that is no YAML, in a key, in an address, in what the problem says."""
    assert not any("hunter2" in str(problem) for problem in all_problems(tmp_path, text))


def test_secrets_of_wrong_variables_are_not_shown(tmp_path: Path) -> None:
    found = all_problems(
        tmp_path,
        OPS_SIDECAR_UPSTREAMS="{password: hunter2}",
        OPS_SIDECAR_UPSTREAMS__0__NAME="a",
        OPS_SIDECAR_INBOUND="{password: hunter2",
        OPS_SIDECAR_OUTBOUND__PASSWORD="{hunter2",
    )
    assert any(problem.message == "expected a list of upstreams" for problem in found)
    assert not any("hunter2" in str(problem) for problem in found)


def test_a_long_secret_is_hidden_before_it_is_cut(tmp_path: Path) -> None:
    text = f"inbound: {{app: 'http://u:{'hunter2' * 40}@a', b: [}}\n"
    assert not any("hunter2" in str(problem) for problem in all_problems(tmp_path, text))


@pytest.mark.slow
def test_a_problem_is_no_longer_than_a_terminal_bears(tmp_path: Path) -> None:
    """Nor does it take long to write, whatever a hostile file holds."""
    long = "a" * 900_000
    for text in (
        f"{long}: 1\n",
        f"inbound: {{app: {long}}}\n",
        f"inbound: [{long}\n",
        f"inbound: {{listen: '{long}:1'}}\n",
    ):
        (problem,) = all_problems(tmp_path, text)
        assert len(str(problem)) < 10_000


def test_the_name_of_a_file_is_shown_whole(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 120 + ".yaml")
    with pytest.raises(SettingsError, match=f"config = {file} "):
        load(file, environ={})


def test_a_host_that_is_named_after_a_secret_is_none(tmp_path: Path) -> None:
    value = problems(tmp_path, "inbound: {app: 'http://token-service:8080/x'}")["inbound.app"].value
    assert value == "http://token-service:8080/x"


def test_nothing_moves_the_cursor_of_a_terminal(tmp_path: Path) -> None:
    found = problems(tmp_path, 'inbound: {"\\e[31ma": 1, app: "\\e[31mb"}\n', flags={"\x1b[1m": "\x1b[2m"})
    assert len(found) == 3
    assert not any("\x1b" in str(problem) for problem in found.values())


def test_values_are_shown_as_a_file_has_them(tmp_path: Path) -> None:
    found = problems(tmp_path, "inbound: {tls: {verify: false}, zzz: [true, null, {a: 1}]}")
    assert found["inbound.tls.verify"].value == "false"
    found = problems(tmp_path, "inbound: {app: [true, null, {a: 1}]}")
    assert found["inbound.app"].value == '[true, null, {"a": 1}]'


OTHER_FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:SECRET:/usr/sbin:/usr/sbin/nologin\n",
    "shadow": "root:$6$SECRET$abc:19000:0:99999:7:::\n",
    "key": "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n",
    "env": "DB_URL=postgres://u:SECRET@db\nX=1\n",
    "ini": "[default]\naws_secret_access_key = SECRET\n",
    "json": '{"zzSECRETzz": {"qq": "SECRET"}}',
    "json array": '["SECRET"]',
    "yaml": "zzz: SECRET\nqqq: SECRET\n",
    "yaml twice": "zzz: SECRET\nzzz: SECRET\n",
    "broken yaml": "zzz: [SECRET\nqqq: SECRET\n",
    "broken later": "zzz: SECRET\n\tqqq: SECRET\n",
    "alias": "zzz: *SECRET\n",
    "tag": "zzz: !SECRET x\n",
    "merge": "<<: SECRET\n",
    "control": "SECRET\x00SECRET\n",
}


@pytest.mark.parametrize("text", OTHER_FILES.values(), ids=OTHER_FILES)
def test_no_line_of_a_file_that_is_not_settings_is_shown(tmp_path: Path, text: str) -> None:
    """Taken for settings by mistake, or put in their place: neither the terminal nor the log may show what it holds."""
    found = problems(tmp_path, text)
    assert list(found) == ["config"]
    assert "not a settings file" in found["config"].message
    assert "SECRET" not in str(found["config"])


@pytest.mark.parametrize("text", ["inbound: [", "'log': {level: [}", "limits: {}\n\tpool: {}", '"pool" : [{]'])
def test_a_line_of_settings_is_shown_where_it_is_wrong(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)["(yaml)"].value


def test_the_value_of_an_unknown_key_is_shown_only_where_a_person_wrote_it_just_now(tmp_path: Path) -> None:
    found = problems(tmp_path, "inbound: {zzz: SECRET}")
    assert str(found["inbound.zzz"]).startswith("inbound.zzz (from ")
    with pytest.raises(SettingsError, match=r"zzz = 1 \(from flag --set zzz\)"):
        load(environ={}, flags=[Flag(("zzz",), "1", "flag --set zzz")])


@pytest.mark.parametrize(
    ("name", "key", "meant"),
    [
        ("OPS_SIDECAR_INJECT", "inject", "OPS_SIDECAR_PROPAGATION__INJECT"),
        ("OPS_SIDECAR_INBOUND_APP", "inbound_app", "OPS_SIDECAR_INBOUND__APP"),
        ("OPS_SIDECAR_INBOUND__AP", "inbound.ap", "OPS_SIDECAR_INBOUND__APP"),
        ("OPS_SIDECAR_APP", "app", "OPS_SIDECAR_INBOUND__APP"),
        ("OPS_SIDECAR_PORT", "port", "OPS_SIDECAR_INBOUND__LISTEN"),
        ("OPS_SIDECAR_LOG_LEVEL", "log_level", "OPS_SIDECAR_LOG__LEVEL"),
    ],
)
def test_for_a_variable_a_variable_is_meant(tmp_path: Path, name: str, key: str, meant: str) -> None:
    assert problems(tmp_path, **{name: "x"})[key].message == f"unknown key; did you mean {meant}?"


@pytest.mark.slow
@pytest.mark.parametrize("section", ["", "inbound:\n"])
def test_thousands_of_unknown_keys_are_counted_and_not_all_told(tmp_path: Path, section: str) -> None:
    """Each costs a search for what was meant, and a line of the log."""
    indent = "  " if section else ""
    text = f"log: {{}}\n{section}" + "".join(f"{indent}key{number}: 1\n" for number in range(5000))
    file = tmp_path / "sidecar.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file, environ={})
    assert len(caught.value.problems) == 100
    assert caught.value.more == 4900


IN_A_LIST = """\
propagation:
  session:
    extract:
      - X-Ok
      - a b
      - Host
upstreams:
  - {name: a, match: a, target: "http://127.0.0.1:9081"}
  - 5
  - {name: a, match: b}
  - match:
      - c
      - c..
admin: {hosts: [a, b..c]}
"""


def test_errors_inside_lists_are_told_by_their_place_and_the_rest_is_checked_all_the_same(tmp_path: Path) -> None:
    """Of a list of words the whole key counts as wrong; of the upstreams only those that are."""
    found = {one.key: (one.source.rsplit(":", 1)[-1], one.value) for one in all_problems(tmp_path, IN_A_LIST)}
    assert found == {
        "propagation.session.extract.1": ("5", "a b"),
        "propagation.session.extract.2": ("6", "Host"),
        "upstreams.1": ("9", "5"),
        "upstreams.3.name": ("11", "(missing)"),
        "upstreams.3.match.1": ("13", "c.."),
        "admin.hosts.1": ("14", "b..c"),
        # between keys that are each right
        "upstreams.0.target": ("8", "http://127.0.0.1:9081"),
        "upstreams.2.name": ("10", "a"),
    }


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a.b", "a.b"), ("propagation.inject.0", "propagation.inject"), ("admin.hosts.1.x", "admin.hosts"),
        ("upstreams.0", "upstreams.0"), ("upstreams.0.match.1", "upstreams.0.match"),
        ("upstreams.0.name", "upstreams.0.name"), ("trust.2.peers.0", "trust.2.peers"), ("trust.2", "trust.2"),
        ("0.a", ""),
    ],
)  # fmt: skip
def test_of_a_list_of_words_the_whole_key_counts(path: str, key: str) -> None:
    assert ".".join(without_item(tuple(path.split(".")))) == key


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("a", "x" * 80, "x" * 80), ("a", "x" * 81, "x" * 80 + "..."), ("a", "b\x1bc\n", "b?c?"), ("a", None, "null"),
        ("a", True, "true"), ("a", {"é": 1}, '{"é": 1}'), ("admin.password", "x", "(hidden)"),
        ("api_key", "x", "(hidden)"), ("export.headers", "a=b", "(hidden)"), ("linking.headers", "a,b", "a,b"),
        ("a", "token: x y", "token: (hidden)"),
        ("a", "https://u:p@h/x", "https://(hidden)@h/x"), ("a", "u:p@h", "(hidden)@h"), ("headers_of", "x", "x"),
        ("a", "token-service:8080", "token-service:8080"), ("a", "?api_key=5&b", "?api_key= (hidden)"),
    ],
)  # fmt: skip
def test_a_value_is_shown_in_one_line_of_80_characters_without_secrets(path: str, value: object, text: str) -> None:
    assert shown(tuple(path.split(".")), value) == text


@pytest.mark.parametrize(
    ("path", "source"),
    [("a.b", "own"), ("a.b.c", "own"), ("a.x", "around"), ("z", "inside"), ("q", "default"), ("y.1", "default")],
)
def test_a_source_is_the_keys_own_or_the_nearest(path: str, source: str) -> None:
    sources = {("a",): "around", ("a", "b"): "own", ("z", "1", "x"): "inside", ("z", "2"): "other", ("y", "2"): "y"}
    assert source_of(tuple(path.split(".")), sources) == source
