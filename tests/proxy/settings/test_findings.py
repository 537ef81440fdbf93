"""Problems between keys: of each the key, the value, the words and the keys it depends on, as in `findings.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.texts import check_text

from proxy.settings.checks import check
from proxy.settings.layers import file_layer
from proxy.settings.models import Settings

OFF = "inbound: {listen: off}, outbound: {listen: off}"
ONE = "name: a, match: a"
TARGET = "target: 'http://10.0.0.1:80'"
RULE = "{name: a, peers: [10.0.0.0/8]}"

CASES = (
    "",
    OFF,
    f"{OFF}, admin: {{listen: off}}",
    f"{OFF}, admin: {{public_listen: ['0.0.0.0:1']}}",
    f"{OFF}, upstreams: [{{name: a, listen: '127.0.0.1:1', {TARGET}}}]",
    # addresses
    "inbound: {listen: '127.0.0.1:9081'}",
    "inbound: {listen: '127.0.0.1:0'}, outbound: {listen: '127.0.0.1:0'}",
    "inbound: {listen: 'unix:/a'}, outbound: {listen: 'unix:/b'}",
    "inbound: {listen: 'unix:/a'}, outbound: {listen: 'unix:/a'}",
    "inbound: {listen: '0.0.0.0:1'}, outbound: {listen: '127.0.0.1:1'}",
    "inbound: {listen: '0.0.0.0:1'}, outbound: {listen: '127.0.0.1:2'}",
    "inbound: {listen: '0.0.0.0:1'}, outbound: {listen: '[::1]:1'}",
    "inbound: {listen: '[::]:1'}, outbound: {listen: '[::1]:1'}",
    "inbound: {listen: '[::]:1'}, outbound: {listen: '127.0.0.1:1'}",
    "inbound: {listen: '[::]:1'}, outbound: {listen: 'localhost:1'}",
    "inbound: {listen: 'localhost:1'}, outbound: {listen: '127.0.0.1:1'}",
    "inbound: {listen: 'localhost:1'}, outbound: {listen: '[::1]:1'}",
    "inbound: {listen: 'localhost:1'}, outbound: {listen: '127.0.0.2:1'}",
    "admin: {listen: '127.0.0.1:1', public_listen: ['127.0.0.2:1', '127.0.0.1:1']}",
    f"upstreams: [{{name: a, listen: ['0.0.0.0:1', '127.0.0.1:1'], {TARGET}}}]",
    "console: {listen: '127.0.0.1:9080', otlp: '127.0.0.1:9081'}, inbound: {listen: '127.0.0.1:9080'}",
    "console: {listen: '127.0.0.1:1', otlp: '127.0.0.1:1'}",
    "console: {listen: off, otlp: '127.0.0.1:9081'}",
    "console: {listen: '127.0.0.1:1', otlp: off}",
    # names
    *(f"upstreams: [{{name: {name}, match: a}}]" for name in ("app", "other", "inbound", "Outbound", "admin")),
    *(
        f"upstreams: [{{name: '{name}', match: a}}]"
        for name in ("a", "0", "-a", "a-", "a.b_c-d", "a b", "", "x" * 64, "x" * 65, "é")
    ),
    "upstreams: [{name: a-b, match: a}, {name: c, match: c}, {name: A.B, match: b}]",
    # patterns
    "upstreams: [{name: a, match: [X, y, x]}, {name: b, match: [z, y]}]",
    # ways back
    "inbound: {app: 'http://127.0.0.1:9080'}",
    "inbound: {listen: '0.0.0.0:9080', app: 'http://127.0.0.2:9080'}",
    "inbound: {listen: '0.0.0.0:9080', app: 'http://10.0.0.1:9080'}",
    "inbound: {listen: '0.0.0.0:9080', app: 'http://localhost:9080'}",
    "inbound: {listen: '10.0.0.1:9080', app: 'http://10.0.0.1:9080'}",
    "inbound: {listen: '127.0.0.1:9080', app: 'http://127.0.0.1:9082'}",
    "inbound: {listen: 'unix:/a', app: 'unix:/a'}",
    "inbound: {listen: 'unix:/a', app: 'unix:/b'}",
    "inbound: {listen: off, app: 'http://127.0.0.1:9081'}",
    "upstreams: [{name: a, match: a, target: 'http://127.0.0.1:9080'}]",
    "upstreams: [{name: a, match: a, target: 'http://127.0.0.1:9081'}]",
    # TLS to targets
    "inbound: {app: 'http://a', tls: {verify: false}}",
    f"upstreams: [{{{ONE}, tls: {{server_name: x, ca_file: /gone}}}}]",
    "inbound: {app: 'https://a', tls: {ca_file: /gone}}",
    "inbound: {app: 'https://a', tls: {ca_file: /gone, verify: false}}",
    "inbound: {app: 'https://a', tls: {key_file: /gone}}",
    "inbound: {app: 'https://a', tls: {cert_file: /gone}}",
    "inbound: {app: 'https://a', tls: {cert_file: /dev/null, key_file: /gone}}",
    "inbound: {app: 'https://a', tls: {cert_file: /dev/null, key_file: /dev/null}}",
    "inbound: {app: 'https://a', tls: {cert_file: /dev/null}}",
    "inbound: {app: 'https://a', tls: {ca_file: /dev/null}}",
    # TLS of clients
    "inbound: {listen_tls: {key_file: /k}}",
    "inbound: {listen_tls: {client_ca_file: /k}}",
    "inbound: {listen_tls: {client_certificates: required}}",
    "inbound: {listen_tls: {cert_file: /gone, client_certificates: required}}",
    "inbound: {listen_tls: {cert_file: /gone, client_ca_file: /gone}}",
    "inbound: {listen_tls: {cert_file: /gone, client_ca_file: /gone, client_certificates: optional}}",
    # TLS of collectors
    "export: {tls: {verify: false}}",
    "export: {tls: {verify: false, ca_file: /gone}}",
    "export: {endpoint: 'http://a', traces_endpoint: 'http://b', tls: {verify: false}}",
    "export: {endpoint: 'http://a', metrics_endpoint: 'https://b', tls: {verify: false}}",
    "export: {endpoint: 'https://a', tls: {ca_file: /gone}}",
    "export: {endpoint: 'https://a', tls: {key_file: /gone}}",
    "export: {endpoint: 'http://a', tls: {verify: true}}",
    "console: {report: {endpoint: 'http://a', tls: {verify: false}}}",
    "console: {report: {endpoint: 'https://a', tls: {ca_file: /gone}}}",
    "console: {forward: {endpoint: 'http://a', tls: {verify: false}}}",
    "console: {forward: {endpoint: 'https://a', tls: {ca_file: /gone}}}",
    # Via
    "outbound: {transparent: true}",
    "outbound: {transparent: true}, forwarding: {via: false}",
    "outbound: {transparent: true, forwarding: {via: false}}, forwarding: {via: true}",
    "outbound: {transparent: true, forwarding: {via: true}}, forwarding: {via: false}",
    "forwarding: {via: false}",
    # destinations
    "upstreams: [{name: a, match: a, target: 'http://169.254.169.254'}]",
    "upstreams: [{name: a, match: a, target: 'http://10.1.2.3'}], outbound: {deny: [10.0.0.0/8]}",
    "upstreams: [{name: a, match: a, target: 'http://10.1.2.3'}], outbound: {deny: [10.0.0.0/8], allow: [10.1.0.0/16]}",
    "upstreams: [{name: a, match: a, target: 'unix:/a'}]",
    # what is reached
    "upstreams: [{name: a}]",
    "upstreams: [{name: a, listen: ['127.0.0.1:1', '127.0.0.1:2']}]",
    f"upstreams: [{{{ONE}, host: target}}]",
    f"upstreams: [{{{ONE}, host: target, {TARGET}}}]",
    # HTTP/2
    "inbound: {http2: always, lenient: [bare-lf]}",
    "inbound: {http2: auto, lenient: [bare-lf]}",
    f"upstreams: [{{{ONE}, http2: always, lenient: [bare-lf]}}]",
    f"outbound: {{http2: always}}, upstreams: [{{{ONE}, lenient: [bare-lf]}}, {{name: b, match: b, http2: never}}]",
    # trust
    "trust: [{listener: nowhere}]",
    "inbound: {listen: off}, trust: [{}]",
    "trust: [{name: 'a b'}]",
    f"trust: [{{name: '{'x' * 64}'}}]",
    f"trust: [{{name: '{'x' * 65}'}}]",
    f"trust: [{RULE}, {{peers: [10.0.0.0/8]}}, {RULE}]",
    "trust: [{name: a}, {name: b, ids: ignore}, {listener: outbound}]",
    "trust: [{ids: restart}]",
    "trust: [{ids: restart}], propagation: {mode: participate}",
    "trust: [{ids: restart}], propagation: {mode: participate}, inbound: {propagation: {mode: translate}}",
    "trust: [{ids: restart}], export: {endpoint: 'http://a'}",
    "trust: [{ids: restart}], export: {traces_endpoint: 'http://a'}",
    "trust: [{ids: restart}], export: {metrics_endpoint: 'http://a'}",
    "trust: [{ids: restart}], export: {endpoint: 'http://a', traces: false}",
    "trust: [{ids: restart, listener: outbound}]",
    "trust: [{ids: restart, listener: outbound}], outbound: {propagation: {mode: participate}}",
    "trust: [{ids: restart, listener: outbound}], outbound: {propagation: {mode: participate}}, "
    f"upstreams: [{{{ONE}, propagation: {{mode: translate}}}}]",
    "trust: [{ids: restart, listener: outbound}], outbound: {propagation: {mode: participate}}, "
    f"upstreams: [{{name: b, listen: '127.0.0.1:1', {TARGET}, propagation: {{mode: translate}}}}]",
    f"trust: [{{ids: restart, listener: b}}], upstreams: [{{name: b, listen: '127.0.0.1:1', {TARGET}}}]",
)


def _found(text: str) -> list[str]:
    settings = Settings.from_layers([file_layer(f"{{{text}}}", "f.yaml").data])
    return [
        f"{'.'.join(one.path)} = {one.value!r}: {one.message} {['.'.join(other) for other in one.others]}"
        for one in check(settings)
    ]


def test_every_problem_between_keys_is_as_reviewed() -> None:
    lines = [line for text in CASES for line in (f"# {text}", *_found(text), "")]
    check_text("\n".join(lines), Path(__file__).parent / "findings.txt")


@pytest.mark.parametrize("text", ["", "inbound: {listen: '127.0.0.1:1'}", "outbound: {listen: off}"])
def test_settings_that_fit_together_have_none(text: str) -> None:
    assert _found(text) == []
