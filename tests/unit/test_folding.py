"""What transformers has no place for is folded in and proven, or refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from videomae.checkpoint.lazy_tensor import read
from videomae.convert import folding, weight_mapping
from videomae.errors import ConversionError
from videomae.publish.model_card import model_card
from videomae.verify.reference import LOGITS, Reference

from tests.conftest import DATA, Outcome, command
from tests.proof.test_reference import inputs, trained

State = dict[str, Tensor]
Change = Callable[[State], object]
RECEIPT = {"source": "it.pth", "sha256": "ab" * 32}


def options(name: str) -> list[str]:
    config = trained(name)[1].config
    return ["--config", *(f"{k}={v}" for k, v in config.items() if k.endswith("attention_heads"))]


def save(path: Path, change: Change, name: str = "v1-finetuned") -> Path:
    """A trained file whose state dict is changed."""
    content = torch.load(DATA / f"trained/{name}.pth", weights_only=False)
    change(content["model"])
    torch.save({"model": content["model"], "args": content["args"]}, path)
    return path


def verify(path: Path, folder: Path, *more: object, name: str = "v1-finetuned") -> Outcome:
    return command("verify", path, folder, *options(name), *more)


def assert_refused(path: Path, message: str, name: str = "v1-finetuned") -> None:
    before = sorted(path.parent.iterdir())
    outcome = command("convert", path, path.parent / "folder", *options(name))
    assert outcome.code == 1
    assert message in outcome.output
    assert outcome.output.count("error:") == 1
    assert "Traceback" not in outcome.output
    assert sorted(path.parent.iterdir()) == before


# -- layer scale -----------------------------------------------------------------------------------


def add_gammas(state: State) -> None:
    """Layer scale of all signs and sizes in every block, encoder's and decoder's."""
    generator = torch.Generator().manual_seed(5)
    for name in [name for name in state if name.endswith(".norm1.weight")]:
        for gamma in folding.SCALED:
            width = len(state[name])
            values = torch.randn(width, generator=generator)
            state[name.replace("norm1.weight", gamma)] = values


@pytest.fixture
def scaled(tmp_path: Path) -> Path:
    return save(tmp_path / "it.pth", add_gammas)


@pytest.mark.parametrize("name", ["v1-finetuned", "v1-cls", "v2-finetuned", "v1-pretrained"])
def test_layer_scale_is_folded_aloud_and_proven_against_the_unfolded_network(
    name: str, tmp_path: Path
) -> None:
    path, report = save(tmp_path / "it.pth", add_gammas, name), tmp_path / "report.json"
    converted = command("convert", path, tmp_path / "folder", *options(name))
    assert converted.code == 0, converted.output
    count = 8 if name == "v1-pretrained" else 4
    said = f"layer scale: {count} gammas folded into attn.proj and mlp.fc2"
    assert said in converted.output
    outcome = verify(path, tmp_path / "folder", "--passed", report, name=name)
    assert outcome.code == 0, outcome.output
    content = json.loads(report.read_text())
    assert content["folded"] == [said]
    assert content["max_abs_difference"] <= content["tolerance"] / 2
    assert said in model_card(content, RECEIPT)
    assert command("load", path, tmp_path / "folder", *options(name)).code == 0


def test_reference_multiplies_what_a_block_adds() -> None:
    """With gamma of a power of two folding is exact, so nothing may differ by a bit."""
    opened, architecture, _ = trained("v1-finetuned")
    pixels, _ = inputs(architecture, 0)
    gammas = {
        f"blocks.{layer}.gamma_{number}": torch.full((48,), 0.5 * number)
        for layer in range(2)
        for number in (1, 2)
    }
    by_hand = dict(opened.tensors)
    for layer in range(2):
        for part in ("weight", "bias"):
            by_hand[f"blocks.{layer}.attn.proj.{part}"] = (
                0.5 * by_hand[f"blocks.{layer}.attn.proj.{part}"]
            )
    expected = dict(Reference(by_hand, architecture).steps(pixels))[LOGITS]
    found = dict(Reference({**opened.tensors, **gammas}, architecture).steps(pixels))[LOGITS]
    assert torch.equal(found, expected)
    folded = folding.fold({**opened.tensors, **gammas}, architecture).entries
    assert folded.keys() == by_hand.keys()
    assert all(weight_mapping.same_bits(read(folded[name]), by_hand[name]) for name in by_hand)


def test_without_layer_scale_every_tensor_is_the_checkpoints_own() -> None:
    opened, architecture, _ = trained("v1-finetuned")
    folded = folding.fold(opened.entries, architecture)
    assert folded.notes == ()
    assert all(folded.entries[name] is entry for name, entry in opened.entries.items())


@pytest.mark.parametrize("times", [0, 2])
def test_gamma_left_out_or_applied_twice_fails(times: int, scaled: Path, tmp_path: Path) -> None:
    command("convert", scaled, tmp_path / "folder", *options("v1-finetuned"))
    weights = tmp_path / "folder/model.safetensors"
    tensors = load_file(weights)
    gamma = torch.load(scaled, weights_only=False)["model"]["blocks.1.gamma_2"]
    for part in ("weight", "bias"):
        dense = tensors[f"videomae.encoder.layer.1.output.dense.{part}"]
        dense *= (gamma if dense.dim() == 1 else gamma[:, None]) ** (times - 1)
    save_file(tensors, weights, metadata={"format": "pt"})
    outcome = verify(scaled, tmp_path / "folder")
    assert outcome.code == 1
    assert "FAILED loaded tensors, bit by bit: 2 of " in outcome.output
    assert "FAILED function" in outcome.output
    assert "outputs first differ at encoder layer 1, output" in outcome.output


def test_folding_that_is_wrong_is_seen_by_the_function(
    scaled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides fold alike, so only the unfolded network can tell."""
    monkeypatch.setitem(folding.SCALED, "gamma_1", "mlp.fc2")
    monkeypatch.setitem(folding.SCALED, "gamma_2", "attn.proj")
    command("convert", scaled, tmp_path / "folder", *options("v1-finetuned"))
    outcome = verify(scaled, tmp_path / "folder")
    assert outcome.code == 1
    assert "ok     loaded tensors, bit by bit" in outcome.output
    assert "FAILED function" in outcome.output
    assert "outputs first differ at encoder layer 0, attention output" in outcome.output
    narrow = ("--dtype", "float16")
    command("convert", scaled, tmp_path / "half", *options("v1-finetuned"), *narrow)
    assert "FAILED folding" in verify(scaled, tmp_path / "half", *narrow).output


