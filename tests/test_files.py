"""Files and folders appear whole, or what stood there before still does."""

from pathlib import Path

import pytest
from videomae.files import appearing


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


def test_failing_to_take_the_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    folder = folder_with(tmp_path / "it", "old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"), appearing(folder) as new:
        folder_with(new, "new")
    assert (folder / "content").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]
