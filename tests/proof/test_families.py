"""Files of networks that are not VideoMAE's are refused by name; harmless options are not."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from videomae.errors import ConversionError
from videomae.recognition.recognize import find
from videomae.recognition.related_projects import SIGNS

from tests.conftest import DATA, command
from tests.proof.mutations.families import TUNED, Family, control, families, outcome, right


@pytest.mark.parametrize("family", [pytest.param(one, id=one.name) for one in families()])
def test_file_is_refused_by_words_that_lead_to_the_cause(family: Family, tmp_path: Path) -> None:
    found = outcome(family, tmp_path)
    assert found.caught, found.said
    assert found.leads_to_cause, found.said


@pytest.mark.parametrize("family", [pytest.param(one, id=one.name) for one in right()])
def test_control_is_converted(family: Family, tmp_path: Path) -> None:
    family.save(tmp_path / "file.pth")
    converted = command("convert", tmp_path / "file.pth", tmp_path / "out", *family.config)
    assert converted.code == 0, converted.output


@pytest.mark.full
@pytest.mark.parametrize("family", [pytest.param(one, id=one.name) for one in right()])
def test_control_is_verified(family: Family, tmp_path: Path) -> None:
    found = control(family, tmp_path)
    assert not found.caught, found.said


def test_file_that_is_as_it_was_is_not_called_caught(tmp_path: Path) -> None:
    """The catalogue can fail: a file that is right is reported as not refused."""
    assert not outcome(Family("nothing", TUNED), tmp_path).caught


def test_every_sign_is_that_of_a_file_of_the_catalogue() -> None:
    said: list[str] = []
    for family in families():
        contents = family.contents()
        shapes = {name: tensor.shape for name, tensor in contents["model"].items()}
        with suppress(ConversionError, TypeError, KeyError):
            said += find(shapes, vars(contents["args"]), {}).strange
    missing = [sign.reason for sign in SIGNS if sign.reason[1:] not in " ".join(said)]
    assert missing == []


def test_folder_of_the_same_tensors_is_not_verified_against_another_projects_file(
    tmp_path: Path,
) -> None:
    """MVD's tensors are VideoMAE's, so that the options alone can refuse the pair."""
    config = ["--config", "num_attention_heads=3"]
    Family("plain", TUNED).save(tmp_path / "plain.pth")
    assert command("convert", tmp_path / "plain.pth", tmp_path / "out", *config).code == 0
    Family("", TUNED, change=_as_mvd).save(tmp_path / "mvd.pth")
    checked = command("verify", tmp_path / "mvd.pth", tmp_path / "out", *config)
    assert checked.code == 1
    assert "the network is MVD's" in checked.output.splitlines()[-1]


def _as_mvd(contents: dict[str, Any]) -> None:
    contents["args"].use_cls_token = False


def test_report_has_what_is_assumed_and_options_of_others(tmp_path: Path) -> None:
    path, config = DATA / "relatives/sigma-finetuned.pth", ["--config", "num_attention_heads=3"]
    assert command("convert", path, tmp_path / "out", *config).code == 0
    report = tmp_path / "report.json"
    checked = command("verify", path, tmp_path / "out", *config, "--report", report)
    assert checked.code == 0, checked.output
    said = json.loads(report.read_text())
    assert said["unknown_options"] == ["examples", "finetuning_crops", "linear_probing"]
    assert {"what": "num_attention_heads", "value": 3, "origin": "given"} in said["assumptions"]
    origins = {row["what"]: row["origin"] for row in said["assumptions"]}
    assert origins["positions"] == "nothing in the file"
    assert origins["pooling"] == "args.use_mean_pooling"
