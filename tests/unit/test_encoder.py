"""Files without head and decoder become the encoder alone, verified; parts of a decoder do not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import VideoMAEForPreTraining, VideoMAEModel
from videomae.convert import weight_mapping
from videomae.publish import model_card

from tests.conftest import DATA, Outcome, command, snippets
from tests.proof.test_reference import inputs, trained

HEADS = ("--config", "num_attention_heads=3")
RECEIPT = {"source": "it.pth", "sha256": "ab" * 32}


def strip(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}


def without_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in state.items() if not name.startswith("norm.")}


def encoders() -> dict[str, dict[str, Tensor]]:
    """What stands under ``model`` in encoder files of the trained networks."""
    pretrained = trained("v1-pretrained")[0].tensors
    bare = strip(pretrained, "encoder.")
    classifier = trained("v1-finetuned")[0].tensors
    return {
        "bare": bare,
        "prefixed": {f"encoder.{name}": tensor for name, tensor in bare.items()},
        "without a norm": without_norm(bare),
        "classifier's": {
            name: t for name, t in classifier.items() if not name.startswith(("fc_norm", "head"))
        },
    }


def save(state: dict[str, Tensor], path: Path, source: str = "v1-pretrained") -> Path:
    content = torch.load(DATA / f"trained/{source}.pth", weights_only=False)
    torch.save({"model": state, "args": content["args"]}, path)
    return path


def convert(path: Path, folder: Path, *options: str) -> Outcome:
    outcome = command("convert", path, folder, *(options or HEADS))
    assert outcome.code == 0, outcome.output
    return outcome


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save(encoders()["prefixed"], tmp_path / "it.pth")


@pytest.mark.parametrize("name", encoders())
def test_encoder_alone_is_converted_aloud_and_verified(name: str, tmp_path: Path) -> None:
    state = encoders()[name]
    source = "v1-finetuned" if name == "classifier's" else "v1-pretrained"
    path = save(state, tmp_path / "it.pth", source)
    said = convert(path, tmp_path / "folder").output
    assert "kind: encoder" in said
    assert "no head and no decoder, so the model is a VideoMAEModel" in said
    outcome = command(
        "verify", path, tmp_path / "folder", *HEADS, "--passed", tmp_path / "report.json"
    )
    assert outcome.code == 0, outcome.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["proven_on"]["frames"] == 4
    assert report["max_abs_difference"] <= report["tolerance"] / 10
    assert report["eps_effect"] == 0
    assert report["layers"].keys() >= {"encoder layer 1, output"}
    names = {check["name"] for check in report["checks"]}
    assert {"function, masked", "function, nearly constant clip", "load report"} <= names
    assert command("load", path, tmp_path / "folder", *HEADS).code == 0


def test_encoder_gives_the_authors_tokens_and_those_of_the_whole_model(tmp_path: Path) -> None:
    path, whole = save(encoders()["bare"], tmp_path / "it.pth"), DATA / "trained/v1-pretrained.pth"
    convert(path, tmp_path / "folder")
    convert(whole, tmp_path / "whole", *HEADS, "decoder_num_attention_heads=3")
    model, info = VideoMAEModel.from_pretrained(tmp_path / "folder", output_loading_info=True)
    assert not any(info.values())
    full = VideoMAEForPreTraining.from_pretrained(tmp_path / "whole").videomae
    _, architecture, truth = trained("v1-pretrained")
    pixels, mask = inputs(architecture, 0.9)
    with torch.no_grad():
        tokens = model.eval()(pixels, bool_masked_pos=mask).last_hidden_state
        assert torch.equal(tokens, full.eval()(pixels, bool_masked_pos=mask).last_hidden_state)
    expected: dict[str, Any] = truth["hidden"]["encoder.norm"]
    assert list(tokens.shape) == expected["shape"]
    assert tokens.flatten()[:4].tolist() == pytest.approx(expected["first4"], abs=2e-5)


@pytest.mark.parametrize(
    ("tensor", "check"),
    [
        ("layernorm.bias", "function"),
        ("encoder.layer.1.attention.attention.key.weight", "encoder layer 1, attention output"),
        ("embeddings.patch_embeddings.projection.bias", "patch embedding with positions"),
    ],
)
def test_encoder_that_is_wrong_fails(tensor: str, check: str, file: Path, tmp_path: Path) -> None:
    convert(file, tmp_path / "folder")
    weights = tmp_path / "folder/model.safetensors"
    tensors = load_file(weights)
    tensors[tensor] *= 1.1
    save_file(tensors, weights, metadata={"format": "pt"})
    outcome = command("verify", file, tmp_path / "folder", *HEADS)
    assert outcome.code == 1
    assert "1 of " in outcome.output
    assert "FAILED function, masked" in outcome.output
    assert check in outcome.output


def test_encoder_is_restored_bit_by_bit(file: Path, tmp_path: Path) -> None:
    convert(file, tmp_path / "folder")
    assert command("restore", tmp_path / "folder", tmp_path / "back.pth").code == 0
    held = torch.load(tmp_path / "back.pth", weights_only=False)["model"]
    original = encoders()["bare"]
    assert held.keys() == original.keys()
    assert all(weight_mapping.same_bits(held[name], original[name]) for name in original)
    outcome = command("verify", tmp_path / "back.pth", tmp_path / "folder", *HEADS)
    assert outcome.code == 0, outcome.output


def test_card_of_an_encoder_says_so_and_its_snippet_runs(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    convert(file, tmp_path / "it")
    command("verify", file, tmp_path / "it", *HEADS, "--passed", tmp_path / "report.json")
    text = model_card.model_card(json.loads((tmp_path / "report.json").read_text()), RECEIPT)
    assert "VideoMAE video encoder" in text
    assert "no head and no decoder" in text
    assert "eps 1e-5" not in text
    monkeypatch.chdir(tmp_path)
    (snippet,) = snippets(text)
    exec(snippet, {})
    assert "torch.Size([1, 128, 48])" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("mask_token", "the decoder is incomplete: mask_token missing"),
        ("encoder_to_decoder.weight", "decoder is incomplete: encoder_to_decoder.weight missing"),
        ("decoder.head.weight", "decoder is incomplete: decoder.head.weight missing"),
        ("decoder.blocks.1.", "decoder_num_hidden_layers has two values: 1 (tensor"),
        ("decoder.norm.", "2 tensors are missing from the checkpoint: decoder.norm.weight"),
        ("encoder.norm.", "2 tensors are missing from the checkpoint: encoder.norm.weight"),
    ],
)
def test_part_of_a_pretraining_model_is_refused(
    left_out: str, message: str, tmp_path: Path
) -> None:
    whole = trained("v1-pretrained")[0].tensors
    state = {name: tensor for name, tensor in whole.items() if not name.startswith(left_out)}
    path = save(state, tmp_path / "it.pth")
    heads = (*HEADS, "decoder_num_attention_heads=3")
    outcome = command("convert", path, tmp_path / "folder", *heads)
    assert outcome.code == 1
    assert message in outcome.output
    assert [found.name for found in tmp_path.iterdir()] == ["it.pth"]


def test_head_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    whole = trained("v1-finetuned")[0].tensors
    path = save({n: t for n, t in whole.items() if n != "head.weight"}, tmp_path / "it.pth")
    outcome = command("convert", path, tmp_path / "folder", *HEADS)
    assert outcome.code == 1
    assert "head.bias" in outcome.output
    assert [found.name for found in tmp_path.iterdir()] == ["it.pth"]
