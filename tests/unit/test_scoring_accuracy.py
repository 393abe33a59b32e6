"""Merging views and counting: as the authors' code was recorded, and safely."""

import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from videomae.score.accuracy import Confusion, Share, accuracy
from videomae.score.merge_views import Item, Prediction, as_authors, merged

from tests.conftest import DATA

RECORDED: dict[str, Any] = json.loads((DATA / "views.json").read_text())["merge"]

# The recording machine's exp rounds about one in forty the other way: nine or so of the 336 changed
# by a last bit make the means equal bit by bit, and no order of adding does. What is predicted and
# counted is equal.
LAST_BIT = 1e-16


def items(lines: Iterable[str]) -> list[Item]:
    """Read lines as the authors' code writes them."""
    found = (re.fullmatch(r"(.+) \[(.+)\] (\d+) (\d+) (\d+)", line) for line in lines)
    return [
        Item(m[1], np.array(m[2].split(", "), dtype=float), int(m[3]), int(m[4]), int(m[5]))
        for m in found
        if m
    ]


def recorded_items() -> list[Item]:
    return [item for lines in RECORDED["files"].values() for item in items(lines[1:])]


def test_recorded_merge_comes_out_equal() -> None:
    predictions = as_authors(recorded_items())
    assert predictions.keys() == RECORDED["per_video"].keys()
    for name, expected in RECORDED["per_video"].items():
        found = predictions[name]
        assert found.scores == pytest.approx(expected["mean_softmax"], abs=LAST_BIT)
        assert (found.predicted, found.label) == (expected["pred"], expected["label"])
        assert (found.right, found.among_best) == (expected["top1"], expected["top5"])
    counted = accuracy(list(predictions.values()))
    assert counted.top1.percent == RECORDED["top1_percent"]
    assert counted.top5.percent == RECORDED["top5_percent"]


def test_safe_merge_of_all_views_is_the_recorded_one() -> None:
    views: dict[str, dict[tuple[int, int], Item]] = {}
    for item in recorded_items():
        views.setdefault(item.identifier, {}).setdefault((item.clip, item.crop), item)
    compared = 0
    for name, held in views.items():
        if len(held) == 6:
            found = merged(np.stack([item.logits for item in held.values()]), 0)
            expected = RECORDED["per_video"][name]["mean_softmax"]
            assert found.scores == pytest.approx(expected, abs=LAST_BIT)
            compared += 1
    assert compared == 6


@pytest.mark.parametrize("what", RECORDED["odd"])
def test_odd_lines_come_to_what_was_recorded(what: str) -> None:
    odd = RECORDED["odd"][what]
    counted = accuracy(list(as_authors(items(odd["lines"])).values()))
    assert [counted.top1.percent, counted.top5.percent] == odd["top1_top5"]


def prediction(label: int, predicted: int) -> Prediction:
    return Prediction(np.eye(9)[predicted], label)


def test_videos_that_could_not_be_read_are_wrong_and_both_shares_are_given() -> None:
    counted = accuracy([prediction(1, 1), prediction(1, 2), prediction(3, 3)], unread=[3])
    assert counted.top1 == Share(2, 4)
    assert counted.top1_of_read == Share(2, 3)
    assert counted.classes == {1: Share(1, 2), 3: Share(1, 2)}


def test_most_confused_pairs_come_first() -> None:
    pairs = [(1, 2), (4, 3), (1, 2), (0, 0), (4, 3), (4, 3)]
    counted = accuracy([prediction(*pair) for pair in pairs])
    assert counted.confusions == [Confusion(4, 3, 3), Confusion(1, 2, 2)]


@pytest.mark.parametrize(
    ("share", "low", "high"),  # by Wilson's formula, as R's prop.test(correct = FALSE) gives them
    [(Share(8, 10), 49.02, 94.33), (Share(0, 10), 0, 27.75), (Share(10, 10), 72.25, 100)],
)
def test_interval_is_wilsons(share: Share, low: float, high: float) -> None:
    assert share.interval == pytest.approx((low, high), abs=0.005)


def test_equal_scores_go_to_the_lower_class() -> None:
    found = Prediction(np.full(9, 1 / 9), 4)
    assert found.predicted == 0
    assert found.order[:5] == [0, 1, 2, 3, 4]
    assert found.among_best
