"""The independent forward pass gives what the authors' code gave, step by step."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor
from videomae.checkpoint.reader import open_checkpoint
from videomae.download.synthetic_recipes import RECIPES
from videomae.download.synthetic_weights import state_dict
from videomae.model.architecture import Architecture
from videomae.model.positions import sinusoid_positions
from videomae.recognition.recognize import read_architecture
from videomae.verify import clips
from videomae.verify.reference import LOGITS, Reference

from tests.conftest import DATA

TRAINED = ("v1-finetuned", "v1-pretrained", "v1-cls", "v2-finetuned")
HALF = (0.5, 0.5, 0.5)


def inputs(architecture: Architecture, mask_ratio: float) -> tuple[Tensor, Tensor | None]:
    """The pixels and mask that the authors' outputs were recorded with."""
    config = architecture.config
    clip = clips.synthetic_clip(config["num_frames"], config["image_size"])
    mask = clips.tube_mask(config, mask_ratio) if architecture.kind == "pretraining" else None
    return clips.normalise(clip, HALF, HALF), mask


def trained(name: str) -> tuple[Any, Architecture, dict[str, Any]]:
    truth = json.loads((DATA / f"trained/{name}.json").read_text())
    checkpoint = open_checkpoint(DATA / f"trained/{name}.pth")
    given = {"num_attention_heads": truth["model"]["num_heads"]}
    if "decoder_num_heads" in truth["model"]:
        given["decoder_num_attention_heads"] = truth["model"]["decoder_num_heads"]
    architecture = read_architecture(checkpoint.shapes, checkpoint.args, given)
    return checkpoint, architecture, truth["truth"]["model"]


def logits_of(truth: dict[str, Any]) -> Tensor:
    return torch.tensor(truth.get("logits", truth.get("logits_0_3_8")))


def leading(logits: Tensor, like: Tensor) -> Tensor:
    return logits[0][tuple(slice(size) for size in like.shape)]


@pytest.mark.parametrize("name", ["tiny-finetuned", "tiny-pretraining"])
def test_synthetic_network_gives_the_authors_outputs(name: str) -> None:
    expected = json.loads((DATA / "tiny.json").read_text())[name]
    architecture = RECIPES[name].architecture
    reference = Reference(state_dict(name), architecture)
    pixels, mask = inputs(architecture, expected.get("mask_ratio", 0))
    logits = dict(reference.steps(pixels, mask))[LOGITS]
    wanted = torch.tensor(expected.get("logits[0,:8]") or expected["logits[0,:3,:8]"])
    assert list(logits.shape) == expected["logits_shape"]
    torch.testing.assert_close(leading(logits, wanted), wanted, atol=2e-6, rtol=0)
    if mask is not None:
        losses = reference.losses(logits, pixels, mask)
        assert losses[True] == pytest.approx(expected["loss_norm_pix"], abs=2e-6)
        assert losses[False] == pytest.approx(expected["loss_raw_pix"], abs=2e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_trained_checkpoint_gives_the_authors_outputs(name: str) -> None:
    checkpoint, architecture, truth = trained(name)
    reference = Reference(checkpoint.tensors, architecture)
    pixels, mask = inputs(architecture, 0.9)
    for eps, wanted in ((1e-6, truth), (1e-5, truth["with_final_norm_eps_1e-5"])):
        logits = dict(reference.steps(pixels, mask, eps))[LOGITS]
        expected = logits_of(wanted)
        torch.testing.assert_close(leading(logits, expected), expected, atol=2e-6, rtol=0)
    if mask is not None:
        losses = reference.losses(dict(reference.steps(pixels, mask))[LOGITS], pixels, mask)
        assert losses[True] == pytest.approx(truth["loss_norm_pix"], abs=2e-6)
        assert losses[False] == pytest.approx(truth["loss_raw_pix"], abs=2e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_every_block_gives_the_authors_hidden_states(name: str) -> None:
    checkpoint, architecture, truth = trained(name)
    pixels, mask = inputs(architecture, 0.9)
    steps = dict(Reference(checkpoint.tensors, architecture).steps(pixels, mask))
    compared = 0
    for their_name, hidden in truth["hidden"].items():
        if ".blocks." in f".{their_name}":
            part = "decoder" if their_name.startswith("decoder") else "encoder"
            found = steps[f"{part} layer {their_name.split('.')[-1]}, output"]
            assert list(found.shape) == hidden["shape"]
            assert found.flatten()[:4].tolist() == pytest.approx(hidden["first4"], abs=2e-5)
            assert found.std().item() == pytest.approx(hidden["std"], rel=1e-3)
            compared += 1
    assert compared == architecture.config["num_hidden_layers"] + (
        architecture.config["decoder_num_hidden_layers"] if mask is not None else 0
    )


def test_heads_change_the_outputs_so_that_wrong_ones_are_seen() -> None:
    checkpoint, architecture, truth = trained("v1-finetuned")
    architecture.config["num_attention_heads"] = 16
    pixels, _ = inputs(architecture, 0)
    logits = dict(Reference(checkpoint.tensors, architecture).steps(pixels))[LOGITS]
    assert (logits[0] - logits_of(truth)).abs().max() > 0.1


def test_positions_are_transformers_own_bit_by_bit() -> None:
    from transformers.models.videomae.modeling_videomae import get_sinusoid_encoding_table

    assert torch.equal(sinusoid_positions(64, 48), get_sinusoid_encoding_table(64, 48))
