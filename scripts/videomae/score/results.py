"""What came out?  As JSON and CSV for programs, as a table for people."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from videomae.errors import one_line
from videomae.files import appearing
from videomae.score import merge_views
from videomae.score.accuracy import Accuracy, Share, accuracy
from videomae.score.label_check import diagnosis
from videomae.score.logit_store import Record
from videomae.score.merge_views import BEST, Item, Prediction
from videomae.score.protocols import Protocol
from videomae.score.video_list import Entry

SMALLEST = 1024  # bytes; the authors' code opens no smaller video
SHOWN = 10  # of the most confused pairs
NAMED = 20  # of the videos that could not be read


@dataclass(frozen=True)
class Scored:
    """A video, or with the authors' merge a name: what it was made of, and what is predicted."""

    path: str
    record: Record
    prediction: Prediction | None
    label: int


@dataclass(frozen=True)
class Outcome:
    """All that scoring a list found."""

    protocol: Protocol
    as_authors: bool
    names: Sequence[str]
    videos: list[Scored]

    @property
    def predictions(self) -> list[Prediction]:
        """What is predicted, of those that could be read."""
        return [video.prediction for video in self.videos if video.prediction]

    @property
    def unreadable(self) -> list[Scored]:
        """Those that could not be read."""
        return [video for video in self.videos if not video.prediction]

    @property
    def accuracy(self) -> Accuracy:
        """How often it is right; the authors leave out what can't be read."""
        unread = [] if self.as_authors else [video.label for video in self.unreadable]
        return accuracy(self.predictions, unread)

    @property
    def diagnosis(self) -> str:
        """What speaks for labels of other classes, if anything does."""
        return diagnosis(self.predictions, self.names)


def merge(
    entries: Sequence[Entry],
    records: Mapping[str, Record],
    protocol: Protocol,
    names: Sequence[str],
    as_authors: bool,
) -> Outcome:
    """Merge all videos' views."""
    videos = _as_authors(entries, records, protocol) if as_authors else _safely(entries, records)
    return Outcome(protocol, as_authors, names, list(videos))


def _safely(entries: Sequence[Entry], records: Mapping[str, Record]) -> Iterator[Scored]:
    for entry in entries:
        record = records[entry.path]
        logits = record.logits
        prediction = merge_views.merged(logits, entry.label) if logits is not None else None
        yield Scored(entry.path, record, prediction, entry.label)


def _as_authors(
    entries: Sequence[Entry], records: Mapping[str, Record], protocol: Protocol
) -> Iterator[Scored]:
    read: list[tuple[Entry, Record]] = []
    unread: list[tuple[Entry, Record]] = []
    for entry in entries:
        record = records[entry.path]
        taken = record.logits is not None and record.state.size >= SMALLEST
        (read if taken else unread).append((entry, record))
    items = (
        Item(entry.identifier, record.logits[clip * protocol.crops + crop], entry.label, clip, crop)
        for clip in range(protocol.clips)
        for crop in range(protocol.crops)
        for entry, record in read
        if record.logits is not None
    )
    firsts = {entry.identifier: record for entry, record in reversed(read)}
    for name, prediction in merge_views.as_authors(items).items():
        yield Scored(name, firsts[name], prediction, prediction.label)
    for entry, record in unread:
        yield Scored(entry.path, record, None, entry.label)


def save(outcome: Outcome, facts: Mapping[str, Any], json_path: Path, csv_path: Path) -> None:
    """Write both files, each whole or not at all."""
    with appearing(csv_path) as new, new.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(map(_cells, _rows(outcome)))
    with appearing(json_path) as new:
        new.write_text(json.dumps(content(outcome, facts), indent=2, ensure_ascii=False) + "\n")


