"""Merges the views of a video: the mean of their softmaxes.

By default a video is its path and has all of its views; what the authors' code does where that does
not hold is apart, `as_authors`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Values = np.ndarray[Any, np.dtype[Any]]  # floats
BEST = 5  # a label among so many is right in top-5


class Item(NamedTuple):
    """One view's logits, (classes,), as a line of the authors' files states them."""

    identifier: str
    logits: Values
    label: int
    clip: int
    crop: int


@dataclass(frozen=True)
class Prediction:
    """A video's mean scores, (classes,), the likeliest classes first, and its label."""

    scores: Values
    label: int

    @property
    def order(self) -> list[int]:
        """The classes, the likeliest first; of equal ones the lower first."""
        return [int(number) for number in np.argsort(-self.scores, kind="stable")]

    @property
    def predicted(self) -> int:
        """The likeliest class; of equal ones the lowest."""
        return int(np.argmax(self.scores))

    @property
    def right(self) -> bool:
        """Whether that is the label."""
        return self.predicted == self.label

    @property
    def among_best(self) -> bool:
        """Whether the label is among the five likeliest."""
        return self.label in self.order[:BEST]


def softmax(logits: Values) -> Values:
    """Turn logits, (…, classes), into probabilities, in float64."""
    wide = np.asarray(logits, dtype=np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def merged(logits: Values, label: int) -> Prediction:
    """Merge a video's views, (views, classes)."""
    return Prediction(softmax(logits).mean(axis=0), label)


@dataclass
class _Held:
    label: int
    scores: list[Values] = field(default_factory=list)
    views: set[str] = field(default_factory=set)


def as_authors(items: Iterable[Item]) -> dict[str, Prediction]:
    """Merge views in the order of the authors' lines; by their names for videos.

    Of a view that a name has already the first one stays, missing ones are not missed, and the
    label is that of the last view taken: so videos of one name are one.
    """
    held: dict[str, _Held] = {}
    for item in items:
        video = held.setdefault(item.identifier, _Held(item.label))
        view = f"{item.clip}{item.crop}"  # so 1 and 11 are 11 and 1: recorded
        if view not in video.views:
            video.views.add(view)
            video.scores.append(softmax(item.logits))
            video.label = item.label
    return {
        name: Prediction(np.mean(video.scores, axis=0), video.label) for name, video in held.items()
    }