def test_layer_scale_in_a_narrower_folder_is_folded_before_rounding(
    scaled: Path, tmp_path: Path
) -> None:
    narrow = ("--dtype", "float16")
    command("convert", scaled, tmp_path / "folder", *options("v1-finetuned"), *narrow)
    outcome = verify(scaled, tmp_path / "folder", *narrow)
    assert outcome.code == 0, outcome.output
    assert "ok     folding" in outcome.output


def _set(name: str, value: float) -> Change:
    def change(state: State) -> None:
        add_gammas(state)
        state[name][3] = value

    return change


def _drop(*names: str) -> Change:
    def change(state: State) -> None:
        add_gammas(state)
        for name in names:
            del state[name]

    return change


def _resize(state: State) -> None:
    add_gammas(state)
    state["blocks.0.gamma_2"] = torch.ones(47)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("blocks.1.gamma_1", 1e-45), "blocks.1.gamma_1 can't be folded into"),
        (
            _set("blocks.0.gamma_2", float("nan")),
            "not finite: NaN or infinite values in blocks.0.gamma_2",
        ),
        (_drop("blocks.1.gamma_2"), "layer scale is incomplete: blocks.1.gamma_2 missing"),
        (_drop("blocks.0.gamma_1", "blocks.1.gamma_1"), "blocks.{0...1}.gamma_1 missing"),
        (_drop("blocks.1.attn.proj.weight"), "are missing from the checkpoint: blocks.1.attn.proj"),
        (_resize, "blocks.0.gamma_2 has shape [47], but blocks.0.mlp.fc2.bias needs [48]"),
    ],
)
def test_layer_scale_that_can_not_be_folded_is_refused(
    change: Change, message: str, tmp_path: Path
) -> None:
    assert_refused(save(tmp_path / "it.pth", change), message)


def test_product_that_is_too_large_is_refused() -> None:
    opened, architecture, _ = trained("v1-finetuned")
    state = dict(opened.tensors)
    add_gammas(state)
    state["blocks.0.gamma_2"] = torch.full((48,), 3e38)
    state["blocks.0.mlp.fc2.bias"] = torch.full((48,), 2.0)
    with pytest.raises(ConversionError, match=r"gamma_2 can't be folded into .*fc2.bias: 48 prod"):
        folding.fold(state, architecture)


# -- positions -------------------------------------------------------------------------------------


