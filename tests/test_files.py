"""Files and folders appear whole, or what stood there before still does."""

import contextlib
import os
import sys
from pathlib import Path

import pytest
from videomae import replacing
from videomae.errors import ConversionError
from videomae.files import appearing, saving

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
sys.path.insert(0, "scripts")
from videomae import files, replacing
replacing.exchange = lambda *_: False  # as on a file system that can't
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
    monkeypatch.setattr(replacing, "exchange", lambda *_: False)

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
        pytest.raises(ConversionError, match=r"a can't be written, with [\d,.]+ MB free.*: full"),
        saving(tmp_path / "a", RuntimeError),
    ):
        raise RuntimeError("full")


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = "import os, sys, pathlib; sys.path.insert(0, 'scripts'); from videomae import files\n"
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
    living = tmp_path / new.name.replace(f"-{os.getpid()}.", f"-{os.getppid()}.")
    living.touch()
    with appearing(tmp_path / "it") as new:
        new.touch()
    assert living.exists()
