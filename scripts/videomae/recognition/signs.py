"""Functions that judge one training option, for `related_projects`.

Each takes the file and the option's name, and returns whether the option shows a network that
transformers' VideoMAE can't compute.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from videomae.checkpoint.training_args import named
from videomae.checkpoint.unpickler import Shadow
from videomae.recognition.training_options import boolean, integer, shown

CLASSIFIER, ENCODER, PRETRAINING = "classifier", "encoder", "pretraining"
FINETUNED = (CLASSIFIER, ENCODER)
ANY = (CLASSIFIER, ENCODER, PRETRAINING)

# InternVideo1 and UMT interpolate positions of 16 frames of 224 pixels in tubelets of 2.
FRAMES, SIZE, TUBELETS = 16, 224, 8
GELU = ("gelu", "nn.gelu", "torch.nn.gelu", "torch.nn.modules.activation.gelu")


class File(NamedTuple):
    """A checkpoint's training options, the network's values, and its tensors' names."""

    args: Mapping[str, Any]
    config: Mapping[str, Any]
    names: frozenset[str]

    @property
    def table(self) -> bool:
        """Whether the positions are stored in a tensor, which is compared with the fixed ones."""
        return any(name.split(".")[-1] == "pos_embed" for name in self.names)


Says = Callable[[File, str], bool]


@dataclass(frozen=True)
class Sign:
    """Options that distinguish a project's network from VideoMAE's.

    ``whose`` completes "the network is …", ``says`` judges one existing option, ``reason`` says
    what transformers' VideoMAE can't compute, ``source`` is the place in that project's code.
    """

    whose: str
    options: tuple[str, ...]
    kinds: tuple[str, ...]
    says: Says
    reason: str
    source: str


def present(_: File, __: str) -> bool:
    """Return True: the option's presence is enough."""
    return True


def said(_: File, __: str) -> bool:
    """Return True: any value that is not None shows another project."""
    return True


def true(file: File, option: str) -> bool:
    """Return whether the option is true."""
    return bool(boolean(file.args, option))


def false(file: File, option: str) -> bool:
    """Return whether the option is false."""
    return boolean(file.args, option) is False


def other_than(*values: str) -> Says:
    """Return a function that tests for any other text than these, ignoring case."""
    return lambda file, option: _text(file.args[option]) not in values


def _text(value: Any) -> str:
    """Return a value as lower-case text; for a shadow the name of its class."""
    loaded = isinstance(value, type) and issubclass(value, Shadow)
    return (value.name if loaded else value if isinstance(value, str) else shown(value)).lower()


def masked(file: File, option: str) -> bool:
    """Return whether tokens are dropped, or shuffled while the head reads the first one."""
    try:
        return not float(file.args[option]) <= 0 or "fc_norm.weight" not in file.names
    except (TypeError, ValueError, OverflowError):
        return True


def other_sizes(file: File, _: str) -> bool:
    """Return whether frames or image size differ from those of InternVideo1's positions."""
    frames, size = file.config.get("num_frames", FRAMES), file.config.get("image_size", SIZE)
    return not file.table and (frames, size) != (FRAMES, SIZE)


def tuned_at_other_sizes(file: File, _: str) -> bool:
    """Return whether V2's script interpolated the position table of the network it fine-tuned.

    It does so for another image size and for another number of frames than 16. The first alone
    changes nothing; the second alone fails.
    """
    if file.table or "head_drop_rate" not in file.args or not file.args.get("finetune"):
        return False
    frames = integer(file.args, "num_frames")
    return file.config.get("image_size", SIZE) != SIZE and frames not in (None, FRAMES)


def other_patches(file: File, option: str) -> bool:
    """Return whether a clip has other patches than 8 x 14 x 14, or 8 x 16 x 16 of 14 pixels.

    Only of a training script's ``args``: configs of other programs have the option too.
    """
    config = file.config
    known = {"num_frames", "image_size"} <= config.keys()
    if file.table or not known or named(file.args, option) != f"args.{option}":
        return False
    side = 16 if config["patch_size"] == 14 else 14
    cut = (config["num_frames"] // config["tubelet_size"], config["image_size"])
    return cut != (TUBELETS, side * config["patch_size"])


def no_table(file: File, option: str) -> bool:
    """Return whether positions are learnable but stored in no tensor."""
    return true(file, option) and not file.table


def other_scale(file: File, option: str) -> bool:
    """Return whether the attention scale is not 1 / sqrt(head width)."""
    heads = file.config.get("num_attention_heads")
    try:
        scale = float(file.args[option])
    except (TypeError, ValueError, OverflowError):
        return True
    if not heads:
        return True
    usual = (file.config["hidden_size"] / heads) ** -0.5
    return not abs(scale - usual) <= 1e-6 * usual


def without_pixels(says: Says) -> Says:
    """Return a function that judges as ``says`` does, unless a mean and deviation are known."""
    return lambda file, option: "image_mean" not in file.config and says(file, option)


def detector(file: File, option: str) -> bool:
    """Return whether a head after ``norm`` belongs to an action detector.

    VideoMAE-Action-Detection's script has no options for testing on clips; SMILE's, which also has
    ``val_freq``, has them.
    """
    if "fc_norm.weight" in file.names:
        return False
    if option == "data_set":
        return _text(file.args[option]).startswith("ava")
    return option != "val_freq" or "test_num_segment" not in file.args
