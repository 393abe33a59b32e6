"""What can an option say of a network?  Judgements of one option, for `relatives`.

Each is given the file and the option's name, and says whether the option tells of a network that
transformers' VideoMAE can't compute.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from videomae.checkpoint.unpickler import Shadow
from videomae.model.networks import LAYER_NORM_EPS
from videomae.recognition.training_options import boolean, integer, shown

CLASSIFIER, ENCODER, PRETRAINING = "classifier", "encoder", "pretraining"
FINETUNED = (CLASSIFIER, ENCODER)
ANY = (CLASSIFIER, ENCODER, PRETRAINING)

# What InternVideo1 and UMT interpolate positions from: 16 frames of 224 pixels in tubelets of 2.
FRAMES, SIZE, TUBELETS = 16, 224, 8
GELU = ("gelu", "nn.gelu", "torch.nn.gelu", "torch.nn.modules.activation.gelu")


class File(NamedTuple):
    """What a sign is looked for in: options, the network's values, and its tensors' names."""

    args: Mapping[str, Any]
    config: Mapping[str, Any]
    names: frozenset[str]

    @property
    def table(self) -> bool:
        """Whether positions are in a tensor, which is compared with the fixed ones."""
        return any(name.split(".")[-1] == "pos_embed" for name in self.names)


Says = Callable[[File, str], bool]


@dataclass(frozen=True)
class Sign:
    """Options that tell a project's network from VideoMAE's.

    ``whose`` completes "the network is …", ``says`` judges one option that is there, ``reason`` is
    what transformers' VideoMAE can't compute, ``source`` where their code does so.
    """

    whose: str
    options: tuple[str, ...]
    kinds: tuple[str, ...]
    says: Says
    reason: str
    source: str


def present(_: File, __: str) -> bool:
    """Being there at all says it."""
    return True


def true(file: File, option: str) -> bool:
    """Being true says it."""
    return bool(boolean(file.args, option))


def false(file: File, option: str) -> bool:
    """Being false says it."""
    return boolean(file.args, option) is False


def other_than(*values: str) -> Says:
    """Return a judgement: any other text than these says it, whatever the letters' case."""
    return lambda file, option: _text(file.args[option]) not in values


def _text(value: Any) -> str:
    """Return a value as text in small letters: of a class that was not loaded, its name."""
    loaded = isinstance(value, type) and issubclass(value, Shadow)
    return (value.name if loaded else value if isinstance(value, str) else shown(value)).lower()


def masked(file: File, option: str) -> bool:
    """Say whether tokens are dropped, or shuffled where the first is what the head reads."""
    try:
        return not float(file.args[option]) <= 0 or "fc_norm.weight" not in file.names
    except (TypeError, ValueError, OverflowError):
        return True


def other_sizes(file: File, _: str) -> bool:
    """Say whether frames or size are not those that InternVideo1's positions are for."""
    frames, size = file.config.get("num_frames", FRAMES), file.config.get("image_size", SIZE)
    return not file.table and (frames, size) != (FRAMES, SIZE)


def tuned_at_other_sizes(file: File, _: str) -> bool:
    """Say whether V2's script interpolated the table of a network that it began from a file.

    It does so once for another size and once for other frames than 16. The first alone changes
    nothing, the second alone fails.
    """
    if file.table or "head_drop_rate" not in file.args or not file.args.get("finetune"):
        return False
    frames = integer(file.args, "num_frames")
    return file.config.get("image_size", SIZE) != SIZE and frames not in (None, FRAMES)


def other_patches(file: File, _: str) -> bool:
    """Say whether a clip has other patches than 8 x 14 x 14, or 8 x 16 x 16 of 14 pixels."""
    config = file.config
    if file.table or not {"num_frames", "image_size"} <= config.keys():
        return False
    side = 16 if config["patch_size"] == 14 else 14
    cut = (config["num_frames"] // config["tubelet_size"], config["image_size"])
    return cut != (TUBELETS, side * config["patch_size"])


def no_table(file: File, option: str) -> bool:
    """Say whether positions are to be learned and in no tensor."""
    return true(file, option) and not file.table


def other_scale(file: File, option: str) -> bool:
    """Say whether attention is scaled by something else than 1 over the root of a head's width."""
    heads = file.config.get("num_attention_heads")
    try:
        scale = float(file.args[option])
    except (TypeError, ValueError, OverflowError):
        return True
    if not heads:
        return True
    usual = (file.config["hidden_size"] / heads) ** -0.5
    return not abs(scale - usual) <= 1e-6 * usual


def other_eps(file: File, option: str) -> bool:
    """Say whether the layer norms' eps is not the authors'."""
    try:
        return float(file.args[option]) != LAYER_NORM_EPS
    except (TypeError, ValueError, OverflowError):
        return True


def detector(file: File, option: str) -> bool:
    """Say whether a head after ``norm`` is a detector's.

    VideoMAE-Action-Detection's script has none of the options of testing on clips; SMILE's, which
    also has ``val_freq``, has them.
    """
    if "fc_norm.weight" in file.names:
        return False
    if option == "data_set":
        return _text(file.args[option]).startswith("ava")
    return option != "val_freq" or "test_num_segment" not in file.args
