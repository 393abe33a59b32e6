"""What is taken of a state dict, and what is left behind aloud."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from videomae.checkpoint.reader import open_checkpoint
from videomae.checkpoint.selection import Selection
from videomae.errors import ConversionError

from tests.proof.test_reference import trained


def network(prefix: str = "") -> dict[str, Tensor]:
    """Give a classifier's tensors, each under a prefix."""
    return {f"{prefix}{name}": value for name, value in trained("v1-finetuned")[0].tensors.items()}


def save(state: dict[str, Any], path: Path) -> Path:
    torch.save({"state_dict": state}, path)
    return path


BESIDE: dict[str, tuple[str, dict[str, Any]]] = {
    "torch's average": ("module.", {"n_averaged": torch.tensor(7)}),
    "mmengine's average": ("module.backbone.", {"steps": torch.tensor(7)}),
    "losses": ("model.", {"criterion.weight": torch.ones(5), "loss_fn.pos_weight": torch.ones(5)}),
    "losses without a prefix": ("", {"criterion.weight": torch.ones(5)}),
    "metrics": ("model.", {"val_acc_top5.right": torch.ones(1), "metrics.0.mean": torch.ones(2)}),
    "a mask of classes": ("model.", {"class_mask": torch.ones(5, dtype=torch.bool)}),
    "what is no tensor": ("model.", {"version": "1.2"}),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_plainly_no_part_of_the_network_is_left_behind_aloud(
    name: str, tmp_path: Path
) -> None:
    prefix, beside = BESIDE[name]
    opened = open_checkpoint(save(network(prefix) | beside, tmp_path / "it.pth"))
    assert set(opened.entries) == set(network())
    assert all(any(key in left for left in opened.left_out) for key in beside)
    assert any(line.startswith("no part of the network: ") for line in opened.describe())


UNKNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "floats under another root": ("model.", {"teacher_head.weight": torch.ones(5)}),
    "a head under another root": ("model.", {"accident_head.weight": torch.ones(5)}),
    "floats in the network": ("model.", {"model.adapter.weight": torch.ones(5)}),
    "metrics in the network": ("model.", {"model.accuracy.weight": torch.ones(5)}),
    "an index in the network": ("", {"token_index": torch.ones(5, dtype=torch.int64)}),
    "a vector of counters": ("", {"step": torch.ones(5, dtype=torch.int64)}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_may_be_a_part_of_the_network_is_not_left_behind(name: str, tmp_path: Path) -> None:
    prefix, beside = UNKNOWN[name]
    path = save(network(prefix) | beside, tmp_path / "it.pth")
    if any(not value.is_floating_point() for value in beside.values()):
        with pytest.raises(ConversionError, match="not a float up to 32 bits"):
            open_checkpoint(path)
    else:
        opened = open_checkpoint(path)
        assert len(opened.entries) == len(network()) + len(beside)
        assert opened.left_out == ()


def test_patterns_leave_behind_what_they_match(tmp_path: Path) -> None:
    beside = {f"teacher_head.{layer}.weight": torch.ones(5, 3) for layer in range(3)}
    path = save(network("model.") | beside, tmp_path / "it.pth")
    opened = open_checkpoint(path, Selection(leave_behind=("teacher_*",)))
    assert set(opened.entries) == set(network())
    assert opened.left_out == ("teacher_head.{0...2}.weight [5, 3]",)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("student*", "leave_behind: 'student*' matches no tensor; names begin with model."),
        ("*q_bias", "matches model.blocks.{0...1}.attn.q_bias, which the network computes with"),
        (
            "*",
            "which the network computes with; to convert without a head or decoder, use part: enc",
        ),
        ("model.head.*", "matches model.head.weight, model.head.bias, which the network"),
    ],
)
def test_patterns_match_something_and_nothing_of_the_network(
    pattern: str, message: str, tmp_path: Path
) -> None:
    path = save(network("model.") | {"teacher.weight": torch.ones(5)}, tmp_path / "it.pth")
    with pytest.raises(ConversionError, match=re.escape(message)):
        open_checkpoint(path, Selection(leave_behind=(pattern,)))


@pytest.mark.parametrize("name", ["pos_embed", "decoder.pos_embed", "mask_token"])
def test_patterns_match_nothing_of_a_decoder(name: str, tmp_path: Path) -> None:
    state = dict(trained("v1-pretrained")[0].tensors)
    state.setdefault(name, torch.ones(1, 128, 24))
    with pytest.raises(ConversionError, match=f"'{name}' matches {name}, which the network"):
        open_checkpoint(save(state, tmp_path / "it.pth"), Selection(leave_behind=(name,)))


def test_network_is_chosen_by_its_prefix(tmp_path: Path) -> None:
    """As ema-pytorch keeps both in one state dict."""
    double = {name: 2 * value for name, value in network("ema_model.").items()}
    counters = {"initted": torch.tensor(True), "step": torch.tensor(3)}
    path = save(network("online_model.") | double | counters, tmp_path / "it.pth")
    with pytest.raises(ConversionError, match=r"the state dict has 2 networks.*by `weights`"):
        open_checkpoint(path)
    opened = open_checkpoint(path, Selection("ema_model"))
    assert opened.container == "state_dict: ema_model"
    assert torch.equal(opened.tensors["head.bias"], 2 * network()["head.bias"])


def test_encoder_needs_an_encoder(tmp_path: Path) -> None:
    path = save({"conv.weight": torch.ones(3)}, tmp_path / "it.pth")
    with pytest.raises(ConversionError, match="part: encoder needs an encoder, but no tensor's"):
        open_checkpoint(path, Selection(part="encoder"))


def test_unknown_tensors_in_an_encoder_are_not_left_out(tmp_path: Path) -> None:
    state = network("model.") | {"model.cls_token": torch.ones(1, 1, 5)}
    opened = open_checkpoint(save(state, tmp_path / "it.pth"), Selection(part="encoder"))
    assert "cls_token" in opened.entries
    assert "head.weight" not in opened.entries
