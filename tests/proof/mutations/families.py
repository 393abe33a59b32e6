"""The catalogue of families: files of networks that are not VideoMAE's, or not what they say.

Each is a small checkpoint with VideoMAE's tensors, and options by which another project's script
would have saved it; three were saved by the projects themselves. Refusing must say the hint.
Controls have options of others too, or said otherwise, and compute what VideoMAE computes.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.conftest import DATA, command

Contents = dict[str, Any]
Change = Callable[[Contents], object]

TUNED, CLS, PRETRAINED, V2 = (
    f"trained/{name}.pth" for name in ("v1-finetuned", "v1-cls", "v1-pretrained", "v2-finetuned")
)
HEADS: dict[str, dict[str, Any]] = {
    TUNED: {"num_attention_heads": 3},
    CLS: {"num_attention_heads": 4},
    PRETRAINED: {"num_attention_heads": 3, "decoder_num_attention_heads": 3},
    V2: {"num_attention_heads": 4},
}
FILE = "family.pth"
TESTING = ("test_num_segment", "test_num_crop")


@dataclass(frozen=True)
class Family:
    """A file, made from one of tests/data, what a person gives, and what refusing it must say."""

    name: str
    file: str
    hint: str = ""
    change: Change = lambda contents: contents
    given: dict[str, Any] = field(default_factory=dict)

    def contents(self) -> Contents:
        """Give what the file holds, without what training goes on with."""
        contents: Contents = torch.load(DATA / self.file, weights_only=False)
        for key in ("optimizer", "scaler", "model_ema"):
            contents.pop(key, None)
        self.change(contents)
        return contents

    def save(self, path: Path) -> None:
        """Write the file."""
        torch.save(self.contents(), path)

    @property
    def config(self) -> list[str]:
        """The options that give what no file tells."""
        given = {**HEADS.get(self.file, {"num_attention_heads": 3}), **self.given}
        return ["--config", *(f"{name}={value}" for name, value in given.items())]


@dataclass(frozen=True)
class Outcome:
    """What became of a file: whether it was refused, and by which words."""

    name: str
    caught: bool
    said: str
    leads_to_cause: bool

    @property
    def words(self) -> str:
        """What was said, without the file's name."""
        return self.said.partition(f"{FILE}: ")[2] or self.said


# -- changes ---------------------------------------------------------------------------------------


def _say(contents: Contents, **options: Any) -> None:
    for name, value in options.items():
        setattr(contents["args"], name, value)


def _says(**options: Any) -> Change:
    return partial(_say, **options)


def _both(*changes: Change) -> Change:
    return lambda contents: [change(contents) for change in changes]


def _drop(options: tuple[str, ...], contents: Contents) -> None:
    for name in options:
        delattr(contents["args"], name)


def _without(*options: str) -> Change:
    return partial(_drop, options)


def _no_args(contents: Contents) -> None:
    del contents["args"]


def _encoder(contents: Contents) -> None:
    """Leave the head and the norm before it out, as for features."""
    contents["model"] = {
        name: tensor
        for name, tensor in contents["model"].items()
        if not name.startswith(("head.", "fc_norm."))
    }


