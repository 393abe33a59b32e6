"""Training options of other programs: mmengine's config, read as literals."""

from pathlib import Path

import pytest
import torch
from videomae.checkpoint import lazy_tensor, reader, training_args
from videomae.checkpoint.training_args import named

from tests.conftest import DATA, command

CHECKPOINT = DATA / "relatives/mmaction2-finetuned.pth"
MODEL = "model = dict(backbone=dict(type='VisionTransformer', num_heads=3{}), type='Recognizer3D')"


def of(text: str) -> training_args.Options:
    found = training_args.find({"meta": {"cfg": text}})
    assert found is not None
    return found


def test_heads_frames_and_size_come_from_mmengines_config() -> None:
    said = command("inspect", CHECKPOINT).output
    assert "num_attention_heads: 3 (meta.cfg model.backbone.num_heads)" in said
    assert "num_frames: 8 (meta.cfg model.backbone.num_frames)" in said
    assert "image_size: 64 (meta.cfg model.backbone.img_size)" in said
    assert "can be converted" in said
    assert "not options of the authors' scripts" not in said


def test_other_heads_than_mmengines_config_has_are_a_contradiction(tmp_path: Path) -> None:
    outcome = command("convert", CHECKPOINT, tmp_path, "--config", "num_attention_heads=6")
    assert outcome.code == 1
    assert "3 (meta.cfg model.backbone.num_heads)" in outcome.output


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        (
            "mean=[\n            123.675",
            "mean=[\n            1000",
            "image_mean has 1000, which is",
        ),
        ("eps=1e-06", "eps='x'", "meta.cfg model.backbone.norm_cfg.eps is 'x' (of type str)"),
        ("embed_dims=48", "embed_dims=96", "96 (meta.cfg model.backbone.embed_dims)"),
        ("mlp_ratio=4", "mlp_ratio=2", "meta.cfg model.backbone.mlp_ratio 2 makes the MLP 96 wide"),
        ("num_heads=3", "num_heads='x'", "meta.cfg model.backbone.num_heads is 'x'"),
    ],
)
def test_config_of_another_network_is_refused_by_its_key(
    replaced: str, by: str, message: str, tmp_path: Path
) -> None:
    content, _ = reader.load(CHECKPOINT)
    text = content["meta"]["cfg"]
    assert replaced in text
    state = {name: lazy_tensor.read(entry) for name, entry in content["state_dict"].items()}
    changed = {"meta": {"cfg": text.replace(replaced, by)}, "state_dict": state}
    torch.save(changed, tmp_path / "it.pth")
    refused = command("convert", tmp_path / "it.pth", tmp_path / "out")
    assert refused.code == 1
    assert message in refused.output


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model = (",
        "model = build()",
        "model = __import__('os').system('true')",
        "model = dict(backbone=dict(num_heads=print(3)))",
        "model = dict(**{'backbone': 1})",
        "model = 3",
        "x = 1",
        f"model = {'[' * 500}{']' * 500}",
        MODEL.format("").replace("VisionTransformer", "SwinTransformer3D"),
    ],
)
def test_text_that_says_nothing_of_the_network_gives_no_options(text: str) -> None:
    assert of(text) == {}


def test_names_in_the_file_are_kept() -> None:
    options = of(MODEL.format(", num_frames=16"))
    assert options == {"num_heads": 3, "num_frames": 16}
    assert named(options, "num_heads") == "meta.cfg model.backbone.num_heads"
    assert named({"num_heads": 3}, "num_heads") == "args.num_heads"


def test_authors_options_come_first() -> None:
    found = training_args.find({"args": {"num_heads": 4}, "meta": {"cfg": MODEL.format("")}})
    assert found == {"num_heads": 4}
    assert training_args.find({"args": 3}) is None
