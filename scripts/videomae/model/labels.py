"""Reads lists of labels and puts them in class order."""

import argparse
import csv
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

from videomae.errors import ConversionError, about, listing, suggestion
from videomae.model import label_numbering

# The lists that come with this package, by name.
SHIPPED = {
    path.stem: path for path in sorted((Path(__file__).parent / "label_lists").glob("*.txt"))
}
NONE = "none"  # no list: the classes are called LABEL_0, LABEL_1 …

# The keys of config.json that hold the names and the number of the classes.
MAPS = ("id2label", "label2id", "num_labels")


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Return the labels of a file in class order: JSON or CSV by the suffix, else one a line.

    One a line: the label, with or without its id before or after it (see `label_numbering`).
    JSON: a list, id2label, label2id, or a transformers config.json. CSV: an id and a label in every
    row, in either order, with or without a header.

    Raises `ConversionError` for other files, for ids that are not 0, 1, 2 … (they are never shifted
    or padded), and for labels that are empty, repeated or still contain their ids.
    """
    path = Path(path)
    read = {".json": _from_json, ".csv": _from_csv}.get(path.suffix.lower(), _from_lines)
    with about(path):
        try:
            # A spreadsheet's file may begin with a byte order mark, which is no part of a label.
            labels = read(path.read_text(encoding="utf-8-sig"))
        except (ValueError, csv.Error, RecursionError) as error:
            raise ConversionError(f"not a list of labels: {error}") from error
        return _checked(labels)


def _checked(labels: list[Any]) -> list[str]:
    """Return labels without spaces around them; raise `ConversionError` for bad ones."""
    if not labels:
        raise ConversionError("the file has no labels")
    _refuse("labels are not text, at", _where(not isinstance(x, str) for x in labels))
    labels = [label.strip() for label in labels]
    odd = (any(unicodedata.category(c) in ("Cc", "Cs") for c in label) for label in labels)
    _refuse("labels have control characters or halves of characters, at", _where(odd))
    _refuse("classes have no label:", _where(not label for label in labels))
    repeated = _repeated((label, number) for number, label in enumerate(labels))
    _refuse("labels appear more than once:", repeated)
    label_numbering.refuse_numbered(labels)
    return labels


def _from_lines(text: str) -> list[Any]:
    if text.lstrip()[:1] in ("{", "["):  # JSON under another name, or a label in brackets
        with suppress(ValueError):
            return _from_json(text)
    lines = text.rstrip().splitlines()
    if lines and (rows := label_numbering.rows(lines)) is not None:
        try:
            return _in_order(rows, (0,))
        except ConversionError as error:
            raise ConversionError(f"{error}; {label_numbering.JSON}") from error
    names = [label_numbering.unquoted(line.strip()) for line in lines]
    quoted = all(name != line.strip() for name, line in zip(names, lines, strict=True))
    return names if quoted else list(lines)


def _from_json(text: str) -> list[Any]:
    # Objects are read as tuples of pairs: a dictionary would hide a key that appears twice.
    content = json.loads(text, object_pairs_hook=tuple)
    if isinstance(content, list):
        return content
    if not isinstance(content, tuple):
        raise ConversionError(
            f"the file must hold id2label, label2id or a list, not {type(content).__name__}"
        )
    maps = [value for key, value in content if key in MAPS and isinstance(value, (tuple, list))]
    lists = [one if isinstance(one, list) else _in_order(one) for one in maps or [content]]
    if len(lists) > 1:
        _refuse_contradiction(*lists[:2])
    return lists[0]


def of_config(config: Mapping[str, Any], num_labels: int) -> dict[int, str]:
    """Return the class names in a folder's config.json.

    Raises `ConversionError` if a class has no name, if two classes have the same name, or if
    id2label and label2id contradict each other.
    """
    lists = []
    for side, name in enumerate(MAPS[:2]):
        entry = config.get(name)
        if not isinstance(entry, dict):
            raise ConversionError(f"{name} is {entry!r}, should be a map with {num_labels} entries")
        missing = [n for n in map(str, range(num_labels)) if name == MAPS[0] and n not in entry]
        if missing:
            raise ConversionError(f"{name}[{missing[0]!r}] is missing, should be a class name")
        if len(entry) != num_labels:
            raise ConversionError(f"{name} has {len(entry)} entries, should have {num_labels}")
        with about(name):
            lists.append(_checked(_in_order([*entry.items()], (side,))))
    _refuse_contradiction(*lists)
    return dict(enumerate(lists[0]))


def located(name: str) -> Path:
    """Return the file of a list of labels, given by a shipped list's name or by a path.

    Raises `ConversionError` if it is neither.
    """
    if name not in SHIPPED and not Path(name).is_file():
        raise ConversionError(
            f"{name}: no such file, and no shipped list has that name"
            f"{suggestion(name, SHIPPED)}; the shipped lists are {', '.join(SHIPPED)}"
        )
    return SHIPPED.get(name, Path(name))


def add_option(parser: argparse.ArgumentParser, without: str) -> None:
    """Add the option ``--labels``: a shipped list's name, a path, or `NONE`.

    ``without`` is the default in the help text.
    """
    parser.add_argument(
        "--labels",
        type=lambda name: name if name == NONE else located(name),
        metavar="LIST",
        help="the list of labels: kinetics400, ssv2, ucf101, k710, or a file (one label a line, "
        f"JSON or CSV); none means LABEL_0, LABEL_1 … (default: {without})",
    )


def chosen(option: Any) -> Path | None:
    """Return the path of the list that this option names; None without one, and for `NONE`."""
    return None if option in (None, NONE) else Path(option)


def _refuse_contradiction(by_id: list[Any], by_label: list[Any]) -> None:
    """Raise `ConversionError` if id2label and label2id name a class differently."""
    pairs = enumerate(zip_longest(by_id, by_label))
    _refuse(
        "id2label and label2id contradict each other, at class",
        [f"{number} ({one!r}, {other!r})" for number, (one, other) in pairs if one != other],
    )


def _from_csv(text: str) -> list[Any]:
    rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            raise ConversionError(
                f"row {number}, {','.join(row)!r}, has {len(row)} columns, but must have 2, an id "
                "and a label (a list of videos is not a list of labels)"
            )
    headed = bool(rows) and not any(map(_is_id, rows[0]))
    return _in_order(rows[1:] if headed else rows)


def _in_order(rows: Sequence[Sequence[Any]], sides: Sequence[int] = (0, 1)) -> list[Any]:
    """Return the labels in the order of their ids, which may be on either side of the pairs."""
    if not rows:
        return []
    sides = [side for side in sides if all(_is_id(row[side]) for row in rows)]
    if len(sides) != 1:
        numbers = "both are" if sides else "neither is"
        raise ConversionError(
            f"{len(rows)} pairs must each have an id and a label, but {numbers} always a whole "
            f"number; the first pair is {rows[0][0]!r}, {rows[0][1]!r}"
        )
    labels = [row[1 - sides[0]] for row in rows]
    ids = [int(row[sides[0]]) for row in rows]
    _check_ids(ids, labels)
    return [label for _, label in sorted(zip(ids, labels, strict=True), key=lambda pair: pair[0])]


def _check_ids(ids: list[int], labels: list[Any]) -> None:
    _refuse("ids appear more than once:", _repeated(zip(ids, labels, strict=True)))
    known = set(ids)
    missing = [str(number) for number in range(len(ids)) if number not in known]
    if missing:
        raise ConversionError(
            f"{len(ids)} ids run from {min(ids)} to {max(ids)}, but must run from 0 to "
            f"{len(ids) - 1} without gaps; missing: {listing(missing)}; ids are never shifted or "
            "filled in, so number the labels as in training"
        )


def _is_id(value: Any) -> bool:
    return re.fullmatch(r"\s*-?\d+\s*", str(value)) is not None


def _where(wrong: Iterable[bool]) -> list[str]:
    return [str(number) for number, is_wrong in enumerate(wrong) if is_wrong]


def _repeated(pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    """Return the values that appear in several of the pairs, each with its partners."""
    others: dict[Any, list[str]] = {}
    for value, other in pairs:
        others.setdefault(value, []).append(str(other))
    return [f"{value} (for {listing(of)})" for value, of in others.items() if len(of) > 1]


def _refuse(what: str, found: list[str]) -> None:
    if found:
        raise ConversionError(f"{what} {listing(found)}")


def id2label(num_labels: int, path: str | os.PathLike[str] | None) -> dict[int, str]:
    """Return the name of each class; without a list ``LABEL_0``, ``LABEL_1`` … as in transformers.

    Raises `ConversionError` if the list has another length than the classifier's head.
    """
    if path is None:
        return {number: f"LABEL_{number}" for number in range(num_labels)}
    labels = read_labels(path)
    if len(labels) != num_labels:
        raise ConversionError(
            f"{path} has {len(labels)} labels, but the checkpoint's head has {num_labels} classes; "
            "give the list of the data set that it was trained on"
        )
    return dict(enumerate(labels))


def faults(
    names: Mapping[int, str], numbers: Mapping[str, int], expected: Mapping[int, str] | None
) -> list[str]:
    """Return the faults in the labels of a loaded model; with ``expected`` None any names pass.

    Only letters and digits are compared: others write the same labels in capitals or with
    underscores.
    """
    wanted = expected or names
    spelt = plain if len({plain(name) for name in wanted.values()}) == len(wanted) else str
    wrong = [
        f"id2label[{number}] is {names.get(number)!r}, should be {name!r}"
        for number, name in wanted.items()
        if spelt(names.get(number, "")) != spelt(name)
    ]
    if len(names) != len(wanted):
        wrong.append(f"id2label has {len(names)} classes, should have {len(wanted)}")
    return wrong + [
        f"label2id[{name!r}] is {numbers.get(name)!r}, should be {number}"
        for number, name in names.items()
        if numbers.get(name) != number
    ]


def plain(label: str) -> str:
    """Return a label's letters and digits in lower case."""
    return "".join(c for c in label.casefold() if c.isalnum())
