"""The report: readable by every JSON parser, and no NaN passes."""

import json
from pathlib import Path
from typing import Any

import pytest
from videomae.verify.comparison import worst
from videomae.verify.report import Report, at_most

NOT_JSON = [float("inf"), float("nan")]


def strict(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    content: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return content


@pytest.mark.parametrize("value", NOT_JSON)
def test_report_of_outputs_that_are_not_finite_is_valid_json(value: float, tmp_path: Path) -> None:
    report = Report("it", [at_most("function", value, 1e-5)], max_abs_difference=value)
    report.recorded = {"max_abs_difference": value}
    report.layers = {"a step": value}
    report.save(tmp_path / "report.json")
    content = strict((tmp_path / "report.json").read_text())
    assert content["passed"] is False
    assert content["max_abs_difference"] == content["checks"][0]["value"] == str(value)
    assert content["recorded"]["max_abs_difference"] == content["layers"]["a step"] == str(value)


@pytest.mark.parametrize("value", NOT_JSON)
def test_value_that_is_not_finite_passes_no_limit(value: float) -> None:
    assert not at_most("function", value, 1e-5).passed


def test_nan_is_the_worst_difference_wherever_it_stands() -> None:
    nan = float("nan")
    assert worst({"logits": 1.0, "loss": nan}) == "loss"
    assert worst({"logits": nan, "loss": 1.0}) == "logits"
    assert worst({"logits": 1.0, "loss": 2.0}) == "loss"
