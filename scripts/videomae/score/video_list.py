"""Reads lists of videos as the authors write them: a path and a label on each line.

pandas reads theirs, with one space between the two. Anything else in such a list is read if it can
mean only one thing; otherwise it is refused, with its line.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from videomae.errors import ConversionError, listing, one_line

NUMBER = re.compile(r"-?\d+")
# Between the two: any number of spaces, a tab or a comma. So a path may hold all three.
FIELDS = re.compile(r"(?P<path>.*[^\s,])[\s,]+(?P<label>[^\s,]+)")
THREE = re.compile(r'[^"].*[\s,]-?\d+|"[^"]*"[\s,]+-?\d+')
QUOTED = re.compile(r'"((?:[^"]|"")*)"')


@dataclass(frozen=True)
class Entry:
    """A video of a list: where it stands there, its path as written, its class."""

    line: int
    path: str
    label: int

    @property
    def identifier(self) -> str:
        """What the authors' code calls it: the file's name up to the first dot."""
        return Path(self.path).name.partition(".")[0]


def read(path: Path, classes: int) -> list[Entry]:
    """Return the entries of a list for a head of so many classes; errors name the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConversionError(f"{path} is not UTF-8: {error}") from error
    entries = [_entry(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not entries:
        raise ConversionError(f"{path} has no videos; write PATH LABEL on each line")
    _refuse_repeated(path, entries)
    _refuse_outside(path, entries, classes)
    return entries


def missing(entries: Iterable[Entry], root: Path) -> list[Entry]:
    """Return the entries without a file."""
    return [entry for entry in entries if not (root / entry.path).is_file()]


def _entry(path: Path, number: int, line: str) -> Entry:
    where = f"{path}: line {number}"
    fields = FIELDS.fullmatch(line.strip())
    if not fields:
        raise ConversionError(f"{where}: {_shown(line)} has one field; write PATH LABEL")
    name, label = fields["path"], fields["label"]
    if not NUMBER.fullmatch(label):
        header = "; if the line is a header, remove it" if number == 1 else ""
        raise ConversionError(
            f"{where}: the label {_shown(label)} is not a whole number; give the class's number in "
            f"the folder's id2label{header}"
        )
    if THREE.fullmatch(name):
        raise ConversionError(
            f"{where} has three columns, {_shown(line)}: write PATH and LABEL only (the authors' "
            "code would use the second column as label), or put a path with spaces into quotes"
        )
    if quoted := QUOTED.fullmatch(name):
        return Entry(number, quoted[1].replace('""', '"'), int(label))
    if name.startswith('"'):
        raise ConversionError(f"{where}: {_shown(line)} has an open quote; close it")
    return Entry(number, name, int(label))


def _shown(text: str) -> str:
    return repr(one_line(text, most=120))


def _refuse_repeated(path: Path, entries: Iterable[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        if (first := seen.setdefault(entry.path, entry)) is not entry:
            raise ConversionError(
                f"{path}: line {entry.line}: {entry.path} is already in line {first.line}, with "
                f"label {first.label}; list each video once"
            )


def _refuse_outside(path: Path, entries: list[Entry], classes: int) -> None:
    outside = [entry for entry in entries if not 0 <= entry.label < classes]
    if not outside:
        return
    where = listing(f"{entry.label} in line {entry.line}" for entry in outside)
    labels = [entry.label for entry in entries]
    from_one = min(labels) == 1 and max(labels) == classes
    hint = "; they seem to count from 1: subtract 1" if from_one else ""
    raise ConversionError(
        f"{path}: {len(outside)} of {len(entries)} labels are outside 0 to {classes - 1}, the "
        f"{classes} classes of the folder's head: {where}{hint}"
    )


def table(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a line for each entry, with its line number."""
    for entry in entries:
        yield f"  line {entry.line}: {one_line(entry.path)}"
