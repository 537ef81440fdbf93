"""What commands print, and with which code they end: `commands.txt` has what was reviewed."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path

import pytest
from lab.manifests import DEPLOYMENT, SERVICE
from lab.texts import check_text

from proxy.cli.commands import main

W3C, B3 = (
    "traceparent: 00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
    "b3: 1234567890abcdef-a2fb4a1d1a96d312-d",
)
TRANSLATED = f"'{W3C}' 'tracestate: a=1' '{B3}' 'baggage: k=v' 'X-Mirascope-Session-Id: s-1' 'x-datadog-trace-id: 5'"
COMMANDS = (
    *(f"translate --to {to} {TRANSLATED}" for to in ("b3", "b3multi", "jaeger", "composite", "b3,jaeger")),
    f"translate --to b3 --json {TRANSLATED}",
    f"translate --to b3 --explain {TRANSLATED}",
    f"translate --to jaeger --from b3 {TRANSLATED}",
    f"translate --to jaeger --baggage drop --no-lossless {TRANSLATED}",
    f"translate --to tracecontext --session-bridge --session X-Sid --session-from X-Mirascope-Session-Id {TRANSLATED}",
    *(f"translate --to b3 --on-defer {word} 'uber-trace-id: 1:2:0:0'" for word in ("accept", "deny", "0.5", "2", "x")),
    "translate --to b4 'b3: 0'",
    "translate --to b3 --from '' 'b3: 0'",
    "translate --to b3 --session 'a,b' 'b3: 0'",
    "translate --to b3 --session Authorization 'b3: 0'",
    "translate --to b3 nonsense",
    "translate 'b3: 0' --peer 10.0.0.1",
    f"translate --explain --peer 10.0.0.1 '{B3}'",
    f"translate --explain --host billing --listener outbound '{B3}'",
    "translate --explain --listener nobody 'b3: 0'",
    "translate --explain --config /gone 'b3: 0'",
    f"explain {TRANSLATED}",
    f"explain --peer 10.0.0.1 --host billing:80 {TRANSLATED}",
    f"explain --json --listener inbound {TRANSLATED}",
    "explain --peer nonsense 'b3: 0'",
    "explain --host 'a b' 'b3: 0'",
    "explain --set inbund.app=x 'b3: 0'",
    "check --set inbund.app=x",
    "check --set nonsense",
    "check --set timeouts.connect_s=2 --changed",
    "check --set timeouts.connect_s=2 --changed --json",
    "check /gone",
    "console --set nonsense",
    "console --listen nonsense",
    "console --set console.max_age_s=-1 --set a..b=c",
    "health --admin 127.0.0.1:1",
    "health --admin nonsense",
    "health --admin 127.0.0.1:65536",
    "health --admin off",
    "wait --no-sidecar --for 127.0.0.1:1 --timeout 0.05",
    "wait --no-sidecar --for nonsense",
    "wait --admin 127.0.0.1:1 --timeout 0.05",
    "wait --timeout x",
    "wait --no-sidecar",
    "traces --console nonsense://",
    "mcp --console nonsense://",
    "traces --console http://127.0.0.1:1",
    "trace --console http://127.0.0.1:1 0",
    "doctor --console http://127.0.0.1:1",
    "top --once --console http://127.0.0.1:1",
    "inject FILE",
    "inject FILE --plain",
    "inject FILE --redirect --image registry.internal/x:2",
    "inject /gone",
    "inject FILE --set kubernetes.mode=x",
    "uninject FILE",
    "redirect",
    "redirect --inbound 8080:9080 --outbound 80,8080:9081 --uid 61080 --print",
    "redirect --inbound x --uid 1",
    "redirect --outbound 80:9081 --uid x",
    "demo --what",
    "run --inbound nonsense",
    "run --app nonsense --set x",
    "run --inject b4",
    "run --config /gone",
    "rum",
    "",
)  # fmt: skip


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="other versions of argparse word a wrong argument otherwise"
)
def test_what_commands_say_was_reviewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "manifests.yaml"
    file.write_text(DEPLOYMENT + SERVICE, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    lines = []
    for command in COMMANDS:
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        try:
            code: object = main([word.replace("FILE", str(file)) for word in shlex.split(command)])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        errors = said.err if "usage: " not in said.err else said.err[said.err.index(" error: ") :]
        told = "".join(f"! {line}\n" for line in errors.splitlines())
        lines.append(f"$ ops-sidecar {command}\n{said.out}{told}({code})\n".replace(str(file), "FILE"))
    check_text("\n".join(lines), Path(__file__).parent / "commands.txt")
