"""Proofs of what an app did: bounded, and without what users said."""

from __future__ import annotations

from proxy.listener.app_calls.evidence import Proof, shown

B3 = (b"b3", b"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")


def test_ids_are_shown_and_values_of_baggage_masked() -> None:
    given = [B3, (b"baggage", b"user=ann, plan = gold;p=1"), (b"jaeger-baggage", b"a=1"), (b"uberctx-user", b"ann")]
    said = shown(Proof(at=1.5, given=given, sent=[B3]))
    assert said == {
        "at": 1.5,
        "given": [
            ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
            ("baggage", "user=***,plan=***"),
            ("jaeger-baggage", "a=***"),
            ("uberctx-user", "***"),
        ],
        "sent": [("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")],
    }


def test_names_are_masked_in_any_case() -> None:
    said = shown(Proof(at=0, given=[(b"Uberctx-A", b"ann"), (b"BAGGAGE", b"a=1")], sent=[]))
    assert said["given"] == [("Uberctx-A", "***"), ("BAGGAGE", "a=***")]
