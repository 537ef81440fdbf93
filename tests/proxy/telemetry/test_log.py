"""The log: one line per record, its fields beside it, in text or JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from proxy.telemetry.log import JsonFormatter, TextFormatter, configure, fields, quoted, start_line
from proxy.telemetry.writer import LineWriter


def record(message: str, *arguments: object, **values: object) -> logging.LogRecord:
    made = logging.LogRecord("proxy.x", logging.WARNING, "", 0, message, arguments, None)
    made.created = 1795344123.4567
    made.__dict__.update(fields(**values) if values else {})
    return made


def test_text_is_one_line() -> None:
    line = TextFormatter().format(record("re%s\nwr\ritten", "read", generation=2, problem='a "b"', empty=""))
    assert line == '2026-11-22T10:42:03.456Z WARNING reread\\nwr\\ritten generation=2 problem="a \\"b\\"" empty=""'


def test_json_is_one_object() -> None:
    line = JsonFormatter().format(record("reloaded", generation=2, error=ValueError("x\ny")))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-22T10:42:03.456Z",
        "level": "warning",
        "logger": "proxy.x",
        "message": "reloaded",
        "generation": 2,
        "error": "x\ny",
    }


@pytest.fixture
def restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("proxy")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


@pytest.mark.usefixtures("restored")
def test_levels_count_for_our_own_records_and_a_second_time_replaces_the_first() -> None:
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=100, name="t")
    configure(writer, level="info", form="text")
    configure(writer, level="info", form="json")
    logging.getLogger("proxy.http1").info("ours")
    logging.getLogger("proxy.http1").debug("too fine")
    logging.getLogger("other").info("not ours")
    logging.getLogger("other").warning("a warning")
    logging.getLogger("proxy").info("wrong %d", "arguments")
    writer.close()
    os.close(fd)
    lines = os.read(reader, 65536).decode().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["ours", "a warning"]
    os.close(reader)


@pytest.mark.parametrize("before", [logging.DEBUG, logging.CRITICAL])
@pytest.mark.parametrize(("level", "ours"), [("debug", ["fine", "ours"]), ("warning", [])])
@pytest.mark.usefixtures("restored")
def test_libraries_tell_their_warnings_alone_whatever_level_was_set_before(
    before: int, level: str, ours: list[str]
) -> None:
    """By who loaded us, or for our own records."""
    logging.getLogger().setLevel(before)
    logging.getLogger("proxy").setLevel(before)
    reader, fd = os.pipe()
    writer = LineWriter(fd, limit_lines=100, name="t")
    configure(writer, level=level, form="json")
    logging.getLogger("proxy.http1").debug("fine")
    logging.getLogger("proxy.http1").info("ours")
    logging.getLogger("other").info("not ours")
    logging.getLogger("other").warning("a warning")
    writer.close()
    os.close(fd)
    lines = os.read(reader, 65536).decode().splitlines()
    assert [json.loads(line)["message"] for line in lines] == [*ours, "a warning"]
    os.close(reader)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("one", "one"),
        (7, "7"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb", r'"a\nb"'),
        ("é", "é"),
        ("\x9f", r'"\u009f"'),
    ],
)
def test_what_could_be_taken_for_more_than_one_word_is_quoted(value: object, told: str) -> None:
    assert quoted(value) == told


def test_a_line_at_the_start_is_bare_or_an_object() -> None:
    assert start_line("it begins", "text") == "it begins"
    told = json.loads(start_line("it begins", "json"))
    assert (told["level"], told["logger"], told["message"]) == ("info", "proxy", "it begins")
    assert set(told) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_failure_is_told_with_its_trace(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        record = logging.makeLogRecord({"name": "proxy.x", "msg": "m", "exc_info": sys.exc_info()})
    said = formatter.format(record)
    assert "Traceback (most recent call last):" in said
    assert "ValueError: odd" in said
    if isinstance(formatter, JsonFormatter):
        assert json.loads(said)["exception"].endswith("ValueError: odd")
    else:
        assert said.endswith("\nValueError: odd")


def test_a_test_that_fails_shows_what_a_line_says_beside_its_message(pytestconfig: pytest.Config) -> None:
    """`tests/conftest.py`."""
    shown = pytestconfig.pluginmanager.getplugin("logging-plugin").report_handler
    logging.getLogger("proxy").warning("an upstream fails", extra=fields(fault="connection-lost"))
    assert shown.stream.getvalue().rstrip().endswith(" WARNING an upstream fails fault=connection-lost")
