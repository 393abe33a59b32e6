"""The model card: what it states, and that its snippet runs as it stands."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from videomae.card import model_card

from tests.conftest import Workflow, process

RECEIPT = {"source": "gdrive:1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z", "sha256": "ab" * 32}


@pytest.fixture
def report(finished: Workflow) -> dict[str, Any]:
    """A report as verification writes it, of trained weights."""
    content: dict[str, Any] = json.loads((finished.results / "verification/own-1.json").read_text())
    return {**content, "rehearsal": None}


def metadata(card: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(card.split("---")[1])
    return content


def test_card_states_source_hashes_and_figures(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT, "cc-by-nc-4.0", {"dataset": "UCF101", "top1": 91.3})
    assert RECEIPT["source"] in card
    assert RECEIPT["sha256"] in card
    assert report["sha256"]["model.safetensors"] in card
    assert f"{report['max_abs_difference']:.2g} (allowed" in card
    assert "The authors state 91.3 % top-1 on UCF101" in " ".join(card.split())
    assert "Rehearsal" not in card
    assert metadata(card)["license"] == "cc-by-nc-4.0"
    assert metadata(card)["pipeline_tag"] == "video-classification"


def test_no_license_is_assumed(report: dict[str, Any]) -> None:
    card = model_card(report, RECEIPT, None, None)
    assert "license" not in metadata(card)
    assert "The authors state" not in card


def test_card_states_the_releases_it_loads_rightly_in(report: dict[str, Any]) -> None:
    loader = {"left over": ["videomae.encoder.layer.{0...1}.attention.attention.query.bias"]}
    cells = [
        {"transformers": "4.57.6", "max_abs_difference": 2.5e-7, "loader": loader},
        {"transformers": "5.24.0", "max_abs_difference": 0.0, "loader": {"left over": []}},
    ]
    card = model_card(report, RECEIPT, None, None, cells)
    assert "| 4.57.6 | 2.5e-07 | left over: query.bias |\n| 5.24.0 | 0 | none |" in card
    assert "It loads rightly in" not in model_card(report, RECEIPT, None, None)


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ({"status": "none"}, "Recorded outputs were not compared"),
        ({"status": "skipped"}, "Recorded outputs were not compared"),
        ({"status": "agrees", "max_abs_difference": 2e-6, "tolerance": 1e-4}, "agree to 2e-06"),
        ({"status": "differs", "max_abs_difference": 0.1, "tolerance": 1e-4}, "**Recorded outputs"),
    ],
)
def test_card_says_how_recorded_outputs_compared(
    report: dict[str, Any], recorded: dict[str, Any], said: str
) -> None:
    assert said in model_card({**report, "recorded": recorded}, RECEIPT, None, None)


@pytest.mark.parametrize("variant", ["own-1", "tiny-pretraining"])
def test_snippet_of_the_card_runs(variant: str, finished: Workflow) -> None:
    models = finished.results / "models"
    card = (models / variant / "README.md").read_text()
    snippet = re.findall(r"```python\n(.*?)```", card, re.DOTALL)[0]
    outcome = process("-c", snippet, cwd=models)
    assert outcome.code == 0, outcome.output
    assert ("label " if variant == "own-1" else "tensor(") in outcome.output


def test_rehearsal_card_warns_before_anything_else(finished: Workflow) -> None:
    card = Path(finished.results / "models/own-0/README.md").read_text()
    assert card.index("Rehearsal weights, not a model") < card.index("## What was converted")
    assert "rehearsal" in metadata(card)["tags"]