def _at(frames: int, size: int, **more: Any) -> Change:
    """Say other frames and another size, and the patches that these make."""
    window = (frames // 2, size // 16, size // 16)
    return _says(num_frames=frames, input_size=size, window_size=window, **more)


BEGUN = {"finetune": "pretrained.pth"}


# -- the catalogue ---------------------------------------------------------------------------------


def families() -> list[Family]:
    """Give every file that must be refused."""
    return [*_of_projects(), *_of_heads(), *_of_parameters(), *_of_pretraining(), *_of_types()]


def _of_projects() -> Iterable[Family]:
    mvd, everest = "relatives/mvd-finetuned.pth", "relatives/everest-mcm.pth"
    yield Family(
        "MVD, as it saves", mvd, "the network is MVD's. It adds three-dimensional positions"
    )
    yield Family("MVD, by remove_pos_emb", TUNED, "MVD's", _says(remove_pos_emb=False))
    alone = _both(_encoder, _says(use_cls_token=False))
    yield Family("MVD's encoder", TUNED, "MVD's", alone)
    yield Family(
        "EVEREST, as it saves",
        everest,
        "EVEREST's. Before the blocks it drops the tokens that change least",
    )
    yield Family("EVEREST, in text", TUNED, "args.mcm is 'True'", _says(mcm="True"))
    yield Family("InternVideo1, size", TUNED, "InternVideo1's", _says(num_segment=1, **BEGUN))
    frames = _at(8, 224, num_segment=1, **BEGUN)
    yield Family("InternVideo1, frames", TUNED, "interpolated from those of 16 frames", frames)
    small = _at(4, 64, head_drop_rate=0.0, with_checkpoint=False, **BEGUN)
    yield Family("VideoMAE V2, size and frames", TUNED, "fine-tuned with another image size", small)
    yield Family("UMT, size", TUNED, "UMT's", _says(use_learnable_pos_emb=False))
    missing = _at(16, 224, use_learnable_pos_emb=True)
    yield Family("learnable positions, not in the file", TUNED, "in a tensor pos_embed", missing)
    yield Family(
        "MME, masked", TUNED, "MME's. Even in tests it drops that share", _says(mask_ratio=0.5)
    )
    yield Family("MME, first token", CLS, "shuffles the others", _says(mask_ratio=0.0))
    yield Family("MAE-DFER, attention", TUNED, "MAE-DFER's", _says(attn_type="local_global"))
    yield Family("MAE-DFER, pooling", TUNED, "for each tubelet", _says(keep_temporal_dim=True))
    sigmoid = _says(head_activation_func="sigmoid")
    yield Family(
        "MAE-DFER, head", TUNED, "It applies a function to the outputs of its head", sigmoid
    )
    for option in ("ffn_adapt", "vpt"):
        yield Family(f"AdaptFormer, {option}", TUNED, "AdaptFormer's", _says(**{option: True}))


def _of_heads() -> Iterable[Family]:
    detector = "an action detector"
    yield Family("AVA detector", CLS, detector, _says(use_mean_pooling=True))
    ava = _both(_says(val_freq=2), _without(*TESTING))
    yield Family("AVA detector, --use_cls", CLS, detector, ava)
    yield Family("AVA detector, by its data", CLS, detector, _says(data_set="ava"))
    yield Family("InternVideo1's AVA detector", CLS, detector, _says(head_type="linear"))
    yield Family("UMT's AVA detector", CLS, detector, _says(close_amp=False))
    sizes = {"num_frames": 8, "image_size": 48}
    hint = "give use_mean_pooling: false"
    yield Family("head after norm, no options", CLS, hint, _no_args, sizes)
    silent = _without("use_mean_pooling")
    yield Family("head after norm, options silent", CLS, hint, silent)


def _of_parameters() -> Iterable[Family]:
    yield Family("cosine attention", V2, "cosine attention", _says(cos_attn=True))
    yield Family("another scale", TUNED, "another attention scale", _says(qk_scale=1.0))
    for option, value in (("act_layer", "nn.ReLU"), ("hidden_act", "gelu_new")):
        yield Family(f"{option} {value}", TUNED, "another activation", _says(**{option: value}))
    for wrong in (0, "small", [1e-5]):
        eps = _says(layer_norm_eps=wrong)
        yield Family(f"eps {wrong!r}", TUNED, "must be a number between 0 and 1", eps)
    given = {"layer_norm_eps": 1e-6}
    yield Family(
        "eps of the file", TUNED, "layer_norm_eps has two values", _says(norm_eps=1e-5), given
    )
    for no in (False, 0, "False"):
        pixels = _says(imagenet_default_mean_and_std=no)
        yield Family(f"Inception's pixels, {no!r}", TUNED, "Inception's mean", pixels)
    yield Family("Inception's pixels, inception", TUNED, "Inception's mean", _says(inception=True))
    other = _says(data_preprocessor={"mean": [127.5] * 3, "std": [127.5] * 3})
    yield Family("mmaction2's pixels, by 127.5", TUNED, "normalised by this mean", other)


def _of_pretraining() -> Iterable[Family]:
    everest = _says(motion_centric_masking_ratio=0.7)
    yield Family(
        "EVEREST's pre-training",
        PRETRAINED,
        "EVEREST's. It chooses the tokens of its encoder and decoder by motion",
        everest,
    )
    features = _says(target_type="dino_v1")
    yield Family("SIGMA's pre-training", PRETRAINED, "predicts features", features)
    frames = _says(use_frame_diff_as_target=True)
    yield Family("MAE-DFER's pre-training", PRETRAINED, "differences between frames", frames)
    positions = _says(use_cls_token=False)
    yield Family("MVD's options in pre-training", PRETRAINED, "MVD's", positions)


def _of_types() -> Iterable[Family]:
    """Give files whose options contradict their tensors, or each other, in any type."""
    another = "args.model is {}, but the tensors belong to another network"
    for name in ("vit_small_patch16_224", "vit_base_patch16_384", "vit_huge_patch8_64"):
        yield Family(f"model {name}", TUNED, another.format(name), _says(model=name))
    name = "pretrain_videomae_small_patch16_224"
    kind = f"{another.format(name)}: a classifier, not a pre-training model"
    yield Family(f"model {name}", TUNED, kind, _says(model=name))
    wrong: list[tuple[str, str, Any, str]] = [
        (TUNED, "nb_classes", "400", "args.nb_classes is 400"),
        (TUNED, "nb_classes", 400.0, "args.nb_classes is 400"),
        (TUNED, "nb_classes", [7], "args.nb_classes is [7] (of type list)"),
        (TUNED, "nb_classes", True, "args.nb_classes is True (of type bool)"),
        (TUNED, "tubelet_size", "4", "tubelet_size has two values: 2"),
        (TUNED, "tubelet_size", 2.5, "args.tubelet_size is 2.5 (of type float)"),
        (TUNED, "use_mean_pooling", 0, "use_mean_pooling has two values: True"),
        (TUNED, "use_mean_pooling", "False", "use_mean_pooling has two values: True"),
        (TUNED, "use_mean_pooling", "mean", "args.use_mean_pooling is 'mean' (of type str)"),
        (TUNED, "use_cls", True, "use_mean_pooling has two values: True"),
        (TUNED, "num_frames", 16.0, "args.window_size is [4, 4, 4], but num_frames 16"),
        (TUNED, "num_frames", "eight", "args.num_frames is 'eight' (of type str)"),
        (TUNED, "input_size", "224", "args.window_size is [4, 4, 4], but num_frames 8 and"),
        (TUNED, "input_size", {"size": 64}, "args.input_size is {'size': 64} (of type dict)"),
        (TUNED, "window_size", (8, 4, 4), "make it [4, 4, 4]"),
        (TUNED, "window_size", "4", "args.window_size is '4' (of type str)"),
        (TUNED, "patch_size", "14", "patch_size has two values: 16"),
        (TUNED, "patch_size", (16, 8), "takes only square patches"),
        (TUNED, "model", ["vit_small_patch16_224"], "args.model is ['vit_small"),
        (TUNED, "num_heads", 6, "num_attention_heads has two values: 6 (args.num_heads)"),
        (TUNED, "embed_dim", 384, "hidden_size has two values: 48"),
        (TUNED, "mlp_ratio", 2.0, "args.mlp_ratio 2.0 makes the MLP 96 wide"),
        (PRETRAINED, "decoder_depth", "4", "decoder_num_hidden_layers has two values: 2"),
        (PRETRAINED, "normlize_target", "norm", "args.normlize_target is 'norm'"),
    ]
    for file, option, value, hint in wrong:
        yield Family(f"{option}: {value!r}", file, hint, _says(**{option: value}))
    yield Family("args are a list", TUNED, "args is a list", _listed)


def _listed(contents: Contents) -> None:
    contents["args"] = ["--model", "vit_base_patch16_224"]


def right() -> list[Family]:
    """Give every control: files that must be converted and verified."""
    texts = _says(nb_classes="7", tubelet_size=2.0, input_size="64", use_mean_pooling=1)
    umt = {"checkpoint_num": 0, "use_decord": True, "delete_head": False, "test_best": False}
    first = {"num_frames": 8, "image_size": 48, "use_mean_pooling": "false"}
    authors = [Family(f"the authors' {Path(file).stem}", file) for file in HEADS]
    return [
        *authors,
        Family("SIGMA, as it saves", "relatives/sigma-finetuned.pth"),
        Family("SMILE", TUNED, change=_says(val_freq=1, not_dist=False, num_outputs=8)),
        Family("SMILE, --use_cls", CLS, change=_says(val_freq=1, not_dist=False)),
        Family("UMT's harmless options", TUNED, change=_says(**umt)),
        Family("EVEREST without mcm", TUNED, change=_says(mcm=False, mcm_ratio=0.4)),
        Family("MME without a mask", TUNED, change=_says(mask_ratio=0.0, crop_min=0.25)),
        Family("MAE-DFER, joint attention", TUNED, change=_says(attn_type="joint", depth=None)),
        Family("InternVideo1 at 224", TUNED, change=_at(16, 224, num_segment=1, **BEGUN)),
        Family("UMT at 224", TUNED, change=_at(16, 224, use_learnable_pos_emb=False)),
        Family("V2 from a file, 16 frames", V2, change=_at(16, 48, **BEGUN)),
        Family("head after norm, given", CLS, "", _no_args, first),
        Family("another's names for the same", TUNED, change=_says(num_heads=3, qk_scale=0.25)),
        Family("numbers in other types", TUNED, change=texts),
        Family("GELU by its class", TUNED, change=_says(act_layer=torch.nn.GELU)),
        Family("args as a dict", TUNED, change=_as_dict),
        Family("eps of the file", TUNED, change=_says(layer_norm_eps=1e-5)),
        Family("nothing said", TUNED, "", _no_args, {"num_frames": 8, "image_size": 64}),
    ]


def _as_dict(contents: Contents) -> None:
    assert isinstance(contents["args"], argparse.Namespace)
    contents["args"] = vars(contents["args"])


# -- what becomes of them --------------------------------------------------------------------------


def outcome(family: Family, workplace: Path) -> Outcome:
    """Have one file converted, which must be refused."""
    path, folder = workplace / FILE, workplace / "refused"
    family.save(path)
    converted = command("convert", path, folder, *family.config)
    said = converted.output.splitlines()[-1]
    refused = converted.code != 0 and said.startswith("error: ") and not folder.exists()
    return Outcome(family.name, refused, said, family.hint in said)


def control(family: Family, workplace: Path) -> Outcome:
    """Have one file converted and verified; it is ``caught`` if either refuses it."""
    path, folder = workplace / "control.pth", workplace / f"{family.name} right"
    family.save(path)
    converted = command("convert", path, folder, *family.config)
    done = converted
    if converted.code == 0:
        done = command("verify", path, folder, *family.config)
    return Outcome(family.name, done.code != 0, done.output.splitlines()[-1], True)


def outcomes(workplace: Path) -> list[Outcome]:
    """Tell what became of each file that must be refused."""
    return [outcome(family, workplace) for family in families()]


def controls(workplace: Path) -> list[Outcome]:
    """Tell what became of each control; none may be ``caught``."""
    return [control(family, workplace) for family in right()]