def content(outcome: Outcome, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as JSON values; ``facts`` are what was scored and how."""
    counted, names = outcome.accuracy, outcome.names
    return {
        **facts,
        "protocol": asdict(outcome.protocol),
        "as_authors": outcome.as_authors,
        "top1": counted.top1.json(),
        "top5": counted.top5.json(),
        "top1_of_read": counted.top1_of_read.json(),
        "top5_of_read": counted.top5_of_read.json(),
        "unreadable": {video.path: _reason(video) for video in outcome.unreadable},
        "cut": {video.path: video.record.lacking for video in _cut(outcome)},
        "diagnosis": outcome.diagnosis,
        "classes": [
            {"class": number, "label": names[number], **share.json()}
            for number, share in counted.classes.items()
        ],
        "confusions": [
            {"label": names[pair.label], "predicted": names[pair.predicted], "videos": pair.videos}
            for pair in counted.confusions
        ],
    }


def _rows(outcome: Outcome) -> Iterator[list[Any]]:
    """Return a line for each video: its label, the likeliest classes with their scores."""
    best = range(1, min(BEST, len(outcome.names)) + 1)
    head = ["video", "frames", "state", "label", "right", "score of label"]
    yield [*head, *(f"{what} {n}" for n in best for what in ("class", "score"))]
    for video in outcome.videos:
        name, total = outcome.names[video.label], video.record.total or ""
        if not video.prediction:
            yield [video.path, total, f"unreadable: {_reason(video)}", name, 0]
            continue
        scores = video.prediction.scores
        likeliest = video.prediction.order[: len(best)]
        pairs = (
            value for n in likeliest for value in (outcome.names[n], f"{float(scores[n]):.6f}")
        )
        row = [video.path, total, video.record.lacking or "read", name]
        score = f"{float(scores[video.label]):.6f}"
        yield [*row, int(video.prediction.right), score, *pairs]


def _cells(row: Sequence[Any]) -> list[Any]:
    """Return a row that does nothing to a terminal, whatever labels and paths hold."""
    return [one_line(cell, most=100_000) if isinstance(cell, str) else cell for cell in row]


def _reason(video: Scored) -> str:
    return video.record.unreadable or f"smaller than {SMALLEST} bytes"


def _cut(outcome: Outcome) -> list[Scored]:
    return [video for video in outcome.videos if video.prediction and video.record.lacking]


def table(outcome: Outcome, published: Mapping[str, Any] | None = None) -> str:
    """Return the table of accuracy, then confused classes and unreadable videos."""
    counted = outcome.accuracy
    rows = [_row("top-1", counted.top1), _row("top-5", counted.top5)]
    if outcome.unreadable and not outcome.as_authors:
        rows += [
            _row("top-1 of readable videos", counted.top1_of_read),
            _row("top-5 of readable videos", counted.top5_of_read),
        ]
    heads = ("accuracy", "%", "95 % interval", "right", "of")
    lines = [tabulate(rows, heads, disable_numparse=True)]
    if published:
        stated = ", ".join(
            f"{key} {published[key]}" for key in ("top1", "top5") if key in published
        )
        lines.append(one_line(f"published by the authors for {published['dataset']}: {stated}"))
    lines += _confused(outcome)
    lines += _listed("could not be read", [(v.path, _reason(v)) for v in outcome.unreadable])
    lines += _listed(
        "truncated, scored by their readable part",
        [(v.path, v.record.lacking) for v in _cut(outcome)],
    )
    if outcome.diagnosis:
        lines += ["", f"warning: {outcome.diagnosis}"]
    return "\n".join(lines)


def _row(name: str, share: Share) -> tuple[str, ...]:
    low, high = share.interval
    return name, f"{share.percent:.2f}", f"{low:.1f} to {high:.1f}", str(share.right), str(share.of)


def _confused(outcome: Outcome) -> list[str]:
    pairs = outcome.accuracy.confusions[:SHOWN]
    if not pairs:
        return []
    rows = [
        (
            one_line(outcome.names[pair.label], 60),
            one_line(outcome.names[pair.predicted], 60),
            pair.videos,
        )
        for pair in pairs
    ]
    return ["", tabulate(rows, ("label", "taken for", "videos"), disable_numparse=True)]


def _listed(what: str, videos: Sequence[tuple[str, str]]) -> list[str]:
    if not videos:
        return []
    more = [f"  and {len(videos) - NAMED} more, in the CSV"] if len(videos) > NAMED else []
    shown = [f"  {one_line(path)}: {one_line(why)}" for path, why in videos[:NAMED]]
    return ["", f"{len(videos)} {what}:", *shown, *more]
