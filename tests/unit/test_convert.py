"""`convert.py`: what a folder holds, and that bad input leaves nothing behind."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from videomae.download import synthetic_weights

from tests.conftest import SEVEN_LABELS, command, given

Folders = dict[str, Path]


def read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name).read_text())
    return content


def test_folder_holds_three_files_that_everyone_may_read(converted: Folders) -> None:
    folder = converted["tiny-finetuned"]
    names = ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert all(path.stat().st_mode & stat.S_IROTH for path in folder.iterdir())


def test_config_carries_the_names_of_every_release(converted: Folders) -> None:
    config = read(converted["tiny-finetuned"], "config.json")
    assert config["qkv_bias"] is config["qv_bias"] is True
    assert config["dtype"] == config["torch_dtype"] == "float32"
    assert config["layer_norm_eps"] == 1e-6
    assert config["num_attention_heads"] == 3
    assert config["architectures"] == ["VideoMAEForVideoClassification"]


def test_processor_has_the_authors_mean_and_std(converted: Folders) -> None:
    processor = read(converted["tiny-pretraining"], "preprocessor_config.json")
    assert processor["image_mean"] == [0.485, 0.456, 0.406]
    assert processor["image_std"] == [0.229, 0.224, 0.225]
    assert processor["image_processor_type"] == "VideoMAEImageProcessor"
    assert processor["size"] == {"shortest_edge": 32}
    assert processor["crop_size"] == {"height": 32, "width": 32}


def test_synthetic_weights_are_marked_in_config_and_weights(converted: Folders) -> None:
    for folder in converted.values():
        assert "never trained" in read(folder, "config.json")["rehearsal"]
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            assert file.metadata()["format"] == "pt"
            assert "never trained" in file.metadata()["rehearsal"]


def test_conversion_says_what_it_found_and_left_behind(
    checkpoints: Folders, tmp_path: Path
) -> None:
    path = checkpoints["tiny-finetuned"]
    outcome = command("convert", path, tmp_path / "out", *given("tiny-finetuned"))
    assert "num_attention_heads: 3 (given)" in outcome.output
    assert "hidden_size: 48 (tensor patch_embed.proj.weight)" in outcome.output
    assert "left behind: buffer_names, optimizer" in outcome.output
    lines = outcome.output.splitlines()
    assert lines[0] == f"reading {path}"
    assert lines[-3] == f"writing {tmp_path / 'out'}: 0.0 of 527.9 kB"
    assert lines[-2].startswith(f"writing {tmp_path / 'out'}: 527.9 of 527.9 kB")
    assert lines[-1].endswith(" tensors written")


def test_labels_go_into_both_maps(checkpoints: Folders, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(SEVEN_LABELS)
    labels = f"--labels={tmp_path / 'labels.txt'}"
    path = checkpoints["tiny-finetuned"]
    command("convert", path, tmp_path / "out", labels, *given("tiny-finetuned"))
    config = read(tmp_path / "out", "config.json")
    assert config["id2label"]["6"] == "label 6"
    assert config["label2id"]["label 6"] == 6


def test_half_precision_checkpoint_is_widened(tmp_path: Path) -> None:
    state = {name: t.half() for name, t in synthetic_weights.state_dict("tiny-finetuned").items()}
    torch.save({"module": state}, tmp_path / "half.pth")
    command("convert", tmp_path / "half.pth", tmp_path / "out", *given("tiny-finetuned"))
    with safe_open(tmp_path / "out/model.safetensors", framework="pt") as file:
        weight = file.get_tensor("classifier.weight")
    assert weight.dtype == torch.float32
    assert torch.equal(weight.half(), state["head.weight"])


Change = Callable[[dict[str, Any]], object]


def _not_finite(content: dict[str, Any]) -> None:
    content["module"]["head.weight"][3, 4] = float("nan")


def _nothing(_content: dict[str, Any]) -> None:
    pass


def _cosine(content: dict[str, Any]) -> None:
    content["module"]["blocks.0.attn.scale"] = torch.ones(3, 1, 1)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (_not_finite, [], r"not finite: NaN or infinite values in head.weight (1 values)"),
        (_cosine, [], "blocks.0.attn.scale"),
        (lambda content: content.pop("module"), [], "top-level keys are buffer_names"),
        (_nothing, ["--sha256", "0" * 64], "but 000"),
        (_nothing, ["--labels", "LABELS"], "has 3 labels, but the checkpoint's head"),
        (_nothing, ["--labels", "nowhere"], "nowhere: no such file"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(
    tmp_path: Path, change: Change, options: list[str], message: str
) -> None:
    synthetic_weights.save("tiny-finetuned", tmp_path / "it.pth")
    content = torch.load(tmp_path / "it.pth", weights_only=False)
    change(content)
    torch.save(content, tmp_path / "it.pth")
    (tmp_path / "labels").write_text("a\nb\nc\n")
    options = [str(tmp_path / "labels") if option == "LABELS" else option for option in options]
    before = sorted(path.name for path in tmp_path.iterdir())
    outcome = command(
        "convert", tmp_path / "it.pth", tmp_path / "out", *options, *given("tiny-finetuned")
    )
    assert outcome.code == 1
    assert message in outcome.output
    assert outcome.output.count("error:") == 1
    assert "nowhere" in message or f"error: {tmp_path / 'it.pth'}: " in outcome.output
    assert "Traceback" not in outcome.output
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_missing_heads_are_asked_for(checkpoints: Folders, tmp_path: Path) -> None:
    outcome = command("convert", checkpoints["tiny-finetuned"], tmp_path / "out")
    assert outcome.code == 1
    assert "Give the value from training" in outcome.output
    assert not (tmp_path / "out").exists()


def test_unknown_config_value_is_refused_with_those_that_exist(
    checkpoints: Folders, tmp_path: Path
) -> None:
    path = checkpoints["tiny-finetuned"]
    outcome = command("convert", path, tmp_path / "out", "--config", "heads=3")
    assert outcome.code == 2
    assert "num_attention_heads (int)" in outcome.output


@pytest.mark.parametrize("name", ["thesis.tex", "README.md"])
def test_folder_with_other_files_is_left_alone(
    name: str, checkpoints: Folders, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("years of work")
    path = checkpoints["tiny-finetuned"]
    outcome = command("convert", path, tmp_path, *given("tiny-finetuned"))
    assert outcome.code == 1
    assert f"has other files ({name})" in outcome.output
    assert (tmp_path / name).read_text() == "years of work"


def test_folder_is_replaced_with_its_card_only_when_that_is_asked_for(
    checkpoints: Folders, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\nlibrary_name: transformers\n---\n")
    (folder / "config.json").write_text("{}")
    asked = (checkpoints["tiny-finetuned"], folder, *given("tiny-finetuned"))
    refused = command("convert", *asked)
    assert refused.code == 1
    assert f"{folder} exists; give --overwrite to replace it" in refused.output
    assert (folder / "config.json").read_text() == "{}"
    assert command("convert", *asked, "--overwrite").code == 0
    assert sorted(p.name for p in folder.iterdir())[:2] == ["config.json", "model.safetensors"]
    assert not (folder / "README.md").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_file_in_the_folders_place_is_left_alone(checkpoints: Folders, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("years of work")
    asked = (checkpoints["tiny-finetuned"], tmp_path / "out", *given("tiny-finetuned"))
    refused = command("convert", *asked, "--overwrite")
    assert refused.code == 1
    assert "out is a file, but must be a folder" in refused.output
    assert (tmp_path / "out").read_text() == "years of work"


def test_empty_folder_may_be_written_to(checkpoints: Folders, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = checkpoints["tiny-finetuned"]
    assert command("convert", path, tmp_path / "out", *given("tiny-finetuned")).code == 0
