"""Recognises networks of other projects by training options, where tensors show no difference.

Projects that build on VideoMAE use the same names and shapes of tensors but compute something else:
other positions, a part of the tokens, another head. Each row has the options that show this, and
the reason why transformers' VideoMAE can't compute the network.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from videomae.checkpoint.training_args import MMENGINE, OF_HUB, named
from videomae.recognition import signs
from videomae.recognition.signs import (
    ANY,
    CLASSIFIER,
    FINETUNED,
    FRAMES,
    PRETRAINING,
    SIZE,
    TUBELETS,
    Sign,
)
from videomae.recognition.training_options import shown

DETECTION = (
    "its head classifies regions of the mean of all tokens over time, and not clips by their first "
    "token; its tensors have the same names as with the authors' --use_cls"
)
NOT_GIVEN = (
    "the image processor of the folder has ImageNet's unless image_mean and image_std are given"
)
# The pixels of VideoMAE-Action-Detection, in 0..255 (data/transforms.py at 15615db).
DETECTOR_PIXELS: dict[str, Any] = {
    "image_mean": [122.7717, 115.9465, 102.9801],
    "image_std": [57.375, 57.375, 57.375],
    "do_rescale": False,
}
DETECTOR_SOURCE = "as VideoMAE-Action-Detection has it"
VIDEOMAE = "MCG-NJU/VideoMAE at 14ef8d8, modeling_finetune.py"

SIGNS = (
    Sign(
        "MVD's",
        ("use_cls_token", "remove_pos_emb"),
        ANY,
        signs.present,
        "it adds three-dimensional positions (separate sines and cosines of frame, row and column) "
        "that no tensor holds",
        "ruiwang2021/mvd at 45b877a, modeling_finetune.py",
    ),
    Sign(
        "EVEREST's",
        ("mcm",),
        FINETUNED,
        signs.true,
        "before the blocks it drops the tokens that change least (mcm_ratio, by default 40 %)",
        "sunilhoho/EVEREST at 8ebdd70, modeling_finetune.py",
    ),
    Sign(
        "EVEREST's",
        ("motion_centric_masking_ratio",),
        (PRETRAINING,),
        signs.present,
        "it chooses the tokens of its encoder and decoder by motion",
        "sunilhoho/EVEREST at 8ebdd70, modeling_pretrain.py",
    ),
    Sign(
        "InternVideo1's",
        ("num_segment",),
        FINETUNED,
        signs.other_sizes,
        f"its positions are interpolated from those of {FRAMES} frames of {SIZE} pixels, and no "
        "tensor holds them",
        "OpenGVLab/InternVideo at 3965eef, InternVideo1/Pretrain/VideoMAE/run_class_finetuning.py",
    ),
    Sign(
        "VideoMAE V2's, fine-tuned with another image size and another number of frames",
        ("with_checkpoint",),
        FINETUNED,
        signs.tuned_at_other_sizes,
        f"their script interpolates the positions from those of {FRAMES} frames, and no tensor "
        "holds them",
        "OpenGVLab/VideoMAEv2 at 29eab1e, run_class_finetuning.py",
    ),
    Sign(
        "UMT's",
        ("use_learnable_pos_emb",),
        FINETUNED,
        signs.other_patches,
        f"its positions are interpolated from those of {TUBELETS} tubelets of {SIZE} pixels",
        "OpenGVLab/unmasked_teacher at 4fb4049, single_modality/models/modeling_finetune.py",
    ),
    Sign(
        "one with learnable positions",
        ("use_learnable_pos_emb",),
        ANY,
        signs.no_table,
        "they would be in a tensor pos_embed, but the file has none",
        VIDEOMAE,
    ),
    Sign(
        "MME's",
        ("mask_ratio",),
        (CLASSIFIER,),
        signs.masked,
        "even in tests it drops that share of the tokens at random and shuffles the others",
        "XinyuSun/MME at 17689a9, finetune/model.py",
    ),
    Sign(
        "an action detector of VideoMAE-Action-Detection",
        ("data_set", "head_type", "eval_kinetics", "close_amp", "val_freq"),
        (CLASSIFIER,),
        signs.detector,
        DETECTION,
        "MCG-NJU/VideoMAE-Action-Detection at 15615db, modeling_finetune.py; InternVideo1 and UMT "
        "have it too",
    ),
    Sign(
        "MAE-DFER's",
        ("attn_type",),
        ANY,
        signs.other_than("joint", "none"),
        "its attention alternates between local and global",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "MAE-DFER's",
        ("keep_temporal_dim",),
        (CLASSIFIER,),
        signs.true,
        "it pools only over rows and columns and gives outputs for each tubelet",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "MAE-DFER's",
        ("head_activation_func",),
        (CLASSIFIER,),
        signs.other_than("none", "identity", ""),
        "it applies a function to the outputs of its head",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "AdaptFormer's",
        ("ffn_adapt", "vpt"),
        FINETUNED,
        signs.true,
        "it has adapters beside the MLPs, or learned tokens",
        "ShoufaChen/AdaptFormer at 6967d67, models/vit_video.py",
    ),
    Sign(
        "one with cosine attention",
        ("cos_attn",),
        ANY,
        signs.true,
        "its attention uses the cosines of queries and keys",
        "OpenGVLab/VideoMAEv2 at 29eab1e, models/modeling_finetune.py",
    ),
    Sign(
        "one with another attention scale",
        ("qk_scale",),
        ANY,
        signs.other_scale,
        "it scales attention by this value, and not by 1 / sqrt(head width)",
        VIDEOMAE,
    ),
    Sign(
        "one with another activation",
        ("act_layer", "hidden_act"),
        ANY,
        signs.other_than(*signs.GELU),
        "its MLPs have another activation than GELU, which the folder's config states",
        VIDEOMAE,
    ),
    Sign(
        "one for other pixels",
        ("imagenet_default_mean_and_std",),
        ANY,
        signs.without_pixels(signs.false),
        f"pixels are normalised by Inception's mean and deviation, 0.5, and {NOT_GIVEN}",
        "OpenGVLab/InternVideo at 3965eef, InternVideo1/Pretrain/VideoMAE/datasets.py",
    ),
    Sign(
        "one for other pixels",
        ("inception",),
        FINETUNED,
        signs.without_pixels(signs.true),
        f"pixels are normalised by Inception's mean and deviation, 0.5, and {NOT_GIVEN}",
        "ShoufaChen/AdaptFormer at 6967d67, datasets/kinetics.py",
    ),
    Sign(
        "one for other pixels",
        ("data_preprocessor",),
        ANY,
        signs.without_pixels(signs.said),
        f"pixels are normalised by this mean and deviation, and {NOT_GIVEN}",
        "open-mmlab/mmaction2 at 4d6c934, models/data_preprocessors/data_preprocessor.py",
    ),
    Sign(
        "SIGMA's or SMILE's",
        ("target_type",),
        (PRETRAINING,),
        signs.other_than("pixel"),
        "its decoder predicts features of another network, not pixels",
        "QUVA-Lab/SIGMA at 9876f09 and fmthoker/SMILE at ba5c369, run_mae_pretraining.py",
    ),
    Sign(
        "MAE-DFER's",
        ("use_frame_diff_as_target",),
        (PRETRAINING,),
        signs.true,
        "its decoder also predicts differences between frames",
        "sunlicai/MAE-DFER at 80b651d, run_mae_pretraining.py",
    ),
)


# Values that the tensors allow but nothing may confirm, and how the user can settle them.
DOUBTFUL = {
    "use_mean_pooling": (
        "the head follows norm, and nothing in the file shows what it reads: the first token (the "
        "authors' --use_cls) or regions of the mean over time (an action detector of "
        "VideoMAE-Action-Detection, which has the same tensors and can't be converted). If it "
        "reads the first token, give use_mean_pooling: false (config.yaml: config, or --config "
        "use_mean_pooling=false)"
    )
}


def is_detector(args: Mapping[str, Any], kind: str) -> bool:
    """Return whether an encoder alone is an action detector's, by its training options."""
    file = signs.File(args, {}, frozenset())
    return kind == signs.ENCODER and "val_freq" in args and signs.detector(file, "val_freq")


