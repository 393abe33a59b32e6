"""Derives VideoMAEConfig values from tensor shapes, training args and the authors' networks.

Values come from the tensors, then from the training ``args`` in the checkpoint, then from the table
of the authors' networks; the origin of each is stored with it. Values that the user gives must
agree with those found. No tensor shows the number of attention heads: shapes match for any divisor
of the hidden size, and a wrong number silently gives wrong logits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from videomae.errors import ConversionError, listing
from videomae.model import pixels
from videomae.model.architecture import (
    CUT,
    DECODER,
    MOST_TOKENS,
    PROJECTION,
    Architecture,
    Kind,
    Shape,
)
from videomae.model.networks import NETWORKS, Network
from videomae.recognition import related_projects, training_options


def read_architecture(
    shapes: Mapping[str, Shape], args: Mapping[str, Any], given: Mapping[str, Any]
) -> Architecture:
    """Return the network by a state dict's shapes, its training args and the user's values.

    Raises `ConversionError` if a value is unknown, if two sources contradict each other, if the
    tensors are no VideoMAE, and if options show that the network computes something else.
    """
    architecture = find(shapes, args, given)
    if architecture.strange:
        raise ConversionError("; ".join(architecture.strange))
    require(architecture.config, architecture.kind, architecture.unsettled)
    return architecture


def find(
    shapes: Mapping[str, Shape], args: Mapping[str, Any], given: Mapping[str, Any]
) -> Architecture:
    """Return the network as `read_architecture` does, but allow unknown values."""
    kind = _kind(shapes)
    prefixed = kind == "encoder" and PROJECTION not in shapes
    prefix = "encoder." if kind == "pretraining" or prefixed else ""
    found = _Findings()
    tensors = {name: (value, where) for name, value, where in _from_tensors(shapes, kind, prefix)}
    # A classifier without fc_norm may pool or not; something else must confirm that it doesn't.
    pooled, where = tensors["use_mean_pooling"]
    if doubtful := kind == "classifier" and not pooled:
        del tensors["use_mean_pooling"]
    for name, (value, tensor) in tensors.items():
        found.add(name, value, f"tensor {tensor}")
    for name, value, origin in _from_options(args, kind, found.config):
        found.add(name, value, origin)
    for name, value in given.items():
        found.add(name, value, "given")
    if "image_mean" not in found.config and related_projects.is_detector(args, kind):
        for name, value in related_projects.DETECTOR_PIXELS.items():
            found.add(name, value, related_projects.DETECTOR_SOURCE)
    unsettled = ("use_mean_pooling",) if doubtful and "use_mean_pooling" not in found.config else ()
    if doubtful:
        found.add("use_mean_pooling", False, f"tensor {where}")
    for name, value, origin in _from_table(found.config, kind):
        found.add(name, value, origin)
    labels = shapes.get("head.weight", (0,))[0] if kind == "classifier" else None
    training_options.check(args, found.config, labels)
    strange = tuple(related_projects.reasons(args, kind, found.config, shapes))
    return Architecture(kind, found.config, found.origin, labels, prefixed, unsettled, strange)


def _from_options(
    args: Mapping[str, Any], kind: Kind, config: dict[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    """Yield the values in the training options, then those of the factory that they name."""
    yield from training_options.values(args, kind)
    if made := training_options.factory(args, kind, config):
        yield from training_options.of_factory(made, args, config.get("decoder_hidden_size"))


class _Findings:
    """Values and their origins; a second, different value raises `ConversionError`."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.origin: dict[str, str] = {}

    def add(self, name: str, value: Any, origin: str) -> None:
        if name not in self.config:
            self.config[name], self.origin[name] = value, origin
        elif self.config[name] != value:
            hint = related_projects.hint(name, self.origin[name], origin)
            raise ConversionError(
                f"{name} has two values: {self.config[name]} ({self.origin[name]}) and "
                f"{value} ({origin}); correct the wrong one{hint}"
            )


def _kind(shapes: Mapping[str, Shape]) -> Kind:
    """Return the kind of network; raise `ConversionError` for an incomplete decoder."""
    decoder = [name for name in shapes if name in DECODER or name.startswith("decoder.")]
    if decoder:
        if missing := [name for name in DECODER if name not in shapes]:
            raise ConversionError(
                f"the decoder is incomplete: {', '.join(missing)} missing, but the file has "
                f"{listing(decoder)}; save the file without these to convert the encoder alone"
            )
        return "pretraining"
    # VideoMAE V2's repositories on the hub have fc_norm and no head, for features.
    headless = "fc_norm.weight" in shapes and not any(name.startswith("head.") for name in shapes)
    if PROJECTION in shapes and ("head.weight" in shapes or headless):
        return "classifier"
    if {PROJECTION, f"encoder.{PROJECTION}"} & shapes.keys():
        return "encoder"
    raise ConversionError(
        f"the tensors are not a VideoMAE: neither a classifier ({PROJECTION} and head.weight) "
        f"nor a pre-training model ({', '.join(DECODER)}) nor an encoder alone "
        f"({PROJECTION}, or encoder.{PROJECTION}); "
        f"the first ones are {', '.join(list(shapes)[:4])}"
    )


