"""List files: what is read rightly, and what is refused with its line."""

from pathlib import Path

import pytest
from videomae.errors import ConversionError
from videomae.score import video_list


def read(folder: Path, text: str, classes: int = 10) -> list[tuple[str, int]]:
    path = folder / "list.csv"
    path.write_text(text)
    return [(entry.path, entry.label) for entry in video_list.read(path, classes)]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("a/b.mp4 3", "a/b.mp4"),
        ("a/b.mp4  3", "a/b.mp4"),
        ("a/b.mp4\t3", "a/b.mp4"),
        ("a/b.mp4,3", "a/b.mp4"),
        ("a/b.mp4, 3", "a/b.mp4"),
        ("a/b.mp4 3  ", "a/b.mp4"),
        ("\n\na/b.mp4 3\n\n", "a/b.mp4"),
        ('"a b/c 1.mp4" 3', "a b/c 1.mp4"),
        ('"a b/c 1.mp4",3', "a b/c 1.mp4"),
        ("a b/c.mp4 3", "a b/c.mp4"),
        ("a,b.mp4 3", "a,b.mp4"),
        ("\ufeffa/b.mp4 3", "a/b.mp4"),
    ],
)
def test_what_can_only_mean_one_thing_is_read(line: str, path: str, tmp_path: Path) -> None:
    assert read(tmp_path, line) == [(path, 3)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.mp4 1\nb.mp4 300 2", "line 2 has three columns"),
        ("a.mp4,300,2", "line 1 has three columns"),
        ('"a b.mp4" 300 2', "line 1 has three columns"),
        ("a.mp4 1\nb.mp4", "line 2: 'b.mp4' has one field"),
        ("label,youtube_id\n3,abc", "line 1: the label 'youtube_id' is not a whole number.*header"),
        ("a.mp4 walk", "line 1: the label 'walk' is not a whole number"),
        ("a.mp4 1\nb.mp4 2.0", "line 2: the label '2.0' is not a whole number"),
        ('"a.mp4 1', "line 1: .* has an open quote"),
        ("a.mp4 1\n\na.mp4 2", "line 3: a.mp4 is already in line 1, with label 1"),
        ("a.mp4 1\nb.mp4 10\nc.mp4 -1", "2 of 3 labels are outside 0 to 9.*10 in line 2"),
        ("a.mp4 1\nb.mp4 10", "they seem to count from 1"),
        ("\n \n", "has no videos"),
    ],
)
def test_other_lines_are_refused_with_their_number(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=words):
        read(tmp_path, text)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConversionError, match="not UTF-8"):
        video_list.read(tmp_path / "list.csv", 10)