def hint(name: str, origin: str, other: str) -> str:
    """Return a hint that two contradictory values may show an action detector; empty if not."""
    by_option = origin.startswith(("args.", MMENGINE, OF_HUB))
    if name != "use_mean_pooling" or not by_option or "tensor" not in other:
        return ""
    return (
        ". The option is true and the head follows norm, as in an action detector of "
        f"VideoMAE-Action-Detection: {DETECTION}, so transformers' VideoMAE can't compute it"
    )


def reasons(
    args: Mapping[str, Any], kind: str, config: Mapping[str, Any], names: Iterable[str]
) -> list[str]:
    """Return the reasons why a network belongs to another project; none for VideoMAE's own.

    ``config`` has the known values of the network, ``names`` are its tensors'.
    """
    file = signs.File(args, config, frozenset(names))
    found: dict[str, str] = {}
    for sign in SIGNS:
        for option in sign.options if kind in sign.kinds else ():
            unsaid = option not in args or (args[option] is None and sign.says is not signs.present)
            if sign.reason in found or unsaid or not sign.says(file, option):
                continue
            found[sign.reason] = (
                f"{named(args, option)} is {shown(args[option])}: the network is {sign.whose}. "
                f"{sign.reason[0].upper()}{sign.reason[1:]}, so transformers' VideoMAE would give "
                f"something else ({sign.source})"
            )
    return list(found.values())
