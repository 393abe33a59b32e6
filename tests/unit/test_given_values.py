"""The eps of the layer norms and the values of the image processor, given or read from the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from videomae.checkpoint import lazy_tensor, reader
from videomae.convert import folding
from videomae.errors import ConversionError
from videomae.model.architecture import Architecture
from videomae.model.pixels import IMAGENET, Pixels, check
from videomae.model.positions import float32_errors, in_float32, sinusoid_positions
from videomae.score import model as scored
from videomae.verify import clips
from videomae.verify.checks import function

from tests.conftest import DATA, Outcome, command

TUNED, HEADS = DATA / "trained/v1-finetuned.pth", ["num_attention_heads=3"]
HALF = ["image_mean=[0.5, 0.5, 0.5]", "image_std=[0.5, 0.5, 0.25]"]
LEVELS = [
    "image_mean=[122.77, 115.95, 102.98]",
    "image_std=[57.375, 57.375, 57.375]",
    "do_rescale=false",
]
MARLIN = DATA / "relatives/marlin-encoder.pt"
OF_MARLIN = ["num_attention_heads=3", "num_frames=16", "image_size=64"]


def convert(path: Path, folder: Path, *config: str) -> Outcome:
    return command("convert", path, folder, "--overwrite", "--config", *config)


def contents(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config and the processor's config of a folder."""
    names = ("config.json", "preprocessor_config.json")
    config, processor = (json.loads((folder / name).read_text()) for name in names)
    return config, processor


def test_given_values_are_written(tmp_path: Path) -> None:
    outcome = convert(TUNED, tmp_path / "out", *HEADS, "layer_norm_eps=1e-5", *LEVELS)
    assert outcome.code == 0, outcome.output
    config, processor = contents(tmp_path / "out")
    assert config["layer_norm_eps"] == 1e-5
    assert not {"image_mean", "image_std", "do_rescale"} & config.keys()
    assert processor["image_mean"] == [122.77, 115.95, 102.98]
    assert (processor["image_std"], processor["do_rescale"]) == ([57.375] * 3, False)


@pytest.mark.full
@pytest.mark.parametrize(
    ("values", "failing"),
    [
        (["layer_norm_eps=1e-5"], "layer_norm_eps is 1e-05, should be 1e-06"),
        (HALF, "image_mean is [0.5, 0.5, 0.5], should be [0.485"),
        (LEVELS, "do_rescale is False, should be True"),
    ],
)
def test_given_values_are_part_of_the_proof(
    values: list[str], failing: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    assert convert(TUNED, tmp_path / "out", *HEADS, *values).code == 0
    given = ["--report", report, "--config", *HEADS]
    right = command("verify", TUNED, tmp_path / "out", *given, *values)
    assert right.code == 0, right.output
    rows = json.loads(report.read_text())["assumptions"]
    named = {row["value"]: row["origin"] for row in rows}
    assert list(named.values()).count("given") == 2, named  # the heads, and these
    wrong = command("verify", TUNED, tmp_path / "out", *given)
    assert wrong.code == 1
    assert failing in wrong.output


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["image_mean=[0.5, 0.5, 0.5]"], "image_mean alone says too little; give image_mean and"),
        (["do_rescale=false"], "do_rescale alone says too little"),
        (LEVELS[:2], "image_mean has 122.77, which is not between 0 and 1; divide it by 255"),
        ([*HALF, "do_rescale=false"], "image_std has 0.25, which is not between 0.255 and 255"),
        (["image_mean=[0, 0, 0]", "image_std=[1, 0, 1]"], "image_std has 0, which is not between"),
    ],
)
def test_values_that_no_pixels_have_are_refused(
    values: list[str], message: str, tmp_path: Path
) -> None:
    outcome = convert(TUNED, tmp_path / "out", *HEADS, *values)
    assert outcome.code == 1
    assert message in outcome.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "value",
    [
        "layer_norm_eps=0",
        "layer_norm_eps=.nan",
        "layer_norm_eps=true",
        "image_mean=[0.5, 0.5]",
        "image_mean=0.5",
        "image_std=[a, b, c]",
        "do_rescale=1",
    ],
)
def test_option_of_another_type_is_wrong_usage(value: str, tmp_path: Path) -> None:
    outcome = convert(TUNED, tmp_path / "out", value)
    assert outcome.code == 2
    assert "is not NAME=VALUE with one of" in outcome.output


def test_pretraining_needs_the_pixels_that_its_loss_has() -> None:
    values = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    with pytest.raises(ConversionError, match=r"transformers' loss of pre-training needs ImageNet"):
        check(values, "pretraining")
    check({"image_mean": list(IMAGENET.mean), "image_std": list(IMAGENET.std)}, "pretraining")


def test_inceptions_pixels_are_settled_by_the_values(tmp_path: Path) -> None:
    content = torch.load(TUNED, weights_only=False)
    content["args"].imagenet_default_mean_and_std = False
    torch.save(content, tmp_path / "it.pth")
    refused = convert(tmp_path / "it.pth", tmp_path / "out", *HEADS)
    assert refused.code == 1
    assert "ImageNet's unless image_mean and image_std are given" in refused.output
    outcome = convert(tmp_path / "it.pth", tmp_path / "out", *HEADS, *HALF)
    assert outcome.code == 0, outcome.output


