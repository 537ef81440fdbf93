"""Reading the settings file, and what may stand in its place: pipes whose writers take their time."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

import pytest

from proxy.errors import SettingsError
from proxy.settings import config_file
from proxy.settings.config_file import LIMIT_BYTES, read_file


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read_with_how_it_looked(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("log: {}\n", encoding="utf-8")
    text, looked = read_file(file, "--config", None)
    assert text == "log: {}\n"
    assert looked is not None and looked[2] == 8


def test_a_pipe_is_read_to_its_end_however_slowly_it_is_written(pipe: Path) -> None:
    """As `--config <(generate)` has it. The reader waits for a writer, and for each of its pieces."""
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(read_file(pipe, "--config", None)[0]))
    reader.start()
    with pipe.open("wb", buffering=0) as writer:  # opens once the reader is there
        writer.write(b"log: ")
        reader.join(0.05)
        assert reader.is_alive()
        writer.write(b"{}\n")
    reader.join(5)
    assert found == ["log: {}\n"]


def test_a_pipe_without_a_writer_is_given_up_in_time(pipe: Path) -> None:
    with pytest.raises(SettingsError, match=r"not a file, and its writer has not finished within 0.05 s"):
        read_file(pipe, "--config", 0.05)


def test_a_pipe_whose_writer_falls_silent_is_given_up_in_time(pipe: Path) -> None:
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pipe.open("wb", buffering=0) as writer:
        writer.write(b"log: ")
        with pytest.raises(SettingsError, match="its writer has not finished"):
            read_file(pipe, "--config", 0.05)
    os.close(reading)


@pytest.mark.parametrize("size", [LIMIT_BYTES, LIMIT_BYTES + 1])
def test_the_limit_is_met_at_its_edge(tmp_path: Path, size: int) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_bytes(b"#" * size)
    if size == LIMIT_BYTES:
        assert len(read_file(file, "--config", None)[0]) == size
        return
    with pytest.raises(SettingsError, match="larger than 1048576 bytes"):
        read_file(file, "--config", None)


def test_what_has_no_end_is_refused() -> None:
    with pytest.raises(SettingsError, match="larger than"):
        read_file(Path("/dev/zero"), "--config", 1.0)


@pytest.mark.parametrize(("later_s", "ms"), [(1.5, 3500.0), (5.0, 0.0), (99.0, 0.0)])
def test_a_writer_has_what_is_left_of_its_time(
    later_s: float, ms: float, pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is over, nobody waits for it."""
    waited: list[float] = []
    times = iter([10.0, 10.0 + later_s])

    class Poll:
        def register(self, fd: int, events: int) -> None:
            assert events == select.POLLIN | select.POLLHUP

        def poll(self, left_ms: float) -> list[object]:
            waited.append(left_ms)
            return []

    monkeypatch.setattr(config_file.select, "poll", Poll)
    monkeypatch.setattr(config_file, "monotonic", lambda: next(times))
    with pytest.raises(SettingsError, match="its writer has not finished within 5 s"):
        read_file(pipe, "--config", 5.0)
    assert waited == [ms]
