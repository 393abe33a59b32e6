"""Is the network another project's?  What options say that no tensor tells.

Projects that build on VideoMAE keep its tensors' names and shapes, and compute something else:
other positions, a part of the tokens, another head. Each row says which options tell, and why
transformers' VideoMAE can't compute the network.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from videomae.networks import LAYER_NORM_EPS
from videomae.training_options import boolean, integer, shown

CLASSIFIER, ENCODER, PRETRAINING = "classifier", "encoder", "pretraining"
FINETUNED = (CLASSIFIER, ENCODER)
ANY = (CLASSIFIER, ENCODER, PRETRAINING)

# What InternVideo1 and UMT interpolate positions from: 16 frames of 224 pixels in tubelets of 2.
FRAMES, SIZE, TUBELETS = 16, 224, 8
GELU = ("gelu", "nn.gelu", "torch.nn.gelu", "<class 'torch.nn.modules.activation.gelu'>")


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
    """Give a judgement: any other text than these says it, whatever the letters' case."""
    return lambda file, option: str(file.args[option]).strip().lower() not in values


def _masked(file: File, option: str) -> bool:
    """Say whether tokens are dropped, or shuffled where the first is what the head reads."""
    try:
        return not float(file.args[option]) <= 0 or "fc_norm.weight" not in file.names
    except (TypeError, ValueError, OverflowError):
        return True


def _other_sizes(file: File, _: str) -> bool:
    frames, size = file.config.get("num_frames", FRAMES), file.config.get("image_size", SIZE)
    return not file.table and (frames, size) != (FRAMES, SIZE)


def _tuned_at_other_sizes(file: File, _: str) -> bool:
    """Say whether V2's script interpolated the table of a network that it began from a file.

    It does so once for another size and once for other frames than 16. The first alone changes
    nothing, the second alone fails.
    """
    if file.table or "head_drop_rate" not in file.args or not file.args.get("finetune"):
        return False
    frames = integer(file.args, "num_frames")
    return file.config.get("image_size", SIZE) != SIZE and frames not in (None, FRAMES)


