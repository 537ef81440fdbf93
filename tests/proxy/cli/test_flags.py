"""The flags that set settings: each leads to a key that there is, and says its true default."""

from __future__ import annotations

import argparse
import re

import pytest

from proxy.cli.flags import QUICK_FLAGS, add_settings_flags, collect_flags
from proxy.settings import Settings
from proxy.settings.problems import all_keys

FLAGS = [pytest.param(*flag, id=name) for name, flag in QUICK_FLAGS.items()]


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_settings_flags(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(("key", "metavar", "text"), FLAGS)
def test_a_flag_leads_to_a_key_and_tells_its_default(key: str, metavar: str, text: str) -> None:
    assert key in all_keys()
    told = re.search(r"\(default (.+)\)", text)
    if told is not None:
        value: object = Settings()
        for step in key.split("."):
            value = getattr(value, step)
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert told[1] == shown


def test_set_wins_over_the_flag_of_the_same_key() -> None:
    flags, wrong = collect_flags(parse("--set", "inbound.app=http://a:1", "--app", "http://b:2", "--mode", "translate"))
    assert [(flag.path, flag.value, flag.label) for flag in flags] == [
        (("inbound", "app"), "http://b:2", "flag --app"),
        (("propagation", "mode"), "translate", "flag --mode"),
        (("inbound", "app"), "http://a:1", "flag --set inbound.app"),
    ]
    assert wrong == []


@pytest.mark.parametrize("pair", ["inbound.app", "=value", "inbound..app=x", ""])
def test_a_set_that_sets_nothing_is_a_problem(pair: str) -> None:
    flags, wrong = collect_flags(parse("--set", pair))
    assert flags == []
    assert [(problem.key, problem.value, problem.source) for problem in wrong] == [("--set", pair, "command line")]
