"""What was it trained on?  The data set by the training args, or by the number of classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What the authors' option data_set may say: how many classes they hold the network to then (MCG-NJU
# VideoMAE's datasets.py, OpenGVLab VideoMAEv2's dataset/build.py), and the list in data/labels/.
DATA_SETS: dict[str, tuple[int, str | None]] = {
    "Kinetics-400": (400, "kinetics400"),
    "Kinetics-600": (600, None),
    "Kinetics-700": (700, None),
    "Kinetics-710": (710, "k710"),
    "SSV2": (174, "ssv2"),
    "UCF101": (101, "ucf101"),
    "HMDB51": (51, None),
    "Diving48": (48, None),
    "MIT": (339, None),
}


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
        count, labels = DATA_SETS.get(name, (None, None))
        if None in (count, classes) or count == classes:
            return DataSet(name, "args.data_set", labels if classes else None)
        why = f"args.data_set, but that has {count} classes and the head {classes}, so no labels"
        return DataSet(name, why)
    fitting = [(name, labels) for name, (n, labels) in DATA_SETS.items() if labels and n == classes]
    if len(fitting) != 1:
        return None
    return DataSet(fitting[0][0], f"a guess, by the {classes} classes", fitting[0][1], guessed=True)
