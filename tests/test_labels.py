"""Lists of labels: read in class order, refused rather than shifted or padded."""

import json
from pathlib import Path
from typing import Any

import pytest
from videomae.errors import ConversionError
from videomae.labels import id2label, read_labels

from tests.conftest import ROOT


def write(tmp_path: Path, content: str, name: str = "labels.txt") -> Path:
    (tmp_path / name).write_text(content)
    return tmp_path / name


@pytest.mark.parametrize(("name", "count"), [("kinetics400", 400), ("ssv2", 174), ("k710", 710)])
def test_shipped_lists_are_complete(name: str, count: int) -> None:
    assert len(read_labels(ROOT / f"data/labels/{name}.txt")) == count


def test_lines_are_labels_in_class_order(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "walk\nrun\n\n")) == ["walk", "run"]


def test_id2label_json_is_read_by_its_ids(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"1": "run", "0": "walk"}), "labels.json")
    assert read_labels(path) == ["walk", "run"]


def test_count_must_be_the_heads(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"has 2 labels.*head has 7 classes"):
        id2label(7, write(tmp_path, "walk\nrun\n"))


def test_without_a_list_classes_are_numbered() -> None:
    assert id2label(2, None) == {0: "LABEL_0", 1: "LABEL_1"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"1": "a", "2": "b"}, "run from 1 to 2"),
        ({"0": "a", "2": "b"}, "ids must run from 0 to 1 without gaps"),
        ({"a": 0}, "not a list of labels"),
        (["a", "b"], "an id2label object is needed, not list"),
    ],
)
def test_ids_that_do_not_count_from_zero_are_refused(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        read_labels(write(tmp_path, json.dumps(content), "labels.json"))


def test_label_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="more than once: walk"):
        read_labels(write(tmp_path, "walk\nrun\nwalk\n"))


def test_class_without_a_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="without a label: 1"):
        read_labels(write(tmp_path, "walk\n\nrun\n"))
