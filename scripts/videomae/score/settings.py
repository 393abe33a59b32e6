"""What does config.yaml ask to be scored?  For each variant with a head its list, and how."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from videomae import results_location
from videomae.config.entry import Entry, Recorded
from videomae.config.models import Score
from videomae.convert import model_folder
from videomae.errors import ConversionError, listing
from videomae.model import datasets
from videomae.score.protocols import OF_DATA_SET, PROTOCOLS

CUSTOM = ("clips", "crops", "rate", "root")  # options that are given on as they are


class Variant(Protocol):
    """A variant, as far as it matters here."""

    @property
    def entry(self) -> Entry:
        """What config.yaml says of it."""

    @property
    def recorded(self) -> Recorded | None:
        """What its recorded outputs are, if there are any."""


@dataclass(frozen=True)
class Asked:
    """The scoring of a variant: the list of videos and the options of ``videomae score``.

    ``computed`` say which views, ``merged`` what is made of them.
    """

    videos: str
    shards: int
    computed: list[str]
    merged: list[str]


def read(score: Score | None, variants: Mapping[str, Variant], results: Path) -> dict[str, Asked]:
    """Return what is asked of each variant that is to be scored; nothing without ``score``.

    ``results`` is where folders are that are converted already, and what was computed of videos.
    """
    if score is None:
        return {}
    if not results_location.are_here(results):
        raise ConversionError(
            f"score: logits are cached in local folders only, not in {results}; copy the model "
            "folders to this machine and run `videomae score`"
        )
    models = results / "models"
    chosen = {name: each for name, each in variants.items() if classifies(each, models / name)}
    protocols = {name: _protocol(each) for name, each in chosen.items()}
    if only := score.protocol:  # those that nothing is known of, too
        protocols = {name: only for name, known in protocols.items() if known in (None, only)}
    lists = _lists(score, protocols)
    for path in lists.values():
        if not Path(path).is_file():
            raise ConversionError(f"score.videos: no such file: {Path(path).absolute()}")
    return {
        name: _asked(score, lists[protocol], protocol, chosen[name])
        for name, protocol in protocols.items()
        if protocol in lists
    }


def classifies(variant: Variant, converted: Path) -> bool:
    """Return whether a variant has a head, by its folder or its entry; where neither tells, yes."""
    if (converted / model_folder.CONFIG).is_file():
        config = model_folder.read_json(converted / model_folder.CONFIG)
        kinds = config.get("architectures")
        return kinds == [model_folder.CLASSES["classifier"]] and config.get("id2label") != {}
    if variant.entry.labels or variant.entry.published:
        return True
    return variant.recorded is None or len(variant.recorded.shape) == 2


def _protocol(variant: Variant) -> str | None:
    """Return the protocol of the data set that an entry names, by accuracy, labels or training."""
    entry = variant.entry
    shipped = {known.labels: title for title, known in datasets.TITLED.items() if known.labels}
    named = [entry.published.dataset] if entry.published else []
    named += [shipped[entry.labels]] if entry.labels in shipped else []
    titles = [title for title in [*named, *(entry.datasets or [])] if title in OF_DATA_SET]
    return OF_DATA_SET[titles[0]] if titles else None


def _lists(score: Score, protocols: Mapping[str, str | None]) -> dict[str, str]:
    """Return the list of each protocol; one list is for one data set."""
    unknown = [name for name, protocol in protocols.items() if protocol is None]
    if unknown:
        raise ConversionError(
            f"score.protocol: the test protocol of {listing(unknown)} is unknown; give one of "
            f"{', '.join(PROTOCOLS)}"
        )
    videos = score.videos
    if not isinstance(videos, str):
        return {str(protocol): path for protocol, path in videos.items()}
    found = sorted({protocol for protocol in protocols.values() if protocol})
    if len(found) > 1:
        raise ConversionError(
            f"score.videos: {videos} is one list, but the variants belong to "
            f"{listing(found)}; choose some by `models`, or give a list for each, such as "
            f"videos: {{{found[0]}: {videos}}}"
        )
    return dict.fromkeys(found, videos)


def _asked(score: Score, videos: str, protocol: Any, variant: Variant) -> Asked:
    options = [f"--{name}={score.given[name]}" for name in CUSTOM if name in score.given]
    options += ["--allow-missing"] if score.allow_missing else []
    merged = ["--as-authors"] if score.as_authors else []
    published = variant.entry.published
    if published and OF_DATA_SET.get(published.dataset) == protocol:
        merged += ["--published", json.dumps(published.given)]
    computed = [f"--protocol={protocol}", *options, f"--device={score.device}"]
    return Asked(videos, score.shards, computed, merged)
