"""Lists the assumptions about a network that no tensor shows, and what confirms each of them.

Two networks can have the same tensors and compute different outputs. Verification compares with
the network that is described here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from videomae.checkpoint.training_args import named
from videomae.model.architecture import DECODER_POSITIONS, Architecture
from videomae.model.networks import factory_of
from videomae.recognition import training_scripts

NOTHING = "nothing in the file"
OPTIONS = "the authors' training options"
GIVEN = "given"

# Common to all networks of the authors (modeling_finetune.py, modeling_pretrain.py).
ATTENTION = "softmax of products, scaled by 1 over the root of a head's width"
ACTIVATION = "GELU, exact"
SINUSOIDS = "fixed sinusoids by the token's number"
POOLING = {True: "mean of all tokens", False: "first token"}


def assumed(
    architecture: Architecture, args: Mapping[str, Any], names: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the assumptions: for each ``what``, its ``value`` and the ``origin`` of the value.

    ``names`` are the tensors'. An origin is `OPTIONS`, `GIVEN`, `NOTHING`, "the authors' SIZE
    network", or an option (``args.NAME``) in a file of another script.
    """
    rows = _rows(architecture, args, set(names))
    return [{"what": what, "value": value, "origin": origin} for what, value, origin in rows]


def lines(assumptions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one line for each assumption."""
    for row in assumptions:
        yield f"assumed: {row['what']}: {row['value']} ({row['origin']})"


def _rows(
    architecture: Architecture, args: Mapping[str, Any], names: set[str]
) -> Iterator[tuple[str, Any, str]]:
    kind, config = architecture.kind, architecture.config
    theirs = OPTIONS if training_scripts.recognised(args, kind) else NOTHING

    def by_option(name: str) -> str:
        said = args.get(name) is not None
        return named(args, name) if said and theirs == NOTHING else theirs

    if f"{architecture.prefix}pos_embed" not in names:  # a stored table is compared instead
        yield "positions", SINUSOIDS, theirs
    if kind == "pretraining" and not names.intersection(DECODER_POSITIONS):
        yield "positions of the decoder", SINUSOIDS, theirs
    yield "tokens", "all that the mask leaves" if kind == "pretraining" else "all", theirs
    if kind == "classifier":
        given = architecture.origin["use_mean_pooling"] == GIVEN
        origin = GIVEN if given else by_option("use_mean_pooling")
        yield "pooling", POOLING[config["use_mean_pooling"]], origin
    yield "attention", ATTENTION, theirs
    yield "activation", ACTIVATION, theirs
    origin = architecture.origin.get("layer_norm_eps", theirs)
    yield "LayerNorm eps", architecture.layer_norm_eps, origin
    for name in ("num_attention_heads", "decoder_num_attention_heads"):
        if name in config and (kind == "pretraining" or not name.startswith("decoder_")):
            yield name, config[name], _of_heads(architecture.origin[name])
    origin = architecture.origin.get("image_mean") or by_option("imagenet_default_mean_and_std")
    yield "pixels normalised by", str(architecture.pixels), origin


def _of_heads(origin: str) -> str:
    """Return the origin of a head count; for a factory's name the size of its network."""
    made = factory_of(origin.removeprefix("args.model "))
    return f"the authors' {made.size} network" if made else origin
