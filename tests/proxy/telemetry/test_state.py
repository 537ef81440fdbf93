"""What the process knows of itself: the newest readings of the settings, bounded."""

from __future__ import annotations

from proxy.telemetry.state import State


def test_the_20_newest_reloads_are_known_with_500_characters_each() -> None:
    state = State()
    assert not state.reloads
    for number in range(21):
        state.note_reload(float(number), number, f"{number} " + "x" * 500)
    assert [(one.at_s, one.generation) for one in state.reloads] == [(float(number), number) for number in range(1, 21)]
    assert state.reloads[-1].message == "20 " + "x" * 497


def test_nothing_has_happened_at_first() -> None:
    state = State()
    assert (state.generation, state.reloads_ok, state.reloads_failed, state.admin_connections_cut) == (0, 0, 0, 0)
    assert (state.reload_success_time_s, state.started_time_s) == (0, 0)
