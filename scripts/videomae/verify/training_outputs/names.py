"""The allowed arrays in an .npz file of outputs, by the authors' module names."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from videomae.errors import ConversionError, listing, suggestion
from videomae.model.architecture import Architecture, tokens
from videomae.verify.reference import EMBEDDED, FEATURES, LOGITS, POSITIONS

STEPS = "steps/"  # may stand before the name of a step

# What a network of each kind gives, of which a file has one or more.
OUTPUTS = {
    "classifier": ("logits", "features"),
    "pretraining": ("logits",),
    "encoder": ("tokens",),
}


@dataclass(frozen=True)
class Place:
    """Where an array belongs: the reference's step, and its shape without the clips."""

    step: str
    shape: tuple[int, ...]


def places(architecture: Architecture, hidden: int) -> dict[str, Place]:
    """Return every array that may be in a file, by name, in the order of computing.

    ``hidden`` is how many tokens of a clip the mask hides.
    """
    config = architecture.config
    number, width, last = tokens(config), config["hidden_size"], config["num_hidden_layers"] - 1
    visible, pretraining = number - hidden, architecture.kind == "pretraining"
    start = "encoder." if pretraining else ""
    found = {
        f"{start}patch_embed": Place(EMBEDDED, (number, width)),
        f"{start}pos_embed": Place(POSITIONS, (number, width)),
        f"{start}pos_drop": Place("patch embedding with positions", (visible, width)),
    }
    for layer in range(last + 1):
        place = Place(f"encoder layer {layer}, output", (visible, width))
        found[f"{start}blocks.{layer}"] = place
    if architecture.kind == "classifier":
        features = Place(FEATURES, (width,))
        pooled = {"norm": place, "fc_norm": features} if config["use_mean_pooling"] else {}
        found |= pooled | {"features": features}
        if not architecture.num_labels:
            return found
        logits = Place(LOGITS, (architecture.num_labels,))
        return found | {"head": logits, "logits": logits}
    if architecture.kind == "encoder":
        output = Place(LOGITS, (visible, width))
        return found | {"norm": output, "tokens": output}
    narrow = config["decoder_hidden_size"]
    found["encoder.norm"] = Place("encoder norm", (visible, width))
    found["encoder_to_decoder"] = Place("encoder_to_decoder", (visible, narrow))
    for layer in range(config["decoder_num_hidden_layers"]):
        place = Place(f"decoder layer {layer}, output", (number, narrow))
        found[f"decoder.blocks.{layer}"] = place
    kernel = ("num_channels", "tubelet_size", "patch_size", "patch_size")
    logits = Place(LOGITS, (hidden, math.prod(config[name] for name in kernel)))
    found["decoder.norm"] = Place(FEATURES, (hidden, narrow))
    return found | {"decoder.head": logits, "logits": logits}


def known_names(found: Iterable[str], architecture: Architecture) -> dict[str, str]:
    """Return what each array is called in the file, by the name that it is known by here."""
    known = ["pixels", "mask", *places(architecture, 1)]
    if architecture.kind == "classifier":
        known.remove("mask")
    names: dict[str, str] = {}
    for name in found:
        plain = name.removeprefix(STEPS)
        if architecture.kind == "encoder":  # whose names may still be those of pre-training
            plain = plain.removeprefix("encoder.")
        if plain not in known:
            raise ConversionError(
                f"{name!r} is not an array of a network of kind {architecture.kind}"
                f"{suggestion(plain, known)}; allowed are {listing(known, most=40)}"
            )
        if plain in names:
            raise ConversionError(f"{plain} appears twice, as {names[plain]} and as {name}")
        names[plain] = name
    return names
