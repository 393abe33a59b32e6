"""The options of the authors' training scripts, and the unknown options in a file.

A checkpoint of those scripts holds all of them as ``args``. Projects that build on VideoMAE add
options to the same scripts, so the options show which project a network comes from even if no
tensor does.
"""

from collections.abc import Mapping
from typing import Any, Literal

from videomae.checkpoint.training_args import Options
from videomae.errors import one_line

# The scripts of MCG-NJU/VideoMAE at 14ef8d8 (V1) and OpenGVLab/VideoMAEv2 at 29eab1e (V2):
# run_class_finetuning.py and run_mae_pretraining.py.
Script = Literal["V1 fine-tuning", "V2 fine-tuning", "V1 pre-training", "V2 pre-training"]
SCRIPTS: tuple[Script, ...] = (
    "V1 fine-tuning",
    "V2 fine-tuning",
    "V1 pre-training",
    "V2 pre-training",
)

# Options by topic, and the scripts that have them. The scripts themselves add ``window_size`` and
# ``patch_size``.
_ALL = "V1 fine-tuning, V2 fine-tuning, V1 pre-training, V2 pre-training"
_TUNING = "V1 fine-tuning, V2 fine-tuning"
_PRETRAINING = "V1 pre-training, V2 pre-training"
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("network", _ALL, "model input_size num_frames window_size patch_size"),
    ("network", f"{_TUNING}, V2 pre-training", "tubelet_size"),
    ("network", _TUNING, "num_segments nb_classes use_mean_pooling"),
    ("network", _PRETRAINING, "decoder_depth"),
    ("pixels", _ALL, "imagenet_default_mean_and_std"),
    ("frames", _ALL, "sampling_rate"),
    ("frames", "V2 fine-tuning", "sparse_sample"),
    ("frames", _TUNING, "test_num_segment test_num_crop short_side_size crop_pct"),
    ("data", _ALL, "data_path"),
    ("data", _TUNING, "data_set eval_data_path"),
    ("data", "V2 fine-tuning, V2 pre-training", "data_root fname_tmpl"),
    ("data", "V2 fine-tuning", "start_idx"),
    ("task of pre-training", _PRETRAINING, "mask_type mask_ratio normlize_target"),
    ("task of pre-training", "V2 pre-training", "decoder_mask_type decoder_mask_ratio"),
    ("start", f"{_TUNING}, V2 pre-training", "finetune"),
    ("start", _TUNING, "model_key model_prefix init_scale"),
    ("start", _ALL, "resume auto_resume start_epoch"),
    ("dropout", _ALL, "drop_path"),
    ("dropout", _TUNING, "drop attn_drop_rate"),
    ("dropout", "V1 fine-tuning", "fc_drop_rate"),
    ("dropout", "V2 fine-tuning", "head_drop_rate"),
    ("augmentation", _ALL, "color_jitter train_interpolation"),
    ("augmentation", f"{_TUNING}, V2 pre-training", "num_sample"),
    ("augmentation", _TUNING, "aa smoothing reprob remode recount resplit"),
    ("augmentation", _TUNING, "mixup cutmix cutmix_minmax mixup_prob mixup_switch_prob"),
    ("augmentation", _TUNING, "mixup_mode"),
    ("optimizer", _ALL, "opt opt_eps opt_betas clip_grad momentum weight_decay weight_decay_end"),
    ("optimizer", _ALL, "lr warmup_lr min_lr warmup_epochs warmup_steps batch_size epochs"),
    ("optimizer", _TUNING, "update_freq layer_decay"),
    ("average", _TUNING, "model_ema model_ema_decay model_ema_force_cpu"),
    ("run", _ALL, "output_dir log_dir device seed num_workers pin_mem save_ckpt_freq"),
    ("run", _ALL, "world_size local_rank dist_on_itp dist_url"),
    ("run", _TUNING, "save_ckpt eval dist_eval disable_eval_during_finetuning enable_deepspeed"),
    ("run", "V2 fine-tuning", "validation"),
    ("run", "V1 fine-tuning, V1 pre-training", "use_checkpoint"),
    ("run", "V2 fine-tuning, V2 pre-training", "with_checkpoint"),
)

# Options of some runs only: added at the start of several processes (utils.py of both), and by
# DeepSpeed's `add_config_arguments`.
STARTED = frozenset(["rank", "gpu", "distributed", "dist_backend"])
DEEPSPEED = frozenset(
    ["deepspeed", "deepspeed_config", "deepspeed_mpi", "deepscale", "deepscale_config"]
)
ADDED = STARTED | DEEPSPEED

OPTIONS: dict[Script, frozenset[str]] = {
    script: frozenset(
        name
        for _, scripts, names in _TABLE
        if script in scripts.split(", ")
        for name in names.split()
    )
    for script in SCRIPTS
}

# The share of a script's options that a file must have to be recognised. Other commits of the
# script may lack a few.
RECOGNISED = 0.9


def of_kind(kind: str) -> tuple[Script, ...]:
    """Return the scripts that train a kind of network; for an encoder alone all of them."""
    tuning, pretraining = SCRIPTS[:2], SCRIPTS[2:]
    return {"classifier": tuning, "pretraining": pretraining}.get(kind, SCRIPTS)


def unknown(args: Mapping[Any, Any], kind: str) -> list[str]:
    """Return the options in a file that the authors' scripts for such a network don't have."""
    if isinstance(args, Options) and args.names:  # another program's config
        return []
    known = ADDED.union(*(OPTIONS[script] for script in of_kind(kind)))
    return [one_line(str(name), most=120) for name in args if name not in known]


def recognised(args: Mapping[Any, Any], kind: str) -> Script | None:
    """Return the authors' script that wrote these options; None if another may have."""
    for script in of_kind(kind):
        known = OPTIONS[script]
        if set(args) <= known | ADDED and len(known & set(args)) >= RECOGNISED * len(known):
            return script
    return None
