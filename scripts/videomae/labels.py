"""What are the classes called?  Reads a list of labels in class order."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from videomae.errors import ConversionError, listing


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Read a file of one label a line, or an id2label JSON, as labels in class order.

    Raises `ConversionError` for duplicates and for ids that are not 0, 1, 2 …; nothing is shifted.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        labels = _from_json(path, text) if path.suffix == ".json" else text.splitlines()
    except ValueError as error:
        raise ConversionError(f"{path}: not a list of labels: {error}") from error
    labels = [label.strip() for label in labels]
    while labels and not labels[-1]:
        labels.pop()
    empty = [str(number) for number, label in enumerate(labels) if not label]
    if empty:
        raise ConversionError(f"{path}: classes without a label: {listing(empty)}")
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise ConversionError(f"{path}: labels that stand more than once: {listing(twice)}")
    return labels


def _from_json(path: Path, text: str) -> Iterable[str]:
    id2label = json.loads(text)
    if not isinstance(id2label, dict):
        raise ConversionError(
            f"{path}: an id2label object is needed, not {type(id2label).__name__}"
        )
    names = {int(number): str(label) for number, label in id2label.items()}
    if sorted(names) != list(range(len(names))):
        raise ConversionError(
            f"{path}: ids must run from 0 to {len(names) - 1} without gaps; "
            f"they run from {min(names)} to {max(names)}"
        )
    return [names[number] for number in range(len(names))]


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