def test_mmengines_pixels_are_read(tmp_path: Path) -> None:
    content, _ = reader.load(DATA / "relatives/mmaction2-finetuned.pth")
    text = content["meta"]["cfg"].replace("123.675", "127.5").replace("eps=1e-06", "eps=1e-05")
    state = {name: lazy_tensor.read(entry) for name, entry in content["state_dict"].items()}
    torch.save({"meta": {"cfg": text}, "state_dict": state}, tmp_path / "it.pth")
    outcome = command("convert", tmp_path / "it.pth", tmp_path / "out")
    assert outcome.code == 0, outcome.output
    config, processor = contents(tmp_path / "out")
    assert (processor["image_mean"], processor["do_rescale"]) == ([127.5, 116.28, 103.53], False)
    assert config["layer_norm_eps"] == 1e-5
    assert "layer_norm_eps: 1e-05 (meta.cfg model.backbone.norm_cfg.eps)" in outcome.output


def test_detectors_pixels_are_those_of_its_project_unless_given(tmp_path: Path) -> None:
    path, part = DATA / "relatives/action-detection-ava.pth", ("--part", "encoder")
    out = tmp_path / "out"
    assert command("convert", path, out, *part, "--config", *HEADS).code == 0
    assert contents(out)[1]["image_std"] == [57.375] * 3
    given = ("--overwrite", "--config", *HEADS, *HALF)
    assert command("convert", path, out, *part, *given).code == 0
    assert contents(out)[1]["image_std"] == [0.5, 0.5, 0.25]


def test_marlins_eps_and_pixels_come_with_its_names(tmp_path: Path) -> None:
    outcome = convert(MARLIN, tmp_path / "out", *OF_MARLIN)
    assert outcome.code == 0, outcome.output
    config, processor = contents(tmp_path / "out")
    assert config["layer_norm_eps"] == 1e-5
    assert (processor["image_mean"], processor["image_std"]) == ([0.0] * 3, [1.0] * 3)
    refused = convert(MARLIN, tmp_path / "out", *OF_MARLIN, "layer_norm_eps=1e-6")
    assert "layer_norm_eps has two values: 1e-05 (as in MARLIN's code" in refused.output


def test_score_normalises_by_the_folders_processor() -> None:
    usual = Pixels((122.77, 115.95, 102.98), (57.375, 57.375, 57.375), rescale=False)
    clip = clips.synthetic_clip(2, 8)
    found = scored.pixels(np.asarray(clip[None]), "cpu", usual)
    assert torch.allclose(found, clips.normalised(clip, usual), atol=1e-6)


# -- positions that were computed in float32 -------------------------------------------------------


def table(tokens: int, width: int) -> torch.Tensor:
    """The sinusoid table, by arithmetic in float32."""
    column = np.arange(width)
    power = np.power(np.float32(10000), (2 * (column // 2) / width).astype(np.float32))
    angle = np.arange(tokens, dtype=np.float32)[:, None] / power
    return torch.from_numpy(np.where(column % 2, np.cos(angle), np.sin(angle)))[None]


@pytest.mark.parametrize(("tokens", "width"), [(128, 48), (1568, 768), (1568, 1024)])
def test_float32_explains_only_what_it_can(tokens: int, width: int) -> None:
    errors = (table(tokens, width) - sinusoid_positions(tokens, width)).abs()
    bounds = float32_errors(tokens, width)
    assert (errors <= bounds).all()
    assert in_float32(table(tokens, width)).all()
    assert (errors / bounds).max() > 0.3  # so it allows little more than what happens


def architecture(width: int, size: int) -> Architecture:
    config = {"hidden_size": width, "num_frames": 16, "image_size": size}
    config |= {"patch_size": 16, "tubelet_size": 2}
    return Architecture("encoder", config, dict.fromkeys(config, "given"))


def test_positions_computed_in_float32_are_left_out() -> None:
    largest, note = folding._position_errors("pos_embed", table(1568, 768), architecture(768, 224))
    assert 1e-5 < largest < 2e-4
    assert "computed in float32 (to 0.00012, which rounding explains)" in note


@pytest.mark.parametrize("where", [(0, 0, 0), (0, 700, 767), (0, 1567, 400)])
def test_trained_positions_are_refused_though_they_moved_little(where: tuple[int, ...]) -> None:
    moved = table(1568, 768)
    moved[where] += 8e-5
    with pytest.raises(
        ConversionError, match=r"float32 does not explain \d of its 1,204,224 value"
    ):
        folding._position_errors("pos_embed", moved, architecture(768, 224))


@pytest.mark.full
def test_effect_of_exact_positions_is_measured_and_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert convert(MARLIN, tmp_path / "out", *OF_MARLIN).code == 0
    report = tmp_path / "report.json"
    given = (MARLIN, tmp_path / "out", "--report", report, "--config", *OF_MARLIN)
    outcome = command("verify", *given)
    assert outcome.code == 0, outcome.output
    assert 1e-7 < json.loads(report.read_text())["positions_effect"] < 1e-5
    monkeypatch.setattr(function, "POSITIONS_LIMIT", 1e-9)
    outcome = command("verify", *given)
    assert outcome.code == 1
    assert "positions effect: " in outcome.output
