"""The data sets, and how to tell which one a checkpoint was trained on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from videomae.errors import ConversionError, suggestion

ON_HUB = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class Protocol(NamedTuple):
    """How the authors test: the number of views of a video, and the frames of each view.

    ``every`` is the gap between those frames, or None if they span the whole video.
    """

    clips: int
    crops: int
    frames: str
    every: int | None = None


DENSE = Protocol(5, 3, "every fourth frame of a section of the video", every=4)
SPARSE = Protocol(2, 3, "one from each of as many equal parts of the video")


class Known(NamedTuple):
    """A data set: title, number of classes, shipped list of labels and test protocol, if known."""

    title: str
    classes: int
    labels: str | None = None
    protocol: Protocol | None = None


# Keys: values of the authors' option data_set. Classes: from MCG-NJU VideoMAE's datasets.py and
# OpenGVLab VideoMAEv2's dataset/build.py. Protocols: those of the accuracies in both projects'
# MODEL_ZOO.md, for the data sets in config.yaml.
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
    """The data set that a classifier was trained on, and the shipped list of labels that fits."""

    name: str
    why: str
    labels: str | None = None
    guessed: bool = False


def data_set(args: Mapping[str, Any], classes: int | None) -> DataSet | None:
    """Return the data set by the training args, else by the number of classes; None if unknown."""
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
    """Return the title of the data set in the training args, if its classes match the head's."""
    name = args.get("data_set")
    known = DATA_SETS.get(name) if isinstance(name, str) else None
    return known.title if known and known.classes == classes else None


def identifier(name: str) -> str:
    """Return a data set's name for a card's metadata: its title in the hub's spelling, or its id.

    Raises `ConversionError` if the name is neither a title in the table nor OWNER/NAME.
    """
    if name in TITLED:
        return name.lower().replace(" ", "-")
    if ON_HUB.fullmatch(name):
        return name
    raise ConversionError(
        f"{name!r} is neither a known data set{suggestion(name, TITLED)} nor OWNER/NAME on the "
        f"hub; known data sets are {', '.join(TITLED)}"
    )


def refuse_other_classes(name: str, classes: int | None, of: str = "this network") -> None:
    """Raise `ConversionError` if a network with these classes has no accuracy on a data set.

    ``classes`` is None for a network without a head. Any number passes for unknown data sets.
    """
    has = f"has {classes} classes" if classes else "has no head"
    known = TITLED.get(name)
    if known and known.classes != classes:
        raise ConversionError(
            f"published: {name} has {known.classes} classes, but {of} {has}, so the accuracy can't "
            "be its own; correct `published`, or leave it out"
        )


def protocol(name: str) -> Protocol | None:
    """Return how the authors test on a data set; None if unknown."""
    return TITLED[name].protocol if name in TITLED else None
