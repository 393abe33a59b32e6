"""What are the classes called?  Reads a list of labels and puts it in class order."""

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
NONE = "none"  # instead of a list: classes are LABEL_0, LABEL_1 …

# The keys of config.json that name and count the classes.
MAPS = ("id2label", "label2id", "num_labels")


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Read a list of labels in class order: one a line, or JSON or CSV by the name's ending.

    One a line: labels, or each beside its id, before or after it, as `numbering` tells them apart.
    JSON: labels, id2label, label2id, or a transformers config.json. CSV: an id and a label in every
    row, in either order, under a header or none.

    Raises `ConversionError` for ids that are not 0, 1, 2 …, which are never shifted or padded, for
    labels that are empty, stand more than once or still carry their ids, and for what is no such
    list.
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
    """Give labels without blanks around them; refuse a list that is none of all classes."""
    if not labels:
        raise ConversionError("there are no labels in it")
    _refuse("labels that are not text, at", _where(not isinstance(x, str) for x in labels))
    labels = [label.strip() for label in labels]
    odd = (any(unicodedata.category(c) in ("Cc", "Cs") for c in label) for label in labels)
    _refuse("labels with control characters, or with half of one, at", _where(odd))
    _refuse("classes without a label:", _where(not label for label in labels))
    repeated = _repeated((label, number) for number, label in enumerate(labels))
    _refuse("labels that stand more than once:", repeated)
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
    # Objects are read as tuples of pairs: in a dictionary, a key that stands twice goes unseen.
    content = json.loads(text, object_pairs_hook=tuple)
    if isinstance(content, list):
        return content
    if not isinstance(content, tuple):
        raise ConversionError(
            f"an id2label or label2id object, or a list, is needed, not {type(content).__name__}"
        )
    maps = [value for key, value in content if key in MAPS and isinstance(value, (tuple, list))]
    lists = [one if isinstance(one, list) else _in_order(one) for one in maps or [content]]
    if len(lists) > 1:
        _refuse_contradiction(*lists[:2])
    return lists[0]


def of_config(config: Mapping[str, Any], num_labels: int) -> dict[int, str]:
    """Give the names that a folder's config.json has for its classes.

    Raises `ConversionError` where they are not one for each class, all different, or where its
    id2label and label2id are not each other's reverse.
    """
    lists = []
    for side, name in enumerate(MAPS[:2]):
        entry = config.get(name)
        if not isinstance(entry, dict):
            raise ConversionError(f"{name} is {entry!r}, should be a map of {num_labels} entries")
        missing = [n for n in map(str, range(num_labels)) if name == MAPS[0] and n not in entry]
        if missing:
            raise ConversionError(f"{name}[{missing[0]!r}] is None, should be the name of a class")
        if len(entry) != num_labels:
            raise ConversionError(f"{name} has {len(entry)} entries, should have {num_labels}")
        with about(name):
            lists.append(_checked(_in_order([*entry.items()], (side,))))
    _refuse_contradiction(*lists)
    return dict(enumerate(lists[0]))


def located(name: str) -> Path:
    """Give the file of a list that is named as in config.yaml: a shipped list's name, or a path.

    Raises `ConversionError` for what is neither.
    """
    if name not in SHIPPED and not Path(name).is_file():
        raise ConversionError(
            f"{name}: No such file or directory, and no list of that name"
            f"{suggestion(name, SHIPPED)}; those are {', '.join(SHIPPED)}"
        )
    return SHIPPED.get(name, Path(name))


def add_option(parser: argparse.ArgumentParser, without: str) -> None:
    """Let a command take a list of labels as config.yaml names it, a path, or `NONE`.

    ``without`` says what comes of it if there is none.
    """
    parser.add_argument(
        "--labels",
        type=lambda name: name if name == NONE else located(name),
        metavar="LIST",
        help="kinetics400, ssv2, ucf101, k710, a file (one label a line, JSON or CSV), or none: "
        f"LABEL_0, LABEL_1 … (default: {without})",
    )


def chosen(option: Any) -> Path | None:
    """Give the list that this option names; None without it, and for `NONE`."""
    return None if option in (None, NONE) else Path(option)


def _refuse_contradiction(by_id: list[Any], by_label: list[Any]) -> None:
    """Raise `ConversionError` where a config's id2label and label2id name a class differently."""
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
                f"row {number}, {','.join(row)!r}, has {len(row)} columns, must have 2, an id and "
                "a label (a list of videos names no classes)"
            )
    headed = bool(rows) and not any(map(_is_id, rows[0]))
    return _in_order(rows[1:] if headed else rows)


def _in_order(rows: Sequence[Sequence[Any]], sides: Sequence[int] = (0, 1)) -> list[Any]:
    """Find out on which side of the pairs the ids are, and give the labels by them."""
    if not rows:
        return []
    sides = [side for side in sides if all(_is_id(row[side]) for row in rows)]
    if len(sides) != 1:
        numbers = "both are" if sides else "neither is"
        raise ConversionError(
            f"{len(rows)} pairs of an id and a label are needed, but of the two {numbers} always a "
            f"whole number; the first pair is {rows[0][0]!r}, {rows[0][1]!r}"
        )
    labels = [row[1 - sides[0]] for row in rows]
    ids = [int(row[sides[0]]) for row in rows]
    _check_ids(ids, labels)
    return [label for _, label in sorted(zip(ids, labels, strict=True), key=lambda pair: pair[0])]


def _check_ids(ids: list[int], labels: list[Any]) -> None:
    _refuse("ids that stand more than once:", _repeated(zip(ids, labels, strict=True)))
    known = set(ids)
    missing = [str(number) for number in range(len(ids)) if number not in known]
    if missing:
        raise ConversionError(
            f"{len(ids)} ids run from {min(ids)} to {max(ids)}, must run from 0 to {len(ids) - 1} "
            f"without gaps; there is no {listing(missing)}; nothing is shifted or filled in, so "
            "number the labels as the training did"
        )


def _is_id(value: Any) -> bool:
    return re.fullmatch(r"\s*-?\d+\s*", str(value)) is not None


def _where(wrong: Iterable[bool]) -> list[str]:
    return [str(number) for number, is_wrong in enumerate(wrong) if is_wrong]


def _repeated(pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    """Tell what stands in several of the pairs, and with what."""
    others: dict[Any, list[str]] = {}
    for value, other in pairs:
        others.setdefault(value, []).append(str(other))
    return [f"{value} (for {listing(of)})" for value, of in others.items() if len(of) > 1]


def _refuse(what: str, found: list[str]) -> None:
    if found:
        raise ConversionError(f"{what} {listing(found)}")


def id2label(num_labels: int, path: str | os.PathLike[str] | None) -> dict[int, str]:
    """Name each class; without a list they are ``LABEL_0``, ``LABEL_1`` … as in transformers.

    Raises `ConversionError` if the list is not as long as the classifier's head has rows.
    """
    if path is None:
        return {number: f"LABEL_{number}" for number in range(num_labels)}
    labels = read_labels(path)
    if len(labels) != num_labels:
        raise ConversionError(
            f"{path} has {len(labels)} labels, but the checkpoint's head has {num_labels} classes; "
            "give the list of the data set it was trained on"
        )
    return dict(enumerate(labels))


def faults(
    names: Mapping[int, str], numbers: Mapping[str, int], expected: Mapping[int, str] | None
) -> list[str]:
    """Say what is wrong with the labels of a loaded model; with None expected, names may be any.

    Letters and digits count: others write the same labels in capitals, or with underscores.
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
    """Give a label's letters and digits, in small letters."""
    return "".join(c for c in label.casefold() if c.isalnum())
