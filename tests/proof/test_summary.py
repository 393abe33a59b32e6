"""What is verified, in words: against which outputs, or with the network assumed."""

import json
from pathlib import Path
from typing import Any

import pytest
from videomae.publish.model_card import model_card
from videomae.report.pages import Facts, overview, page
from videomae.verify import summary
from videomae.verify.report import Check, Report
from videomae.workflow.states import STEPS, state
from videomae.workflow.status import table

from tests.conftest import Workflow
from tests.unit.test_card import RECEIPT, body
from tests.unit.test_pages import text_of

AGREES = {"status": "agrees", "max_abs_difference": 2e-6, "tolerance": 1e-4}
YOURS = {
    "of": "training code",
    **AGREES,
    "reference_difference": 3e-7,
    "eps_effect": 2.6e-4,
    "conditions": {"file": "/home/me/truth.npz", "clips": 2, "outputs": ["logits"]},
}
ASSUMED = [
    {"what": "positions", "value": "fixed | sinusoid", "origin": "the authors' code"},
    {"what": "heads", "value": 6, "origin": "args.model `x`\n<b>"},
]
MORE = {"assumptions": ASSUMED, "unknown_options": ["sim_loss", "a|b"]}


@pytest.mark.parametrize(
    ("recorded", "status", "said"),
    [
        (
            {"status": "none"},
            "verified, network assumed",
            "no recorded outputs to confirm it.",
        ),
        ({"status": "skipped"}, "verified, network assumed", "recorded outputs were not compared."),
        (
            {"status": "differs", "max_abs_difference": 0.1, "tolerance": 1e-4},
            "verified, network assumed",
            "recorded outputs, computed earlier by other code, differ.",
        ),
        (
            AGREES,
            "verified against recorded outputs",
            "the properties that no tensor shows, except how training normalised the pixels.",
        ),
        (
            {**AGREES, "conditions": {"clip": "x", "mask": None, "num_attention_heads": 16}},
            "verified against recorded outputs",
            "other settings, which are not confirmed: num_attention_heads 16.",
        ),
        (
            YOURS,
            "verified against your recorded outputs",
            "The outputs of the training code for 2 clips (logits) match the authors' network on "
            "the original tensors (largest difference 3e-07) and this folder (largest difference "
            "2e-06, of which transformers' eps in the last LayerNorm explains 0.00026).",
        ),
    ],
)
def test_status_says_what_confirms_the_network(
    recorded: dict[str, Any], status: str, said: str, tmp_path: Path
) -> None:
    report = Report("it", [Check("function", True)], recorded=recorded)
    report.save(tmp_path / "it.json")
    content = json.loads((tmp_path / "it.json").read_text())
    assert content["status"] == report.status == status
    assert said in summary.meaning(content)


def test_what_failed_has_no_status_of_what_is_verified(tmp_path: Path) -> None:
    report = Report("it", [Check("function", False)], recorded=YOURS)
    report.save(tmp_path / "it.json")
    content = json.loads((tmp_path / "it.json").read_text())
    assert content["status"] == "failed"
    assert summary.meaning(content) == ""


def leave(results: Path, report: dict[str, Any]) -> None:
    """Leave what a finished variant leaves."""
    for step in ("download", "receipt", "convert", "verify", "card", "push", "push_plan"):
        path = results / STEPS[step].format("it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report if step == "verify" else {}))


@pytest.mark.parametrize(
    ("recorded", "rehearsal", "shown"),
    [
        ({"status": "none"}, None, ("verified, network assumed", "")),
        ({"status": "none"}, "a notice", ("verified, network assumed", " (synthetic weights)")),
        ({"status": "differs"}, None, ("verified, network assumed", " (recorded outputs differ)")),
        (AGREES, None, ("verified against recorded outputs", "")),
        (YOURS, None, ("verified against your recorded outputs", "")),
    ],
)
def test_tables_show_the_status(
    recorded: dict[str, Any], rehearsal: str | None, shown: tuple[str, str], tmp_path: Path
) -> None:
    status, notes = shown
    results = tmp_path / "results"
    leave(results, {"status": status, "recorded": recorded, "rehearsal": rehearsal})
    assert state("it", results, push=None).status == f"{status}{notes}"
    assert state("it", results, push="push").status == f"{status}, pushed{notes}"
    dry_run = f"{status}, not pushed (dry run){notes}"
    assert state("it", results, push="push_plan").status == dry_run
    assert f" {status}{notes} " in table(tmp_path)
    assert f"1 variants: 1 {status}." in text_of(overview([Facts("it", results)]))


def test_report_of_an_earlier_release_and_one_that_is_being_written_are_shown(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    leave(results, {"recorded": {"status": "none"}})
    assert state("it", results, push=None).status == "verified"
    (results / STEPS["verify"].format("it")).write_text('{"stat')
    assert "done" in table(tmp_path)


@pytest.fixture
def report(finished: Workflow) -> dict[str, Any]:
    """A report as verification writes it, of trained weights."""
    content: dict[str, Any] = json.loads((finished.results / "verification/own-1.json").read_text())
    return {**content, "rehearsal": None}


def test_card_says_what_is_assumed_and_cannot_be_made_to_say_more(report: dict[str, Any]) -> None:
    plain = model_card({**report, "assumptions": [], "unknown_options": []}, RECEIPT)
    assert "Status: **verified, network assumed**. The outputs match those of the" in body(plain)
    assert "what-is-assumed" not in plain
    assert "What is assumed" not in plain
    card = model_card({**report, **MORE}, RECEIPT)
    section = card.split("## What is assumed")[1].split("\n#")[0]
    assert "| positions | fixed &#124; sinusoid | the authors' code |\n" in section
    assert "| heads | 6 | args.model &#96;x&#96;&#92;n&#60;b&#62; |\n" in section
    assert "that the authors' scripts do not have: sim_loss, a&#124;b." in section
    assert "/home/me" not in model_card({**report, "recorded": YOURS, **MORE}, RECEIPT)


def test_page_says_what_is_assumed(report: dict[str, Any], finished: Workflow) -> None:
    path = finished.results / "verification/own-1.json"
    path.write_text(json.dumps({**report, **MORE}))
    (finished.results / "models/own-1/README.md").touch()
    html = page(Facts("own-1", finished.results), None, "")
    text = text_of(html)
    assert "verified, network assumed" in text
    assert "It is assumed that this network is the one that was trained" in text
    assumed = text[text.index("What is assumed") :]
    assert "property value based on positions fixed | sinusoid" in assumed
    assert "heads 6 args.model `x`\\n<b>" in assumed
    assert "that the authors' scripts do not have: sim_loss, a|b." in assumed
    assert "<b>" not in html
