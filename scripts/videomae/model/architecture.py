"""Describes a network: its kind, its VideoMAEConfig values, and the shapes of its tensors.

No tensor shows the number of attention heads: shapes match for any divisor of the hidden size, and
a wrong number silently gives wrong logits.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from videomae.model import networks, pixels
from videomae.model.networks import NETWORKS
from videomae.model.pixels import Pixels

Kind = Literal["classifier", "pretraining", "encoder"]
Shape = Sequence[int]

LAYER_NORM_EPS = networks.LAYER_NORM_EPS

# Largest number of tokens that can be verified; the authors' networks have up to 2,048.
MOST_TOKENS = 20_000

# The sizes of a clip, and the sizes that divide them into tokens.
CUT = (("image_size", "patch_size"), ("num_frames", "tubelet_size"))

# The position table of the pre-training model's decoder, under the names it is saved by.
DECODER_POSITIONS = ("pos_embed", "decoder.pos_embed")

# Tensors that distinguish the kinds; a pre-training model has all of the decoder's.
PROJECTION = "patch_embed.proj.weight"
DECODER = ("encoder_to_decoder.weight", "mask_token", "decoder.head.weight")

# Values that users may give, and their types; no tensor shows the first five. The last three are
# the image processor's, all others VideoMAEConfig's.
GIVABLE: dict[str, type] = {
    "num_attention_heads": int,
    "decoder_num_attention_heads": int,
    "num_frames": int,
    "image_size": int,
    "norm_pix_loss": bool,
    "hidden_size": int,
    "num_hidden_layers": int,
    "intermediate_size": int,
    "patch_size": int,
    "tubelet_size": int,
    "num_channels": int,
    "use_mean_pooling": bool,
    "decoder_hidden_size": int,
    "decoder_num_hidden_layers": int,
    "decoder_intermediate_size": int,
    "layer_norm_eps": float,
    "image_mean": list,
    "image_std": list,
    "do_rescale": bool,
}


@dataclass(frozen=True)
class Architecture:
    """The network of a checkpoint.

    ``config`` holds VideoMAEConfig values and `pixels.NAMES`, ``origin`` the source of each. A
    classifier of 0 ``num_labels`` has no head: its outputs are what a head would read. ``prefixed``
    means an encoder without decoder whose tensors still have their pre-training names.
    ``unsettled`` names values that the tensors allow but nothing confirms. ``strange`` gives
    reasons why the network comes from another project and transformers' VideoMAE can't compute it.
    """

    kind: Kind
    config: dict[str, Any]
    origin: dict[str, str]
    num_labels: int | None = None
    prefixed: bool = False
    unsettled: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()

    def describe(self) -> Iterator[str]:
        """Yield one line for each value: its name, the value and its source."""
        yield f"kind: {self.kind}"
        for name, value in self.config.items():
            yield f"{name}: {value} ({self.origin[name]})"
        if self.num_labels is not None:
            where = "tensor head.weight" if self.num_labels else "no head: its outputs are features"
            yield f"classes: {self.num_labels} ({where})"

    @property
    def layer_norm_eps(self) -> float:
        """The eps of the layer norms: the authors', unless something says another."""
        return float(self.config.get("layer_norm_eps", LAYER_NORM_EPS))

    @property
    def pixels(self) -> Pixels:
        """How pixels are normalised: as the authors do, unless something says otherwise."""
        return pixels.of(self.config)

    @property
    def prefix(self) -> str:
        """The prefix of the encoder's tensor names in the checkpoint."""
        return "encoder." if self.kind == "pretraining" or self.prefixed else ""


def tensor_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by the authors' names, in their order."""
    config, encoder = architecture.config, architecture.prefix
    hidden, tubelet, patch = (
        config[name] for name in ("hidden_size", "tubelet_size", "patch_size")
    )
    kernel = (config["num_channels"], tubelet, patch, patch)
    shapes: dict[str, tuple[int, ...]] = {}
    if architecture.kind == "pretraining":
        shapes["mask_token"] = (1, 1, config["decoder_hidden_size"])
    shapes |= {
        f"{encoder}patch_embed.proj.weight": (hidden, *kernel),
        f"{encoder}patch_embed.proj.bias": (hidden,),
        **_block_shapes(f"{encoder}blocks.", config, ""),
    }
    if architecture.kind == "encoder":
        return shapes if config["use_mean_pooling"] else shapes | _norm(f"{encoder}norm", hidden)
    if architecture.kind == "classifier":
        norm = "fc_norm" if config["use_mean_pooling"] else "norm"
        classes = architecture.num_labels or 0
        head = _linear("head", hidden, classes) if classes else {}
        return shapes | _norm(norm, hidden) | head
    decoder = config["decoder_hidden_size"]
    return (
        shapes
        | _norm("encoder.norm", hidden)
        | _block_shapes("decoder.blocks.", config, "decoder_")
        | _norm("decoder.norm", decoder)
        | _linear("decoder.head", decoder, math.prod(kernel))
        | {"encoder_to_decoder.weight": (decoder, hidden)}
    )


def tokens(config: Mapping[str, Any]) -> int:
    """Return the number of tokens of a clip: patches of a frame times tubelets."""
    patches = (config["image_size"] // config["patch_size"]) ** 2
    return int(patches * (config["num_frames"] // config["tubelet_size"]))


def factory(architecture: Architecture) -> str | None:
    """Return the name of the authors' factory (their option ``model``) that builds this network.

    None if no factory does. Other options set the number of frames and the decoder's depth.
    """
    config = architecture.config
    start = networks.PRETRAINED if architecture.kind == "pretraining" else networks.TUNED
    for size, network in NETWORKS.items():
        built = vars(network) | {
            "qv_bias": True,
            "decoder_intermediate_size": 4 * network.decoder_hidden_size,
        }
        fixed = built.keys() & config.keys() - {"num_frames", "decoder_num_hidden_layers"}
        if all(config[name] == built[name] for name in fixed):
            return f"{start}_{size}_patch{network.patch_size}_{network.image_size}"
    return None


def _block_shapes(prefix: str, config: Mapping[str, Any], part: str) -> dict[str, tuple[int, ...]]:
    width, mlp = config[f"{part}hidden_size"], config[f"{part}intermediate_size"]
    biases = ("q_bias", "v_bias") if config["qv_bias"] else ()
    block = (
        _norm("norm1", width)
        | {f"attn.{bias}": (width,) for bias in biases}
        | {"attn.qkv.weight": (3 * width, width)}
        | _linear("attn.proj", width, width)
        | _norm("norm2", width)
        | _linear("mlp.fc1", width, mlp)
        | _linear("mlp.fc2", mlp, width)
    )
    layers = range(config[f"{part}num_hidden_layers"])
    return {f"{prefix}{layer}.{name}": block[name] for layer in layers for name in block}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
