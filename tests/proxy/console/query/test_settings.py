"""The settings of sidecars, as one writes them after `--set key=`."""

from __future__ import annotations

import pytest

from proxy.console.query.settings import _text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (True, "true"), (False, "false"), (["b3", "jaeger"], "[b3, jaeger]"), ([], "[]"), (0, "0"), ("", "")],
)
def test_a_value_is_shown_as_it_is_written(value: object, shown: str) -> None:
    assert _text(value) == shown
