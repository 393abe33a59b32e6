"""Explains a difference in accuracy by steps from the authors' preprocessing to the usual one.

Each changes one choice more. The first has none changed, the last is what users of transformers
commonly do: one clip, one crop, the processor's resizing by PIL.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tabulate import tabulate

from videomae.errors import one_line
from videomae.score.accuracy import Accuracy, accuracy
from videomae.score.logit_store import Record
from videomae.score.merge_views import Prediction, Values, merged, softmax
from videomae.score.preprocessing import middle
from videomae.score.protocols import Protocol
from videomae.score.video_list import Entry

Records = Mapping[str, Record]


@dataclass(frozen=True)
class Step:
    """One more changed choice: its name, and the scores with it.

    ``scores`` makes of the logits by the authors' way, (clips, crops, classes), and by that of
    transformers, (classes,), a video's scores.
    """

    choice: str
    meaning: str
    scores: Callable[[Values, Values], Values]


STEPS = (
    Step(
        "none",
        "as the authors test",
        lambda all_, _: merged(all_.reshape(-1, all_.shape[-1]), 0).scores,
    ),
    Step("merge", "mean of logits, not of softmaxes", lambda all_, _: softmax(all_.mean((0, 1)))),
    Step("clips", "only the middle clip", lambda all_, _: softmax(_middle(all_).mean(0))),
    Step("crops", "only the centre crop", lambda all_, _: softmax(_middle(_middle(all_)))),
    Step("resize", "the folder's processor, by PIL", lambda _, one: softmax(one)),
)


def _middle(values: Values) -> Values:
    return np.asarray(values[middle(len(values))])


@dataclass(frozen=True)
class Compared:
    """The accuracy after a step, and the number of videos whose prediction it changes."""

    step: Step
    accuracy: Accuracy
    otherwise: int


def compare(
    entries: Sequence[Entry], protocol: Protocol, authors: Records, transformers: Records
) -> list[Compared]:
    """Go through the steps; videos that could not be read are wrong in each."""
    read = [entry for entry in entries if authors[entry.path].logits is not None]
    unread = [entry.label for entry in entries if authors[entry.path].logits is None]
    found: list[Compared] = []
    before: list[int] | None = None
    for step in STEPS:
        predictions = [
            _prediction(step, protocol, entry, authors[entry.path], transformers[entry.path])
            for entry in read
        ]
        predicted = [each.predicted for each in predictions]
        otherwise = sum(a != b for a, b in zip(before or predicted, predicted, strict=True))
        found.append(Compared(step, accuracy(predictions, unread), otherwise))
        before = predicted
    return found


def _prediction(
    step: Step, protocol: Protocol, entry: Entry, authors: Record, transformers: Record
) -> Prediction:
    assert authors.logits is not None
    assert transformers.logits is not None
    whole = authors.logits.astype(np.float64).reshape(protocol.clips, protocol.crops, -1)
    return Prediction(step.scores(whole, transformers.logits[0].astype(np.float64)), entry.label)


def content(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Return the steps as JSON values."""
    return [
        {
            "changed": each.step.choice,
            "meaning": each.step.meaning,
            "top1": each.accuracy.top1.json(),
            "top5": each.accuracy.top5.json(),
            "predicted_otherwise": each.otherwise,
        }
        for each in compared
    ]


def table(of: Mapping[str, Sequence[Compared]]) -> str:
    """Return the table of steps for one folder, or for two with their difference."""
    names = list(of)
    rows = []
    for number, step in enumerate(STEPS):
        row: list[str] = [step.choice, step.meaning]
        for compared in of.values():
            row += _figures(compared, number)
        if len(names) == 2:
            one, other = (compared[number].accuracy.top1.percent for compared in of.values())
            row.append(f"{other - one:+.2f}")
        rows.append(row)
    heads = ["changed", "to"]
    for name in names:
        shown = one_line(name, most=60)
        heads += [f"{shown}\ntop-1 %", "by\nthat", "top-5 %", "predicted\notherwise"]
    heads += ["weights:\ntop-1"] if len(names) == 2 else []
    return tabulate(rows, heads, disable_numparse=True)


def _figures(compared: Sequence[Compared], number: int) -> list[str]:
    this = compared[number]
    top1 = this.accuracy.top1.percent
    by = f"{top1 - compared[number - 1].accuracy.top1.percent:+.2f}" if number else ""
    return [f"{top1:.2f}", by, f"{this.accuracy.top5.percent:.2f}", str(this.otherwise or "")]
