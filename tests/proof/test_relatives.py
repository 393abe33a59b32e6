"""Files by related projects' own code that hold VideoMAE's network, or its encoder."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import VideoMAEForVideoClassification, VideoMAEModel
from videomae.verify import clips

from tests.conftest import DATA, Workflow, command

RELATIVES = DATA / "relatives"
HEADS = ["num_attention_heads=3"]
SIZE = [*HEADS, "num_frames=8", "image_size=64"]
ENCODER = ["--part", "encoder"]


class Relative(NamedTuple):
    """A file, how it is converted, and where in its JSON file the truth is."""

    name: str
    config: list[str]
    options: list[str]
    truth: str = "model"

    def __str__(self) -> str:
        """Name it and what of it is taken."""
        return "-".join([self.name, self.truth, *self.options[1:]])

    @property
    def path(self) -> Path:
        """The file."""
        return next(RELATIVES.glob(f"{self.name}.[ps]*"))

    @property
    def arguments(self) -> list[str]:
        """The options of its conversion."""
        return [*self.options, "--config", *self.config]

    @property
    def expected(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The network and its outputs, as the project's own code gave them."""
        content = json.loads((RELATIVES / f"{self.name}.json").read_text())
        return content["model"], content["truth"][self.truth]


FILES = [
    Relative("action-detection-ava", HEADS, ENCODER),
    Relative("sigma-pretrained", HEADS, ENCODER),
    Relative("opentad-fullft", SIZE, ENCODER, "state_dict"),
    Relative("hf-videomaev2", SIZE, ENCODER, "itself"),
    Relative("hf-videomaev2", SIZE, [], "itself"),
    Relative("adaptformer-fulltune", HEADS, []),
    Relative("mmaction2-finetuned", [], [], "state_dict"),
    Relative("mmaction2-finetuned", [], ["--weights", "ema_state_dict"], "ema_state_dict"),
    Relative("sigma-finetuned", HEADS, []),
    Relative("marlin-encoder", [*HEADS, "num_frames=16", "image_size=64"], [], "itself"),
]


def pixels(network: dict[str, Any]) -> Tensor:
    """Give the clip that the outputs were recorded on, (1, frames, 3, height, width)."""
    clip = clips.synthetic_clip(network["frames"], network["size"])
    scaled = (torch.from_numpy(clip).float() / 255 - 0.5) / 0.5
    return scaled.permute(0, 3, 1, 2)[None]


@pytest.mark.parametrize("relative", FILES, ids=str)
def test_folder_computes_what_the_projects_own_network_computes(
    relative: Relative, tmp_path: Path
) -> None:
    converted = command("convert", relative.path, tmp_path / "out", *relative.arguments)
    assert converted.code == 0, converted.output
    network, truth = relative.expected
    with torch.no_grad():
        written = json.loads((tmp_path / "out/config.json").read_text())
        if written["architectures"] == ["VideoMAEModel"]:
            model = VideoMAEModel.from_pretrained(tmp_path / "out")
            _compare_tokens(model, network, truth)
        else:
            classifier = VideoMAEForVideoClassification.from_pretrained(tmp_path / "out")
            logits = classifier(pixels(network)).logits[0]
            # Without a head they are the features that one would read.
            expected = torch.tensor(truth["logits" if "logits" in truth else "features"])
            # transformers' eps in fc_norm moves them: see test_norm_eps.
            assert (logits - expected).abs().max() < 1e-3


def _compare_tokens(model: Any, network: dict[str, Any], truth: dict[str, Any]) -> None:
    if "tokens_0_3_8" in truth:
        tokens = model(pixels(network)).last_hidden_state
        assert list(tokens.shape) == truth["tokens_shape"]
        assert (tokens[0, :3, :8] - torch.tensor(truth["tokens_0_3_8"])).abs().max() < 1e-6
        return
    # Of pre-training there are those of the visible tokens, by numpy's default_rng(1).
    patches, hidden = (network["size"] // network["patch_size"]) ** 2, truth["hidden"]
    order = np.random.default_rng(1).permutation(patches)
    mask = torch.zeros(patches, dtype=torch.bool)
    mask[order[: int(0.75 * patches)]] = True
    tubelets = network["frames"] // network["tubelet_size"]
    tokens = model(pixels(network), mask.repeat(tubelets)[None]).last_hidden_state
    assert list(tokens.shape) == hidden["encoder.norm"]["shape"]
    assert abs(tokens.mean() - hidden["encoder.norm"]["mean"]) < 1e-6
    first = torch.tensor(hidden["encoder.norm"]["first4"])
    assert (tokens[0, 0, :4] - first).abs().max() < 1e-6


@pytest.mark.full
@pytest.mark.parametrize("relative", FILES, ids=str)
def test_folder_is_verified_and_what_was_left_out_is_said(
    relative: Relative, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    arguments = [relative.path, tmp_path / "out", *relative.arguments]
    converted = command("convert", *arguments)
    checked = command("verify", *arguments, "--report", report)
    assert checked.code == 0, checked.output
    said = json.loads(report.read_text())
    assert bool(said["left_out"]) == bool(relative.options)
    assert ("no part of the network: " in converted.output) == bool(relative.options)
    assert said["labels"] is None or said["classes"]
    assert said["asked"]["part"] == ("encoder" if relative.options == ENCODER else None)


@pytest.mark.parametrize("relative", FILES[:3], ids=str)
def test_inspect_proposes_the_encoder_where_the_whole_is_refused(relative: Relative) -> None:
    outcome = command("inspect", relative.path, "--config", *relative.config)
    assert outcome.code == 1
    assert "its encoder can be converted, by part: encoder" in outcome.output
    assert "    part: encoder\n" in outcome.output


@pytest.mark.parametrize("name", ["mvd-finetuned", "everest-mcm"])
def test_encoder_of_another_network_is_not_proposed_and_refused(name: str, tmp_path: Path) -> None:
    path = RELATIVES / f"{name}.pth"
    assert "part: encoder" not in command("inspect", path, "--config", *HEADS).output
    refused = command("convert", path, tmp_path / "out", *ENCODER, "--config", *HEADS)
    assert refused.code == 1
    assert "the network is " in refused.output
    assert not (tmp_path / "out").exists()


@pytest.mark.full
def test_encoder_comes_through_the_workflow(workflow: Workflow) -> None:
    workflow.configure({})
    path = RELATIVES / "sigma-pretrained.pth"
    outcome = workflow.run(
        "--config", f"checkpoint={path}", "part=encoder", "config={num_attention_heads: 3}"
    )
    assert outcome.code == 0, outcome.output
    card = (workflow.folder / "results/models/sigma-pretrained/README.md").read_text()
    assert "Not converted, because the encoder alone was asked for: mask" in card
    assert "prototypes" in card
