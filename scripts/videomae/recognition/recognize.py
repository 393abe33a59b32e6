"""Which network is it?  Tensor shapes, training args and the authors' table to VideoMAEConfig.

A value is looked for in this order, and where it was found is kept beside it: the tensors
themselves, the training ``args`` inside the checkpoint, the table of the authors' networks. What a
person gives must agree with what is found. The number of attention heads is in no tensor: shapes
match for any divisor of the hidden size, and a wrong one gives wrong logits without a word.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from videomae.errors import ConversionError, listing
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
    """Read the network from a state dict's shapes, its training args and what a person gives.

    Raises `ConversionError` where a value is found nowhere, where two places contradict each
    other, where the tensors are not a VideoMAE at all, and where options say that the network
    computes something else.
    """
    architecture = find(shapes, args, given)
    if architecture.strange:
        raise ConversionError("; ".join(architecture.strange))
    require(architecture.config, architecture.kind, architecture.unsettled)
    return architecture


def find(
    shapes: Mapping[str, Shape], args: Mapping[str, Any], given: Mapping[str, Any]
) -> Architecture:
    """Read what there is of the network, as `read_architecture` does, which may not be all."""
    kind = _kind(shapes)
    prefixed = kind == "encoder" and PROJECTION not in shapes
    prefix = "encoder." if kind == "pretraining" or prefixed else ""
    found = _Findings()
    tensors = {name: (value, where) for name, value, where in _from_tensors(shapes, kind, prefix)}
    # Without fc_norm a classifier may pool or not; that it does not is left to be confirmed.
    pooled, where = tensors["use_mean_pooling"]
    if doubtful := kind == "classifier" and not pooled:
        del tensors["use_mean_pooling"]
    for name, (value, tensor) in tensors.items():
        found.add(name, value, f"tensor {tensor}")
    for name, value, origin in _from_options(args, kind, found.config):
        found.add(name, value, origin)
    for name, value in given.items():
        found.add(name, value, "given")
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
    """Read the training options: each for itself, then the factory that one of them names."""
    yield from training_options.values(args, kind)
    if made := training_options.factory(args, kind, config):
        yield from training_options.of_factory(made, args, config.get("decoder_hidden_size"))


class _Findings:
    """Values with where they were found; a second, different value is an error."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.origin: dict[str, str] = {}

    def add(self, name: str, value: Any, origin: str) -> None:
        if name not in self.config:
            self.config[name], self.origin[name] = value, origin
        elif self.config[name] != value:
            hint = related_projects.hint(name, self.origin[name], origin)
            raise ConversionError(
                f"{name} is contradictory: {self.config[name]} ({self.origin[name]}) "
                f"but {value} ({origin}); correct the one that is wrong{hint}"
            )


def _kind(shapes: Mapping[str, Shape]) -> Kind:
    """Tell the kind; a part of a decoder is refused, since the rest would be random."""
    decoder = [name for name in shapes if name in DECODER or name.startswith("decoder.")]
    if decoder:
        if missing := [name for name in DECODER if name not in shapes]:
            raise ConversionError(
                f"the decoder is not whole: {', '.join(missing)} missing, while the file has "
                f"{listing(decoder)}. Without those the encoder alone could be converted"
            )
        return "pretraining"
    # VideoMAE V2's repositories on the hub have fc_norm and no head, for features.
    headless = "fc_norm.weight" in shapes and not any(name.startswith("head.") for name in shapes)
    if PROJECTION in shapes and ("head.weight" in shapes or headless):
        return "classifier"
    if {PROJECTION, f"encoder.{PROJECTION}"} & shapes.keys():
        return "encoder"
    raise ConversionError(
        f"the tensors are neither a VideoMAE classifier ({PROJECTION} and head.weight) "
        f"nor a pre-training model ({', '.join(DECODER)}) nor an encoder alone "
        f"({PROJECTION}, or encoder.{PROJECTION}); "
        f"they begin with {', '.join(list(shapes)[:4])}"
    )


def _from_tensors(
    shapes: Mapping[str, Shape], kind: Kind, prefix: str
) -> Iterator[tuple[str, Any, str]]:
    projection = f"{prefix}{PROJECTION}"
    shape = _shape(shapes, projection, 5)
    if shape[3] != shape[4]:
        raise ConversionError(f"{projection} has patches of {shape[3]}x{shape[4]}: not square")
    for name, size in zip(
        ("hidden_size", "num_channels", "tubelet_size", "patch_size"), shape, strict=False
    ):
        yield name, size, projection
    yield from _blocks(shapes, prefix, "")
    final = prefix + ("fc_norm.weight" if kind == "classifier" else "norm.weight")
    # Of an encoder alone it says whether VideoMAEModel ends without the norm.
    pooled = {"classifier": final in shapes, "pretraining": False, "encoder": final not in shapes}
    yield "use_mean_pooling", pooled[kind], final
    yield "qv_bias", *_has_bias(shapes, prefix)
    if kind == "pretraining":
        name = "encoder_to_decoder.weight"
        yield "decoder_hidden_size", _shape(shapes, name, 2)[0], name
        yield from _blocks(shapes, "decoder.", "decoder_")


def _blocks(shapes: Mapping[str, Shape], prefix: str, name: str) -> Iterator[tuple[str, int, str]]:
    """Find the number of transformer blocks under a prefix and the width of their MLP."""
    pattern = re.compile(re.escape(prefix) + r"blocks\.(\d+)\.")
    layers = {int(match[1]) for match in map(pattern.match, shapes) if match}
    if layers != set(range(len(layers))) or not layers:
        raise ConversionError(f"{prefix}blocks are not numbered 0, 1, 2 …: {sorted(layers)}")
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
        raise ConversionError(f"tensor {name} {held}; one of {dimensions} dimensions is needed")
    return shape


def _from_table(config: Mapping[str, Any], kind: Kind) -> Iterator[tuple[str, Any, str]]:
    """Look the network up among the authors' by its widths and depth."""
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
    """Name the values that must be known of such a network and are in no tensor, nor in here."""
    needed = ["num_attention_heads", "num_frames", "image_size"]
    if kind == "pretraining":
        needed.append("decoder_num_attention_heads")
    return [name for name in needed if name not in config] + list(unsettled)


def require(config: Mapping[str, Any], kind: Kind, unsettled: Sequence[str] = ()) -> None:
    """Refuse a network that is not known to the last value, or that can't be built."""
    if config["num_channels"] != 3:
        raise ConversionError(
            f"num_channels is {config['num_channels']}; only RGB (3) can be converted, since the "
            "image processor's mean and standard deviation have three values, and so have those "
            "that the loss of pre-training is computed with"
        )
    if unknown := missing(config, kind):
        raise ConversionError(
            f"{', '.join(unknown)} can't be read from this checkpoint: no tensor tells, its "
            f"training args do not say, and its network ({config['hidden_size']} wide, "
            f"{config['num_hidden_layers']} layers) is none of the authors'. Give what it was "
            f"trained with (config.yaml: config, or --config NAME=VALUE)"
            + "".join(f". Also: {related_projects.DOUBTFUL[name]}" for name in unsettled)
        )
    if unsettled:
        raise ConversionError("; ".join(related_projects.DOUBTFUL[name] for name in unsettled))
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
            f"of {tokens:,} tokens; above {MOST_TOKENS:,} nothing can be verified"
        )
