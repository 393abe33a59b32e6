"""Fine-tuning starts where the authors' does: their outputs, loss and gradients, and faults."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import VideoMAEForVideoClassification
from videomae.checkpoint.lazy_tensor import Values
from videomae.model.architecture import LAYER_NORM_EPS
from videomae.verify import clips, fine_tuning
from videomae.verify.comparison import TRANSFORMERS_FINAL_NORM_EPS

from tests.conftest import DATA
from tests.proof.mutations import library
from tests.proof.mutations.library import Fault
from tests.proof.mutations.score import Subject
from tests.proof.test_reference import HALF, trained

NAME = "v1-pretrained"
TRUTH: dict[str, Any] = json.loads((DATA / "fine_tuning_start.json").read_text())
LIMIT = 5e-6  # absolute, as the file's README advises; noise is below 6e-7
Step = tuple[Tensor, float, Tensor, dict[str, Tensor]]


def start(eps: float = LAYER_NORM_EPS, scale: float = 1.0) -> Step:
    """Compute their clip's step with their new fc_norm and head, on `scale` times the encoder."""
    opened, pretrained, _ = trained(NAME)
    network = fine_tuning.network(pretrained)
    new = {name: torch.tensor(TRUTH["set"][name]) for name in fine_tuning.NEW}
    held = {n: t * scale for n, t in Values(opened.entries).items() if n.startswith("encoder.")}
    for name in ("encoder.norm.weight", "encoder.norm.bias"):
        held.pop(name)
    model = TRUTH["model"]
    clip = clips.synthetic_clip(model["frames"], model["size"])
    gradients: dict[str, Tensor] = {}
    logits, loss, hidden = fine_tuning.step(
        {**held, **new},
        network,
        clips.normalise(clip, HALF, HALF),
        torch.tensor([TRUTH["clip"]["label"]]),
        eps,
        gradients.__setitem__,
    )
    return logits[0], loss, hidden[0], gradients


def test_step_is_the_authors() -> None:
    logits, loss, hidden, gradients = start()
    truth = TRUTH["truth"]
    assert loss == pytest.approx(truth["loss"], abs=LIMIT)
    for found, key in ((logits, "logits"), (hidden, "tokens_mean_before_fc_norm")):
        torch.testing.assert_close(found, torch.tensor(truth[key]), atol=LIMIT, rtol=0)
    expected = truth["gradients"]
    assert {name.removeprefix("encoder.") for name in gradients} == expected.keys()
    for name, gradient in gradients.items():
        of = expected[name.removeprefix("encoder.")]
        assert list(gradient.shape) == of["shape"]
        assert gradient.mean().item() == pytest.approx(of["mean"], abs=LIMIT)
        assert gradient.std(correction=0).item() == pytest.approx(of["std"], abs=LIMIT)
        assert gradient.abs().max().item() == pytest.approx(of["max_abs"], abs=LIMIT)
        first = torch.tensor(of["first4"])
        torch.testing.assert_close(gradient.flatten()[: len(first)], first, atol=LIMIT, rtol=0)


def test_eps_is_the_authors() -> None:
    """On an encoder that is ten times smaller, so that 1e-5 in fc_norm shows."""
    probe = TRUTH["eps_probe"]
    expected = torch.tensor(probe["logits"])
    assert (start(scale=0.1)[0] - expected).abs().max() < LIMIT
    assert (start(TRANSFORMERS_FINAL_NORM_EPS, scale=0.1)[0] - expected).abs().max() > LIMIT


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    workplace: Path = tmp_path_factory.mktemp("start")
    yield Subject(NAME, workplace)


@pytest.mark.parametrize(
    "fault",
    [fault for fault in library.catalogue("pretraining", False) if "fine-tuning" in fault.name],
    ids=lambda fault: fault.name,
)
def test_fault_at_the_start_of_fine_tuning_fails_verifying_and_loading(
    fault: Fault, subject: Subject
) -> None:
    for failed in subject.with_fault(fault).caught_by.values():
        assert failed
        assert all(name.startswith("fine-tuning start") for name in failed)


def test_report_has_the_figures_of_the_start(subject: Subject) -> None:
    for report in (subject.verify(subject.right), subject.load(subject.right)):
        assert report.passed, report.failure()
        found = report.fine_tuning
        assert found["gradients"] < 1e-5
        assert found["first_token"] > 0.1  # what a classifier reads without use_mean_pooling=True


def test_another_head_takes_nothing_else_of_a_classifier_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject("v1-finetuned", tmp_path)
    report = subject.load(subject.right)
    assert report.passed, report.failure()
    assert "fine-tuning start, another head" in {check.name for check in report.checks}

    load = VideoMAEForVideoClassification.from_pretrained.__func__

    def anew(kind: Any, folder: Path, /, **options: Any) -> Any:
        made = load(kind, folder, **options)
        if "ignore_mismatched_sizes" in options:
            made.fc_norm.weight.data += 1
        return made

    monkeypatch.setattr(VideoMAEForVideoClassification, "from_pretrained", classmethod(anew))
    report = subject.load(subject.right)
    (failed,) = (check for check in report.checks if not check.passed)
    assert failed.message == "fc_norm.weight is not the folder's"


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        ({"decoder_hidden_size": 24, "problem_type": "single_label_classification"}, True),
        ({"problem_type": "multi_label_classification"}, False),
    ],
)
def test_keys_that_training_leaves_fail_verifying_and_pass_loading_if_they_change_nothing(
    change: dict[str, Any], passes: bool, tmp_path: Path
) -> None:
    subject = Subject("v1-finetuned", tmp_path)
    config = subject.right / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    assert not subject.verify(subject.right).passed
    assert subject.load(subject.right).passed == passes
