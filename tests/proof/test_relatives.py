"""Files by related projects' own code that hold VideoMAE's network, or its encoder."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor
from transformers import VideoMAEForVideoClassification, VideoMAEModel
from videomae.config import settings
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


REFUSED = {"mvd-finetuned": "MVD's", "mvd-pretrained": "MVD's", "everest-mcm": "EVEREST's"}
# All that projects have saved, and what their files become.
ALL = {
    "action-detection-ava": "VideoMAEModel",
    "adaptformer-fulltune": "VideoMAEForVideoClassification",
    "everest-mcm": None,
    "hf-videomaev2": "VideoMAEForVideoClassification",
    "marlin-encoder": "VideoMAEModel",
    "mmaction2-finetuned": "VideoMAEForVideoClassification",
    "mvd-finetuned": None,
    "mvd-pretrained": None,
    "opentad-fullft": "VideoMAEModel",
    "sigma-finetuned": "VideoMAEForVideoClassification",
    "sigma-pretrained": "VideoMAEModel",
}
PATHS = [path for path in sorted(RELATIVES.iterdir()) if path.suffix not in (".json", ".md")]


def pasted(path: Path) -> dict[str, Any] | None:
    """Give the entry that inspect proposes, with what the project knows in place of each ?."""
    outcome = command("inspect", path)
    assert "Traceback" not in outcome.output
    if "\nvariants:\n" not in outcome.output:
        assert outcome.code == 1
        return None
    text = outcome.output[outcome.output.index("\nvariants:\n") :]
    (entry,) = yaml.safe_load(text)["variants"].values()
    network = json.loads((RELATIVES / f"{path.stem}.json").read_text())["model"]
    known = {
        "num_attention_heads": network["num_heads"],
        "num_frames": network["frames"],
        "image_size": network["size"],
    }
    for name, value in entry.get("config", {}).items():
        entry["config"][name] = known[name] if value == "?" else value
    return dict(entry)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_what_inspect_proposes_converts(path: Path, tmp_path: Path) -> None:
    entry = pasted(path)
    if entry is None:
        assert ALL[path.stem] is None
        return
    (variant,) = settings.read({"variants": {"it": entry}}, ()).variants.values()
    outcome = command("convert", path, tmp_path / "it", *variant.options)
    assert outcome.code == 0, outcome.output
    written = json.loads((tmp_path / "it/config.json").read_text())
    assert written["architectures"] == [ALL[path.stem]]


@pytest.mark.full
def test_all_that_projects_saved_come_through_one_run(workflow: Workflow) -> None:
    whole = {path.stem: path for path in PATHS if not path.is_dir()}
    assert whole.keys() == ALL.keys()
    entries = {name: pasted(path) for name, path in whole.items()}
    given = {"num_attention_heads": 3}
    variants: dict[str, Any] = {
        name: entry or {"checkpoint": str(whole[name]), "config": given}
        for name, entry in entries.items()
    }
    variants["repository"] = {"checkpoint": str(RELATIVES / "hf-videomaev2")}
    workflow.configure(variants)
    outcome = workflow.run("--keep-going")
    assert outcome.code == 1, outcome.output
    for name in variants:
        report = workflow.results / f"verification/{name}.json"
        assert report.exists() == (name not in REFUSED), name
        log = (workflow.results / f"logs/convert/{name}.log").read_text()
        assert REFUSED.get(name, "") in log
    folder = workflow.results / "models"
    card = (folder / "marlin-encoder/README.md").read_text()
    assert "Positions: those in the checkpoint were computed in float32." in card
    assert "normalises pixels by mean 0.0, 0.0, 0.0, standard deviation 1.0, 1.0, 1.0, of" in card
    marlin = VideoMAEModel.from_pretrained(folder / "marlin-encoder")
    content = json.loads((RELATIVES / "marlin-encoder.json").read_text())
    with torch.no_grad():
        _compare_tokens(marlin, content["model"], content["truth"]["itself"])
    features = VideoMAEForVideoClassification.from_pretrained(folder / "repository")
    content = json.loads((RELATIVES / "hf-videomaev2.json").read_text())
    expected = torch.tensor(content["truth"]["itself"]["features"])
    with torch.no_grad():
        found = features(pixels(content["model"])).logits[0]
    assert (found - expected).abs().max() < 1e-3


@pytest.mark.parametrize("name", REFUSED)
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
