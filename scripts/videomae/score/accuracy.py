"""Top-1 and top-5 accuracy, accuracy of each class, and confused classes."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from videomae.score.merge_views import Prediction

Z = 1.959964  # of 95 % of a normal distribution, on both sides


class Share(NamedTuple):
    """How many of how many."""

    right: int
    of: int

    @property
    def percent(self) -> float:
        """The share in percent; 0 of none."""
        return 100 * self.right / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % confidence interval, in percent; all, of none."""
        if not self.of:
            return 0.0, 100.0
        share, spread = self.right / self.of, Z**2 / self.of
        middle = share + spread / 2
        half = math.sqrt(spread * (share * (1 - share) + spread / 4))
        low, high = ((middle + sign * half) / (1 + spread) for sign in (-1, 1))
        return 100 * max(low, 0.0), 100 * min(high, 1.0)

    def json(self) -> dict[str, Any]:
        """Return it for a report."""
        low, high = self.interval
        return {
            "percent": self.percent,
            "interval_95": [low, high],
            "right": self.right,
            "of": self.of,
        }


class Confusion(NamedTuple):
    """How many videos of a class were taken for another."""

    label: int
    predicted: int
    videos: int


@dataclass(frozen=True)
class Accuracy:
    """What predictions come to; ``unread`` videos count as wrong but in the shares of read ones."""

    top1: Share
    top5: Share
    top1_of_read: Share
    top5_of_read: Share
    classes: dict[int, Share]
    confusions: list[Confusion]


def accuracy(predictions: Sequence[Prediction], unread: Sequence[int] = ()) -> Accuracy:
    """Return the accuracy; ``unread`` holds the labels of videos without a prediction."""
    first = sum(prediction.right for prediction in predictions)
    best = sum(prediction.among_best for prediction in predictions)
    read, every = len(predictions), len(predictions) + len(unread)
    return Accuracy(
        Share(first, every),
        Share(best, every),
        Share(first, read),
        Share(best, read),
        _classes(predictions, unread),
        _confusions(predictions),
    )


def _classes(predictions: Iterable[Prediction], unread: Iterable[int]) -> dict[int, Share]:
    of, right = Counter(unread), Counter[int]()
    for prediction in predictions:
        of[prediction.label] += 1
        right[prediction.label] += prediction.right
    return {label: Share(right[label], of[label]) for label in sorted(of)}


def _confusions(predictions: Iterable[Prediction]) -> list[Confusion]:
    """Return what is taken for what, the most frequent first."""
    pairs = Counter((each.label, each.predicted) for each in predictions if not each.right)
    ordered = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Confusion(label, predicted, videos) for (label, predicted), videos in ordered]