def _from_tensors(
    shapes: Mapping[str, Shape], kind: Kind, prefix: str
) -> Iterator[tuple[str, Any, str]]:
    projection = f"{prefix}{PROJECTION}"
    shape = _shape(shapes, projection, 5)
    if shape[3] != shape[4]:
        raise ConversionError(f"{projection} has patches of {shape[3]}x{shape[4]}, not squares")
    for name, size in zip(
        ("hidden_size", "num_channels", "tubelet_size", "patch_size"), shape, strict=False
    ):
        yield name, size, projection
    yield from _blocks(shapes, prefix, "")
    final = prefix + ("fc_norm.weight" if kind == "classifier" else "norm.weight")
    # For an encoder alone, use_mean_pooling means that VideoMAEModel has no final norm.
    pooled = {"classifier": final in shapes, "pretraining": False, "encoder": final not in shapes}
    yield "use_mean_pooling", pooled[kind], final
    yield "qv_bias", *_has_bias(shapes, prefix)
    if kind == "pretraining":
        name = "encoder_to_decoder.weight"
        yield "decoder_hidden_size", _shape(shapes, name, 2)[0], name
        yield from _blocks(shapes, "decoder.", "decoder_")


def _blocks(shapes: Mapping[str, Shape], prefix: str, name: str) -> Iterator[tuple[str, int, str]]:
    """Yield the number of transformer blocks under a prefix and the width of their MLP."""
    pattern = re.compile(re.escape(prefix) + r"blocks\.(\d+)\.")
    layers = {int(match[1]) for match in map(pattern.match, shapes) if match}
    if layers != set(range(len(layers))) or not layers:
        raise ConversionError(f"{prefix}blocks must be numbered 0, 1, 2 …, not {sorted(layers)}")
    yield f"{name}num_hidden_layers", len(layers), f"{prefix}blocks.*"
    mlp = f"{prefix}blocks.0.mlp.fc1.weight"
    yield f"{name}intermediate_size", _shape(shapes, mlp, 2)[0], mlp


def _has_bias(shapes: Mapping[str, Shape], prefix: str) -> tuple[bool, str]:
    name = f"{prefix}blocks.0.attn.q_bias"
    return name in shapes, name


def _shape(shapes: Mapping[str, Shape], name: str, dimensions: int) -> Shape:
    shape = shapes.get(name, ())
    if len(shape) != dimensions:
        held = f"has shape {list(shape)}" if name in shapes else "is missing"
        raise ConversionError(f"tensor {name} {held}; it must have {dimensions} dimensions")
    return shape


def _from_table(config: Mapping[str, Any], kind: Kind) -> Iterator[tuple[str, Any, str]]:
    """Yield the values of the authors' network with the same widths and depth."""
    for name, network in NETWORKS.items():
        measured = ("hidden_size", "num_hidden_layers", "intermediate_size", "patch_size")
        if all(config[value] == getattr(network, value) for value in measured):
            origin = f"the authors' {name} network"
            yield from _heads(network, kind, origin, config.get("decoder_hidden_size"))
            for value in ("num_frames", "image_size"):
                if value not in config:
                    yield value, getattr(network, value), f"{origin}'s default"
    if kind == "pretraining" and "norm_pix_loss" not in config:
        yield "norm_pix_loss", True, "the authors' default"


def _heads(
    network: Network, kind: Kind, origin: str, decoder_hidden_size: int | None = None
) -> Iterator[tuple[str, int, str]]:
    yield "num_attention_heads", network.num_attention_heads, origin
    if kind == "pretraining" and decoder_hidden_size in (None, network.decoder_hidden_size):
        yield "decoder_num_attention_heads", network.decoder_num_attention_heads, origin


def missing(config: Mapping[str, Any], kind: Kind, unsettled: Sequence[str] = ()) -> list[str]:
    """Return the names of the necessary values that are unknown or unsettled."""
    needed = ["num_attention_heads", "num_frames", "image_size"]
    if kind == "pretraining":
        needed.append("decoder_num_attention_heads")
    return [name for name in needed if name not in config] + list(unsettled)


def require(config: Mapping[str, Any], kind: Kind, unsettled: Sequence[str] = ()) -> None:
    """Raise `ConversionError` for a network with unknown values, or one that can't be built."""
    if config["num_channels"] != 3:
        raise ConversionError(
            f"num_channels is {config['num_channels']}, but only 3 (RGB) can be converted: the "
            "image processor and the loss of pre-training use a mean and a standard deviation of "
            "three values"
        )
    if unknown := missing(config, kind):
        raise ConversionError(
            f"{', '.join(unknown)} can't be read from this checkpoint: neither its tensors nor "
            f"its training args show it, and its network ({config['hidden_size']} wide, "
            f"{config['num_hidden_layers']} layers) is not one of the authors'. Give the value "
            f"from training (config.yaml: config, or --config NAME=VALUE)"
            + "".join(f". Also: {related_projects.DOUBTFUL[name]}" for name in unsettled)
        )
    if unsettled:
        raise ConversionError("; ".join(related_projects.DOUBTFUL[name] for name in unsettled))
    pixels.check(config, kind)
    for part in ("", "decoder_") if kind == "pretraining" else ("",):
        width, heads = config[f"{part}hidden_size"], config[f"{part}num_attention_heads"]
        if heads < 1 or width % heads:
            raise ConversionError(
                f"{part}num_attention_heads is {heads}, which does not divide "
                f"{part}hidden_size {width}"
            )
    for value, unit in CUT:
        if config[value] < 1 or config[value] % config[unit]:
            raise ConversionError(
                f"{value} is {config[value]}, not a multiple of {unit} {config[unit]}"
            )
    side, tubelets = (config[a] // config[b] for a, b in CUT)
    if (tokens := tubelets * side**2) > MOST_TOKENS:
        raise ConversionError(
            f"num_frames {config['num_frames']} and image_size {config['image_size']} make a clip "
            f"of {tokens:,} tokens; at most {MOST_TOKENS:,} can be verified"
        )
