"""examples/finetune: its optimizer is the authors', and the whole way there and back runs."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import VideoMAEForVideoClassification
from videomae.verify import clips, fine_tuning

from tests.conftest import ROOT
from tests.proof.mutations.score import Subject
from tests.proof.test_fine_tuning import TRUTH
from tests.proof.test_reference import HALF

EXAMPLE = ROOT / "examples/finetune"


def program() -> Any:
    spec = importlib.util.spec_from_file_location("finetune", EXAMPLE / "finetune.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def after_one_step(folder: Path, decay: float, weight_decay: float = 0.05) -> torch.Tensor:
    """Train a step on the authors' clip with their new parts, and run the clip again."""
    model = VideoMAEForVideoClassification.from_pretrained(
        folder, num_labels=fine_tuning.CLASSES, use_mean_pooling=True
    ).eval()
    new = [torch.tensor(TRUTH["set"][name]) for name in fine_tuning.NEW]
    parts = (model.fc_norm.weight, model.fc_norm.bias, *model.classifier.parameters())
    with torch.no_grad():
        for part, value in zip(parts, new, strict=True):
            part.copy_(value)
    size = TRUTH["model"]
    pixels = clips.normalise(clips.synthetic_clip(size["frames"], size["size"]), HALF, HALF)
    groups = program().parameter_groups(model, 1e-3, decay, weight_decay)
    optimizer = torch.optim.AdamW(groups)
    model(pixels, labels=torch.tensor([TRUTH["clip"]["label"]])).loss.backward()
    optimizer.step()
    with torch.no_grad():
        logits: torch.Tensor = model(pixels).logits[0]
    return logits


@pytest.mark.parametrize("decay", [0.75, 1.0])
def test_step_with_layer_wise_decay_is_the_authors(decay: float, tmp_path: Path) -> None:
    folder = Subject("v1-pretrained", tmp_path).right
    expected = torch.tensor(TRUTH["one_step"][f"layer_decay_{decay}"]["logits"])
    assert (after_one_step(folder, decay) - expected).abs().max() < 5e-6
    assert (after_one_step(folder, decay - 0.1) - expected).abs().max() > 1e-3
    assert (after_one_step(folder, decay, weight_decay=0) - expected).abs().max() > 5e-5


@pytest.mark.full
def test_example_learns_and_comes_back_as_a_checkpoint(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    outcome = subprocess.run(
        [EXAMPLE / "run.sh", tmp_path / "made"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    losses = [float(loss) for loss in re.findall(r"epoch \d+: loss ([\d.]+)", outcome.stdout)]
    assert len(losses) == 6
    assert losses[-1] < 0.9 * losses[0]
    scores = json.loads((tmp_path / "made/scores/tuned.json").read_text())
    assert scores["top1"]["percent"] == 100
    assert "tuned: passed in transformers" in outcome.stdout
    assert "again: verified, network assumed" in outcome.stdout
