"""What transformers' eps in the last norm does: of every clip, and within its bound."""

import json
import math
from pathlib import Path

import pytest
import torch
from videomae.verify.norm_eps import eps_effect, shrinking
from videomae.verify.reference import Reference

from tests.conftest import DATA, command
from tests.proof.test_reference import trained

HEADS = ["--config", "num_attention_heads=3", "decoder_num_attention_heads=3"]


@pytest.mark.parametrize("variance", [0.0, 1e-9, 1e-6, 3e-5, 0.3, 12.0, 1e6])
def test_shrinking_is_what_two_norms_differ_by(variance: float) -> None:
    values = torch.randn(48, dtype=torch.float64)
    values = (values - values.mean()) / values.var(unbiased=False).sqrt() * math.sqrt(variance)
    theirs, authors = (
        torch.nn.functional.layer_norm(values, (48,), eps=eps).norm().item() for eps in (1e-5, 1e-6)
    )
    assert theirs == pytest.approx((1 - shrinking(variance)) * authors, rel=1e-12)
    assert 0 <= shrinking(variance) <= 1 - math.sqrt(0.1)


@pytest.mark.parametrize("name", ["v1-finetuned", "v1-pretrained"])
def test_effect_is_that_of_the_worst_clip_and_within_its_bound(name: str) -> None:
    opened, architecture, _ = trained(name)
    reference = Reference(opened.tensors, architecture)
    norm = "fc_norm.weight" if name == "v1-finetuned" else "decoder.norm.weight"
    shape = (3, len(opened.tensors[norm])) if norm[0] == "f" else (3, 5, len(opened.tensors[norm]))
    hidden = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    usual = eps_effect(reference, hidden[:1], reference.logits(hidden[:1], 1e-5))
    hidden[2] *= 3e-3
    found = eps_effect(reference, hidden, reference.logits(hidden, 1e-5))
    smallest = hidden.var(-1, unbiased=False).min().item()
    assert found.smallest_variance == pytest.approx(smallest, rel=1e-5)
    assert found.measured > 1000 * usual.measured  # of the last clip: near eps the effect is large
    for effect in (found, usual):
        assert effect.bound is not None
        assert effect.measured <= effect.bound * (1 + 1e-5) + 1e-6


def test_report_bounds_the_effect_where_there_is_such_a_norm(tmp_path: Path) -> None:
    for name, options in (
        ("v1-pretrained", HEADS),
        ("v1-cls", ["--config", "num_attention_heads=4"]),
    ):
        path, folder = DATA / f"trained/{name}.pth", tmp_path / name
        assert command("convert", path, folder, *options).code == 0
        outcome = command("verify", path, folder, *options, "--report", tmp_path / "report.json")
        assert outcome.code == 0, outcome.output
        report = json.loads((tmp_path / "report.json").read_text())
        bound = report["eps_bound"]
        assert bound["measured"] == report["eps_effect"]
        if name == "v1-cls":  # whose last norm has the eps of config.json
            assert [bound["measured"], bound["smallest_variance"], bound["bound"]] == [
                0,
                None,
                None,
            ]
        else:
            assert bound["shrinks"] == pytest.approx(shrinking(bound["smallest_variance"]))
            assert 0 < bound["measured"] <= bound["bound"] < 1e-4
