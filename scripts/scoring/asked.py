"""What does config.yaml ask to be scored?  For each variant with a head its list, and how."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from videomae import data_sets, folder, remote
from videomae.errors import ConversionError, listing

from scoring.protocols import OF_DATA_SET, PROTOCOLS

CUSTOM = ("clips", "crops", "rate", "root")  # options that are given on as they are


class Entry(Protocol):
    """A variant, as far as it matters here."""

    @property
    def entry(self) -> Mapping[str, Any]:
        """What config.yaml says of it."""

    @property
    def recorded(self) -> Mapping[str, Any] | None:
        """What its recorded outputs are, if there are any."""


@dataclass(frozen=True)
class Asked:
    """What is to be scored of a variant: the list, and the options of ``scripts/score.py``.

    ``computed`` say which views, ``merged`` what is made of them.
    """

    videos: str
    shards: int
    computed: list[str]
    merged: list[str]


def read(
    config: Mapping[str, Any], variants: Mapping[str, Entry], results: Path
) -> dict[str, Asked]:
    """Give what is asked of each variant that is to be scored; nothing without ``score``.

    ``results`` is where folders are that are converted already, and what was computed of videos.
    """
    score = config.get("score")
    if score is None:
        return {}
    if not remote.are_here(results):
        raise ConversionError(
            f"score: what is computed of videos is kept here, not in {results}; bring the folders "
            "here and run scripts/score.py"
        )
    models = results / "models"
    chosen = {name: each for name, each in variants.items() if classifies(each, models / name)}
    protocols = {name: _protocol(each) for name, each in chosen.items()}
    if only := score.get("protocol"):  # those that nothing is known of, too
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


def classifies(variant: Entry, converted: Path) -> bool:
    """Tell whether a variant has a head, by its folder or its entry; where neither tells, yes."""
    if (converted / folder.CONFIG).is_file():
        kinds = folder.read_json(converted / folder.CONFIG).get("architectures")
        return kinds == [folder.CLASSES["classifier"]]
    if "labels" in variant.entry or "published" in variant.entry:
        return True
    return variant.recorded is None or len(variant.recorded.get("shape", ())) == 2


def _protocol(variant: Entry) -> str | None:
    """Give the protocol of the data set that an entry names, by accuracy, labels or training."""
    entry = variant.entry
    shipped = {known.labels: title for title, known in data_sets.TITLED.items() if known.labels}
    named = [entry.get("published", {}).get("dataset"), shipped.get(str(entry.get("labels")))]
    titles = [title for title in [*named, *entry.get("datasets", [])] if title in OF_DATA_SET]
    return OF_DATA_SET[titles[0]] if titles else None


def _lists(score: Mapping[str, Any], protocols: Mapping[str, str | None]) -> dict[str, str]:
    """Give the list of each protocol; one list is for one data set."""
    unknown = [name for name, protocol in protocols.items() if protocol is None]
    if unknown:
        raise ConversionError(
            f"score.protocol: nothing tells how {listing(unknown)} is to be tested; give one of "
            f"{', '.join(PROTOCOLS)}"
        )
    videos = score["videos"]
    if not isinstance(videos, str):
        return dict(videos)
    found = sorted({protocol for protocol in protocols.values() if protocol})
    if len(found) > 1:
        raise ConversionError(
            f"score.videos: {videos} is one list, and the variants are tested on "
            f"{listing(found)}; choose among them by models, or give a list for each, such as "
            f"videos: {{{found[0]}: {videos}}}"
        )
    return dict.fromkeys(found, videos)


def _asked(score: Mapping[str, Any], videos: str, protocol: Any, variant: Entry) -> Asked:
    options = [f"--{name}={score[name]}" for name in CUSTOM if name in score]
    options += ["--allow-missing"] if score["allow_missing"] else []
    merged = ["--as-authors"] if score["as_authors"] else []
    published = variant.entry.get("published")
    if published and OF_DATA_SET.get(published["dataset"]) == protocol:
        merged += ["--published", json.dumps(published)]
    computed = [f"--protocol={protocol}", *options, f"--device={score['device']}"]
    return Asked(videos, score["shards"], computed, merged)
