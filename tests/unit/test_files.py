"""Files and folders appear whole, or what stood there before still does."""

import contextlib
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from videomae import atomic_replace
from videomae.errors import ConversionError
from videomae.files import appearing, not_through_link, saving

from tests.conftest import ROOT, process


def folder_with(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "content").write_text(text)
    return path


def test_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "it", "old")
    with appearing(folder) as new:
        folder_with(new, "new")
    assert (folder / "content").read_text() == "new"
    assert list(tmp_path.iterdir()) == [folder]


def test_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "it", "old")
    with pytest.raises(ZeroDivisionError), appearing(folder) as new:
        folder_with(new, "new")
        raise ZeroDivisionError
    assert (folder / "content").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone swaps two names in one step")
def test_folder_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise AssertionError(f"{self} was renamed to {target}")

    folder = folder_with(tmp_path / "it", "old")
    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with appearing(folder) as new:
        folder_with(new, "new")
    assert (folder / "content").read_text() == "new"
    assert list(tmp_path.iterdir()) == [folder]


KILLED_BETWEEN_RENAMES = """
import os, pathlib, sys
from videomae import files
from videomae import atomic_replace
atomic_replace.exchange = lambda *_: False  # as on a file system that can't
pathlib.Path.replace = lambda *_: os._exit(9)
path = pathlib.Path(sys.argv[1])
with files.appearing(path) as new:
    new.mkdir()
    (new / "content").write_text("new")
"""


@pytest.mark.parametrize("then", ["fails", "works"])
def test_folder_survives_a_kill_between_two_renames_and_a_failure_after_it(
    then: str, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path / "it", "old")
    assert process("-c", KILLED_BETWEEN_RENAMES, folder, cwd=ROOT).code == 9
    assert not folder.exists()  # what the next process finds
    with contextlib.suppress(ZeroDivisionError), appearing(folder) as new:
        assert (folder / "content").read_text() == "old"
        folder_with(new, "new")
        if then == "fails":
            raise ZeroDivisionError
    assert (folder / "content").read_text() == ("old" if then == "fails" else "new")
    assert list(tmp_path.iterdir()) == [folder]


def test_failing_to_take_the_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_replace, "exchange", lambda *_: False)

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    folder = folder_with(tmp_path / "it", "old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"), appearing(folder) as new:
        folder_with(new, "new")
    assert (folder / "content").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_failure_to_write_tells_the_file_and_the_space_left(tmp_path: Path) -> None:
    with (
        pytest.raises(
            ConversionError, match=r"a can't be written \([\d,.]+ MB are free there\): full"
        ),
        saving(tmp_path / "a", RuntimeError),
    ):
        raise RuntimeError("full")


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = "import os, sys, pathlib; from videomae import files\n"
    code += "with files.appearing(pathlib.Path(sys.argv[1])) as new:\n    new.mkdir(); os._exit(9)"
    assert process("-c", code, tmp_path / "it", cwd=ROOT).code == 9
    (left,) = tmp_path.iterdir()
    other = tmp_path / ".it2.elsewhere-1.new"  # of another path
    other.touch()
    with appearing(tmp_path / "it") as new:
        mine = new
        new.write_text("whole")
    assert not left.exists()
    assert not mine.exists()
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "it"]


def test_what_a_living_process_makes_is_left_alone(tmp_path: Path) -> None:
    with appearing(tmp_path / "it") as new:
        new.touch()
    living = tmp_path / new.parent.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
    living.mkdir()
    with appearing(tmp_path / "it") as new:
        new.touch()
    assert living.exists()


def test_what_an_earlier_version_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".it.{platform.node()}-999999999.new"
    left.touch()
    with appearing(tmp_path / "it") as new:
        new.touch()
    assert list(tmp_path.iterdir()) == [tmp_path / "it"]


# -- a folder in which others may plant links ------------------------------------------------------


def test_temporary_name_is_new_each_time_in_a_folder_of_this_user_alone(tmp_path: Path) -> None:
    names = set()
    for _ in range(8):
        with appearing(tmp_path / "it") as new:
            new.touch()
            names.add(new.parent)
            assert new.parent.stat().st_mode & 0o777 == 0o700
    assert len(names) == 8


@pytest.mark.parametrize("plant", [Path.symlink_to, lambda at, _: folder_with(at, "planted")])
def test_nothing_is_written_through_what_is_planted_at_guessed_names(
    plant: Callable[[Path, Path], object], tmp_path: Path
) -> None:
    victim, there = tmp_path / "victim", tmp_path / "there"
    victim.write_text("mine")
    there.mkdir()
    for pid in (os.getpid(), os.getppid(), 999_999_999):
        for age in ("new", "old"):
            plant(there / f".it.{platform.node()}-{pid}.{age}", victim)
    plant(there / ".it.new", victim)
    with appearing(there / "it") as new:
        new.write_text("whole")
    assert victim.read_text() == "mine"
    assert (there / "it").read_text() == "whole"
    assert not (there / "it").is_symlink()


@pytest.mark.parametrize("folder", [False, True])
def test_link_at_the_final_name_is_replaced_and_not_followed(folder: bool, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (folder_with if folder else Path.write_text)(victim, "mine")
    (tmp_path / "it").symlink_to(victim)
    with appearing(tmp_path / "it") as new:
        (folder_with if folder else Path.write_text)(new, "whole")
    assert (victim / "content" if folder else victim).read_text() == "mine"
    assert not (tmp_path / "it").is_symlink()


def test_folder_in_a_files_place_is_not_removed_for_it(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "it", "mine")
    with (
        pytest.raises(
            ConversionError, match=r"it is a folder, but a file must go there; move the folder"
        ),
        appearing(folder) as new,
    ):
        new.write_text("whole")
    assert (folder / "content").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("there", [True, False])
def test_file_is_not_opened_through_a_link(there: bool, tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "lock"
    if there:
        victim.write_text("mine")
    link.symlink_to(victim)
    with pytest.raises(
        ConversionError, match="lock is a link, and files are not written through links"
    ):
        open(link, "w", opener=not_through_link)  # noqa: SIM115
    assert victim.exists() == there
    assert not there or victim.read_text() == "mine"
