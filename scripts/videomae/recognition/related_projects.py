"""Is the network another project's?  What options say that no tensor tells.

Projects that build on VideoMAE keep its tensors' names and shapes, and compute something else:
other positions, a part of the tokens, another head. Each row says which options tell, and why
transformers' VideoMAE can't compute the network.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from videomae.model.networks import LAYER_NORM_EPS
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
    "its head classifies regions of the mean over time of all tokens, and not clips by their first "
    "token, under the very names of the authors' --use_cls"
)
VIDEOMAE = "MCG-NJU/VideoMAE at 14ef8d8, modeling_finetune.py"

SIGNS = (
    Sign(
        "MVD's",
        ("use_cls_token", "remove_pos_emb"),
        ANY,
        signs.present,
        "it adds positions of three dimensions (sine and cosine of frame, row and column apart) "
        "that are in no tensor",
        "ruiwang2021/mvd at 45b877a, modeling_finetune.py",
    ),
    Sign(
        "EVEREST's",
        ("mcm",),
        FINETUNED,
        signs.true,
        "it drops the tokens that change least (mcm_ratio, 40 % by default) before the blocks",
        "sunilhoho/EVEREST at 8ebdd70, modeling_finetune.py",
    ),
    Sign(
        "EVEREST's",
        ("motion_centric_masking_ratio",),
        (PRETRAINING,),
        signs.present,
        "it chooses by motion which tokens are seen and which its decoder has",
        "sunilhoho/EVEREST at 8ebdd70, modeling_pretrain.py",
    ),
    Sign(
        "InternVideo1's",
        ("num_segment",),
        FINETUNED,
        signs.other_sizes,
        f"its positions are interpolated from those of {FRAMES} frames of {SIZE} pixels, and are "
        "in no tensor",
        "OpenGVLab/InternVideo at 3965eef, InternVideo1/Pretrain/VideoMAE/run_class_finetuning.py",
    ),
    Sign(
        "VideoMAE V2's, fine-tuned from a file at another size and with other frames",
        ("with_checkpoint",),
        FINETUNED,
        signs.tuned_at_other_sizes,
        f"their script takes the positions for those of {FRAMES} frames and interpolates them, and "
        "keeps them in no tensor",
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
        "they would be in a tensor pos_embed, which the file has not",
        VIDEOMAE,
    ),
    Sign(
        "MME's",
        ("mask_ratio",),
        (CLASSIFIER,),
        signs.masked,
        "it drops that part of the tokens at random and shuffles them, when it is tested too",
        "XinyuSun/MME at 17689a9, finetune/model.py",
    ),
    Sign(
        "an action detector, as VideoMAE-Action-Detection trains them",
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
        "its attention is local and global by turns",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "MAE-DFER's",
        ("keep_temporal_dim",),
        (CLASSIFIER,),
        signs.true,
        "it pools rows and columns alone and gives outputs for each tubelet",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "MAE-DFER's",
        ("head_activation_func",),
        (CLASSIFIER,),
        signs.other_than("none", "identity", ""),
        "a function follows its head",
        "sunlicai/MAE-DFER at 80b651d, modeling_finetune.py",
    ),
    Sign(
        "AdaptFormer's",
        ("ffn_adapt", "vpt"),
        FINETUNED,
        signs.true,
        "it has adapters beside the MLPs, or tokens that were learned",
        "ShoufaChen/AdaptFormer at 6967d67, models/vit_video.py",
    ),
    Sign(
        "one with cosine attention",
        ("cos_attn",),
        ANY,
        signs.true,
        "attention is of the cosines of queries and keys",
        "OpenGVLab/VideoMAEv2 at 29eab1e, models/modeling_finetune.py",
    ),
    Sign(
        "one with another scale",
        ("qk_scale",),
        ANY,
        signs.other_scale,
        "attention is scaled by it, and not by 1 over the root of a head's width",
        VIDEOMAE,
    ),
    Sign(
        "one with another activation",
        ("act_layer", "hidden_act"),
        ANY,
        signs.other_than(*signs.GELU),
        "the MLPs' activation is not GELU, which the folder's config says",
        VIDEOMAE,
    ),
    Sign(
        "one with another eps",
        ("layer_norm_eps", "norm_eps"),
        ANY,
        signs.other_eps,
        f"the layer norms' eps is not the authors' {LAYER_NORM_EPS:g}, which the folder's config "
        "says",
        VIDEOMAE,
    ),
    Sign(
        "one for other pixels",
        ("imagenet_default_mean_and_std",),
        ANY,
        signs.false,
        "pixels are normalised by Inception's mean and deviation, 0.5, and the image processor of "
        "the folder has ImageNet's",
        "OpenGVLab/InternVideo at 3965eef, InternVideo1/Pretrain/VideoMAE/datasets.py",
    ),
    Sign(
        "one for other pixels",
        ("inception",),
        FINETUNED,
        signs.true,
        "pixels are normalised by Inception's mean and deviation, 0.5, and the image processor of "
        "the folder has ImageNet's",
        "ShoufaChen/AdaptFormer at 6967d67, datasets/kinetics.py",
    ),
    Sign(
        "SIGMA's or SMILE's",
        ("target_type",),
        (PRETRAINING,),
        signs.other_than("pixel"),
        "its decoder predicts features of another network, and no pixels",
        "QUVA-Lab/SIGMA at 9876f09 and fmthoker/SMILE at ba5c369, run_mae_pretraining.py",
    ),
    Sign(
        "MAE-DFER's",
        ("use_frame_diff_as_target",),
        (PRETRAINING,),
        signs.true,
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


def hint(name: str, origin: str, other: str) -> str:
    """Say whose network a contradiction between two origins may show; empty if nobody's."""
    if name != "use_mean_pooling" or not origin.startswith("args.") or "tensor" not in other:
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
    file = signs.File(args, config, frozenset(names))
    found: dict[str, str] = {}
    for sign in SIGNS:
        for option in sign.options if kind in sign.kinds else ():
            unsaid = option not in args or (args[option] is None and sign.says is not signs.present)
            if sign.reason in found or unsaid or not sign.says(file, option):
                continue
            found[sign.reason] = (
                f"args.{option} is {shown(args[option])}: the network is {sign.whose}. "
                f"{sign.reason[0].upper()}{sign.reason[1:]}, so transformers' VideoMAE would give "
                f"something else ({sign.source})"
            )
    return list(found.values())