def _other_patches(file: File, _: str) -> bool:
    """Say whether a clip has other patches than 8 x 14 x 14, or 8 x 16 x 16 of 14 pixels."""
    config = file.config
    if file.table or not {"num_frames", "image_size"} <= config.keys():
        return False
    side = 16 if config["patch_size"] == 14 else 14
    cut = (config["num_frames"] // config["tubelet_size"], config["image_size"])
    return cut != (TUBELETS, side * config["patch_size"])


def _no_table(file: File, option: str) -> bool:
    return true(file, option) and not file.table


def _other_scale(file: File, option: str) -> bool:
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


def _other_eps(file: File, option: str) -> bool:
    try:
        return float(file.args[option]) != LAYER_NORM_EPS
    except (TypeError, ValueError, OverflowError):
        return True


def _detector(file: File, option: str) -> bool:
    """Say whether a head after ``norm`` is a detector's.

    VideoMAE-Action-Detection's script has none of the options of testing on clips; SMILE's, which
    also has ``val_freq``, has them.
    """
    if "fc_norm.weight" in file.names:
        return False
    if option == "data_set":
        return str(file.args[option]).strip().lower().startswith("ava")
    return option != "val_freq" or "test_num_segment" not in file.args


DETECTION = (
    "its head classifies regions of the mean over time of all tokens, and not clips by their first "
    "token, under the very names of the authors' --use_cls"
)
VIDEOMAE = "MCG-NJU/VideoMAE at 14ef8d8, modeling_finetune.py"

SIGNS = (
    Sign(
        "MVD's",
        ("use_cls_token", "remove_pos_emb"),
        ANY,
        present,
        "it adds positions of three dimensions (sine and cosine of frame, row and column apart) "
        "that are in no tensor",
        "ruiwang2021/mvd at 45b877a, modeling_finetune.py",
    ),
    Sign(
        "EVEREST's",
        ("mcm",),
        FINETUNED,
        true,
        "it drops the tokens that change least (mcm_ratio, 40 % by default) before the blocks",
        "sunilhoho/EVEREST at 8ebdd70, modeling_finetune.py",
    ),
    Sign(
        "EVEREST's",
        ("motion_centric_masking_ratio",),
        (PRETRAINING,),
        present,
        "it chooses by motion which tokens are seen and which its decoder has",
        "sunilhoho/EVEREST at 8ebdd70, modeling_pretrain.py",
    ),
    Sign(
        "InternVideo1's",
        ("num_segment",),
        FINETUNED,
        _other_sizes,
        f"its positions are interpolated from those of {FRAMES} frames of {SIZE} pixels, and are "
        "in no tensor",
        "OpenGVLab/InternVideo at 3965eef, InternVideo1/Pretrain/VideoMAE/run_class_finetuning.py",
    ),
    Sign(
        "VideoMAE V2's, fine-tuned from a file at another size and with other frames",
        ("with_checkpoint",),
        FINETUNED,
        _tuned_at_other_sizes,
        f"their script takes the positions for those of {FRAMES} frames and interpolates them, and "
        "keeps them in no tensor",
        "OpenGVLab/VideoMAEv2 at 29eab1e, run_class_finetuning.py",
    ),
    Sign(
        "UMT's",
        ("use_learnable_pos_emb",),
        FINETUNED,
        _other_patches,
        f"its positions are interpolated from those of {TUBELETS} tubelets of {SIZE} pixels",
        "OpenGVLab/unmasked_teacher at 4fb4049, single_modality/models/modeling_finetune.py",
    ),
    Sign(
        "one with learnable positions",
        ("use_learnable_pos_emb",),
        ANY,
        _no_table,
        "they would be in a tensor pos_embed, which the file has not",
        VIDEOMAE,
    ),
    Sign(
        "MME's",
        ("mask_ratio",),
        (CLASSIFIER,),
        _masked,
        "it drops that part of the tokens at random and shuffles them, when it is tested too",
        "XinyuSun/MME at 17689a9, finetune/model.py",
    ),
    Sign(
        "an action detector, as VideoMAE-Action-Detection trains them",
        ("data_set", "head_type", "eval_kinetics", "close_amp", "val_freq"),
        (CLASSIFIER,),
        _detector,
        DETECTION,
        "MCG-NJU/VideoMAE-Action-Detection at 15615db, modeling_finetune.py; InternVideo1 and UMT "
        "have it too",
    ),
    Sign(
        "MAE-DFER's",
        ("attn_type",),
        ANY,
        other_than("joint", "none"),
        "its attention is local and global by turns",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "MAE-DFER's",
        ("keep_temporal_dim",),
        (CLASSIFIER,),
        true,
        "it pools rows and columns alone and gives outputs for each tubelet",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "MAE-DFER's",
        ("head_activation_func",),
        (CLASSIFIER,),
        other_than("none", "identity", ""),
        "a function follows its head",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "AdaptFormer's",
        ("ffn_adapt", "vpt"),
        FINETUNED,
        true,
        "it has adapters beside the MLPs, or tokens that were learned",
        "ShoufaChen/AdaptFormer at 6967d67, models/vit_video.py",
    ),
    Sign(
        "one with cosine attention",
        ("cos_attn",),
        ANY,
        true,
        "attention is of the cosines of queries and keys",
        "OpenGVLab/VideoMAEv2 at 29eab1e, models/modeling_finetune.py",
    ),
    Sign(
        "one with another scale",
        ("qk_scale",),
        ANY,
        _other_scale,
        "attention is scaled by it, and not by 1 over the root of a head's width",
        VIDEOMAE,
    ),
    Sign(
        "one with another activation",
        ("act_layer", "hidden_act"),
        ANY,
        other_than(*GELU),
        "the MLPs' activation is not GELU, which the folder's config says",
        VIDEOMAE,
    ),
    Sign(
        "one with another eps",
        ("layer_norm_eps", "norm_eps"),
        ANY,
        _other_eps,
        f"the layer norms' eps is not the authors' {LAYER_NORM_EPS:g}, which the folder's config "
        "says",
        VIDEOMAE,
    ),
    Sign(
        "one for other pixels",
        ("imagenet_default_mean_and_std",),
        ANY,
        false,
        "pixels are normalised by Inception's mean and deviation, 0.5, and the image processor of "
        "the folder has ImageNet's",
        "OpenGVLab/InternVideo at 3965eef, InternVideo1/Pretrain/VideoMAE/datasets.py",
    ),
    Sign(
        "one for other pixels",
        ("inception",),
        FINETUNED,
        true,
        "pixels are normalised by Inception's mean and deviation, 0.5, and the image processor of "
        "the folder has ImageNet's",
        "ShoufaChen/AdaptFormer at 6967d67, datasets/kinetics.py",
    ),
    Sign(
        "SIGMA's or SMILE's",
        ("target_type",),
        (PRETRAINING,),
        other_than("pixel"),
        "its decoder predicts features of another network, and no pixels",
        "QUVA-Lab/SIGMA at 9876f09 and fmthoker/SMILE at ba5c369, run_mae_pretraining.py",
    ),
    Sign(
        "MAE-DFER's",
        ("use_frame_diff_as_target",),
        (PRETRAINING,),
        true,
        "its decoder predicts differences between frames too",
        "sunlicai/MAE-DFER at 80b651d, run_mae_pretraining.py",
    ),
)


# What the tensors allow and nothing may confirm, and how to settle it.
DOUBTFUL = {
    "use_mean_pooling": (
        "the head follows norm, and nothing in the file says what it reads: the first token, as "
        "by the authors' --use_cls, or regions of the mean over time, as in an action detector "
        "(VideoMAE-Action-Detection), whose tensors are the same and which can't be converted. If "
        "it is the former, give use_mean_pooling: false (config.yaml: config, or --config "
        "use_mean_pooling=false)"
    )
}


def hint(name: str, value: Any) -> str:
    """Say whose network a contradiction in a value may be a sign of; empty if nobody's."""
    if name != "use_mean_pooling" or value is not False:
        return ""
    return (
        ". Options that say true beside a head that follows norm are an action detector's "
        f"(VideoMAE-Action-Detection): {DETECTION}, which transformers' VideoMAE can't compute"
    )


def reasons(
    args: Mapping[str, Any], kind: str, config: Mapping[str, Any], names: Iterable[str]
) -> list[str]:
    """Say why a network is another project's, a text for each reason; none for VideoMAE's.

    ``config`` has what is known of the network's values, ``names`` are its tensors'.
    """
    file = File(args, config, frozenset(names))
    found: dict[str, str] = {}
    for sign in SIGNS:
        for option in sign.options if kind in sign.kinds else ():
            unsaid = option not in args or (args[option] is None and sign.says is not present)
            if sign.reason in found or unsaid or not sign.says(file, option):
                continue
            found[sign.reason] = (
                f"args.{option} is {shown(args[option])}: the network is {sign.whose}. "
                f"{sign.reason[0].upper()}{sign.reason[1:]}, so transformers' VideoMAE would give "
                f"something else ({sign.source})"
            )
    return list(found.values())
