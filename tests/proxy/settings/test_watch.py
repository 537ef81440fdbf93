"""Changes of a file are noticed, once, and only when they are complete."""

from __future__ import annotations

import os
from pathlib import Path

from proxy.settings.watch import FileWatch, signature


def watch(path: Path) -> FileWatch:
    return FileWatch({path: signature(path)})


def test_a_change_counts_when_two_looks_agree_and_only_once(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("a", encoding="utf-8")
    watching = watch(file)
    assert not watching.changed()
    file.write_text("", encoding="utf-8")
    assert not watching.changed()  # seen for the first time: its writer may not be done
    file.write_text("longer", encoding="utf-8")
    assert not watching.changed()
    assert watching.changed()
    assert not watching.changed()


def test_a_change_between_reading_and_watching_counts(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("a", encoding="utf-8")
    before = signature(file)
    file.write_text("changed", encoding="utf-8")
    watching = FileWatch({file: before})
    assert [watching.changed(), watching.changed()] == [False, True]


def test_the_swap_of_a_mounted_config_map_counts(tmp_path: Path) -> None:
    """Kubernetes: file -> ..data/file, ..data -> ..2026; an update renames a new ..data link over the old one."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "f").write_text("same size", encoding="utf-8")
        os.utime(tmp_path / version / "f", ns=(1, 1))
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "f").symlink_to("data/f")
    watching = watch(tmp_path / "f")
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    assert [watching.changed(), watching.changed()] == [False, True]


def test_a_file_that_goes_and_comes_counts(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("a", encoding="utf-8")
    watching = watch(file)
    file.unlink()
    assert [watching.changed(), watching.changed()] == [False, True]
    file.write_text("b", encoding="utf-8")
    assert [watching.changed(), watching.changed()] == [False, True]
