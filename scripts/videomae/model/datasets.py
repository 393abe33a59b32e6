"""What was it trained on?  The data sets, and which one the training args or the classes tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from videomae.errors import ConversionError, suggestion

ON_HUB = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class Protocol(NamedTuple):
    """How the authors test: the views of a video, and which of its frames one is made of.

    ``every`` is the distance of those frames, or None where they span the whole video.
    """

    clips: int
    crops: int
    frames: str
    every: int | None = None


DENSE = Protocol(5, 3, "every fourth frame of a section of the video", every=4)
SPARSE = Protocol(2, 3, "one from each of as many equal parts of the video")


class Known(NamedTuple):
    """A data set: title, classes, the list in data/labels/ and how the authors test, if known."""

    title: str
    classes: int
    labels: str | None = None
    protocol: Protocol | None = None


# By what the authors' option data_set may say. Classes: what they hold the network to then (MCG-NJU
# VideoMAE's datasets.py, OpenGVLab VideoMAEv2's dataset/build.py). Protocols: of the accuracies in
# both projects' MODEL_ZOO.md, for the data sets that config.yaml has any of.
DATA_SETS = {
    "Kinetics-400": Known("Kinetics-400", 400, "kinetics400", DENSE),
    "Kinetics-600": Known("Kinetics-600", 600),
    "Kinetics-700": Known("Kinetics-700", 700),
    "Kinetics-710": Known("Kinetics-710", 710, "k710", DENSE),
    "SSV2": Known("Something-Something V2", 174, "ssv2", SPARSE),
    "UCF101": Known("UCF101", 101, "ucf101", DENSE),
    "HMDB51": Known("HMDB51", 51),
    "Diving48": Known("Diving48", 48),
    "MIT": Known("Moments in Time", 339),
}

TITLED = {known.title: known for known in DATA_SETS.values()}


@dataclass(frozen=True)
class DataSet:
    """What a classifier was trained on, and the shipped list that fits, if one does."""

    name: str
    why: str
    labels: str | None = None
    guessed: bool = False


def data_set(args: Mapping[str, Any], classes: int | None) -> DataSet | None:
    """Tell the data set by the training args, else by the number of classes; never against it."""
    name = args.get("data_set")
    if isinstance(name, str):
        known = DATA_SETS.get(name)
        if known is None or classes in (None, known.classes):
            return DataSet(name, "args.data_set", known.labels if known and classes else None)
        has = f"{known.classes} classes and the head {classes}"
        return DataSet(name, f"args.data_set, but that has {has}, so no labels")
    fitting = [
        (name, known.labels)
        for name, known in DATA_SETS.items()
        if known.labels and known.classes == classes
    ]
    if len(fitting) != 1:
        return None
    return DataSet(fitting[0][0], f"a guess, by the {classes} classes", fitting[0][1], guessed=True)


def trained_on(args: Mapping[str, Any], classes: int | None) -> str | None:
    """Give the title of the data set that the training args name, if its classes are the head's."""
    name = args.get("data_set")
    known = DATA_SETS.get(name) if isinstance(name, str) else None
    return known.title if known and known.classes == classes else None


def identifier(name: str) -> str:
    """Give what a card's metadata calls a data set: its title in the hub's spelling, or its id.

    The authors name no copy on the hub, so neither does a title. Raises `ConversionError` for what
    is neither a title in the table nor OWNER/NAME.
    """
    if name in TITLED:
        return name.lower().replace(" ", "-")
    if ON_HUB.fullmatch(name):
        return name
    raise ConversionError(
        f"{name!r} is no data set that is known here{suggestion(name, TITLED)}, nor OWNER/NAME on "
        f"the hub; known are {', '.join(TITLED)}"
    )


def refuse_other_classes(name: str, classes: int | None, of: str = "this network") -> None:
    """Raise `ConversionError` if an accuracy on a data set can't be that of a network.

    ``classes`` is how many its head tells apart, or None without a head. Of data sets that are not
    known here nothing is refused.
    """
    has = f"tells apart {classes} classes" if classes else "has no head"
    known = TITLED.get(name)
    if known and known.classes != classes:
        raise ConversionError(
            f"published: an accuracy on {name}, which has {known.classes} classes, can't be that "
            f"of {of}, which {has}; correct `published`, or leave it out"
        )


def protocol(name: str) -> Protocol | None:
    """Give how the authors test on a data set, where that is known."""
    return TITLED[name].protocol if name in TITLED else None