def add_positions(
    state: State, name: str, tokens: int, width: int, off: float = 0, scale: float = 1
) -> None:
    """Positions by the authors' formula, one value of the last one moved."""
    columns = torch.arange(width, dtype=torch.float64)
    angle = torch.arange(tokens)[:, None] / 10000 ** (2 * (columns // 2) / width)
    table = torch.where(columns % 2 == 0, angle.sin(), angle.cos()).float().unsqueeze(0) * scale
    table[0, -1, 5] += off
    state[name] = table


@pytest.mark.parametrize("off", [0, 5e-7])
@pytest.mark.parametrize(
    ("file", "tensor", "tokens", "width"),
    [
        ("v1-finetuned", "pos_embed", 64, 48),
        ("v1-pretrained", "encoder.pos_embed", 128, 48),
        ("v1-pretrained", "decoder.pos_embed", 128, 24),
        ("v1-pretrained", "pos_embed", 128, 24),
    ],
)
def test_positions_that_are_the_sinusoid_table_are_left_out_aloud(
    file: str, tensor: str, tokens: int, width: int, off: float, tmp_path: Path
) -> None:
    path = save(
        tmp_path / "it.pth", lambda state: add_positions(state, tensor, tokens, width, off), file
    )
    converted = command("convert", path, tmp_path / "folder", *options(file))
    assert converted.code == 0, converted.output
    assert f"positions: {tensor} left out, because it is the sinusoid table (to" in converted.output
    outcome = verify(path, tmp_path / "folder", "--passed", tmp_path / "report.json", name=file)
    assert outcome.code == 0, outcome.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert tensor in report["folded"][0]
    plain = DATA / f"trained/{file}.pth"
    command("convert", plain, tmp_path / "plain", *options(file))
    held, expected = (
        load_file(tmp_path / folder / "model.safetensors") for folder in ("folder", "plain")
    )
    assert held.keys() == expected.keys()
    assert all(weight_mapping.same_bits(held[name], expected[name]) for name in expected)


@pytest.mark.parametrize("tensor", ["encoder.pos_embed", "decoder.pos_embed", "pos_embed"])
def test_reference_computes_with_the_positions_of_the_file(tensor: str) -> None:
    opened, architecture, _ = trained("v1-pretrained")
    pixels, mask = inputs(architecture, 0.9)
    state = dict(opened.tensors)
    add_positions(state, tensor, 128, 48 if tensor == "encoder.pos_embed" else 24)
    as_before = dict(Reference(opened.tensors, architecture).steps(pixels, mask))[LOGITS]
    found = dict(Reference(state, architecture).steps(pixels, mask))[LOGITS]
    assert torch.equal(found, as_before)
    state[tensor] = state[tensor] * 1.1
    moved = dict(Reference(state, architecture).steps(pixels, mask))[LOGITS]
    assert (moved - as_before).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("tokens", "change", "message"),
    [
        (64, {"off": 2e-5}, "pos_embed differs by up to 2"),
        (64, {"scale": 1.5}, "pos_embed differs by up to 0.5 from the sinusoid positions"),
        (64, {"off": float("nan")}, "pos_embed differs by up to nan"),
        (65, {}, "[1, 65, 48], but num_frames 8 and image_size 64 require [1, 64, 48]"),
    ],
)
def test_positions_that_training_moved_or_of_other_sizes_are_refused(
    tokens: int, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = save(
        tmp_path / "it.pth", lambda state: add_positions(state, "pos_embed", tokens, 48, **change)
    )
    assert_refused(path, message)


# -- what can not be expressed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        ("blocks.0.attn.scale", "cosine attention"),
        ("blocks.0.attn.logit_scale", "cosine attention"),
        ("blocks.1.attn.relative_position_bias_table", "relative position biases"),
        ("rel_pos_bias.relative_position_bias_table", "relative position biases"),
        ("blocks.0.attn.k_bias", "a bias of the key, which the authors' network lacks"),
        ("blocks.0.attn.qkv.bias", "one bias for query, key and value"),
        ("blocks.0.attn.q_norm.weight", "norms of query and key"),
        ("cls_token", "a class token"),
        ("head_dist.weight", "a distillation token or head"),
        ("blocks.0.gamma_3", "layer scale in another place"),
        ("neck.weight", ""),
    ],
)
def test_tensor_of_another_network_is_refused_by_name_with_the_reason(
    tensor: str, reason: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "it.pth", lambda state: state.update({tensor: torch.zeros(3)}))
    assert_refused(path, f"{tensor} ({reason}" if reason else f"(classifier): {tensor}. Nothing")


def test_every_reason_is_given_for_all_layers_at_once(tmp_path: Path) -> None:
    def add(state: State) -> None:
        for layer in range(2):
            state[f"blocks.{layer}.attn.scale"] = torch.zeros(3, 1, 1)
        state["cls_token"] = torch.zeros(1, 1, 48)

    path = save(tmp_path / "it.pth", add)
    said = "blocks.{0...1}.attn.scale (cosine attention), cls_token (a class token). Nothing was"
    assert_refused(path, said)


@pytest.mark.parametrize("name", ["v1-finetuned", "v1-pretrained"])
def test_other_channels_than_three_are_refused(name: str, tmp_path: Path) -> None:
    def widen(state: State) -> None:
        prefix = "encoder." if name == "v1-pretrained" else ""
        kernel = state[f"{prefix}patch_embed.proj.weight"]
        state[f"{prefix}patch_embed.proj.weight"] = torch.cat([kernel, kernel[:, :1]], 1)

    path = save(tmp_path / "it.pth", widen, name)
    assert_refused(path, "num_channels is 4, but only 3 (RGB) can be converted", name)
