"""`verify.py` and `load.py` as typed: labels and precision are the folder's own unless given."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from videomae.errors import ConversionError
from videomae.model import labels

from tests.conftest import SEVEN_LABELS, Outcome, Workflow, command, given
from tests.proof.test_verify import edit_json

NAME = "tiny-finetuned"
DTYPES = ("float32", "float16", "bfloat16")


@pytest.fixture(scope="module")
def folders(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that holds, under each precision's name, one with labels."""
    place = tmp_path_factory.mktemp("folders")
    (place / "labels.txt").write_text(SEVEN_LABELS)
    for dtype in DTYPES:
        options = ["--labels", place / "labels.txt", "--dtype", dtype, *given(NAME)]
        assert command("convert", checkpoints[NAME], place / dtype, *options).code == 0
    return place


@pytest.fixture
def folder(folders: Path, tmp_path: Path) -> Path:
    """A folder with labels, to be made wrong."""
    return shutil.copytree(folders / "float32", tmp_path / "folder")


def typed(script: str, checkpoints: dict[str, Path], folder: Path, *options: object) -> Outcome:
    return command(script, checkpoints[NAME], folder, *options, *given(NAME))


def last_line(outcome: Outcome) -> str:
    return outcome.output.strip().splitlines()[-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_right_folder_passes_as_it_is(
    dtype: str, checkpoints: dict[str, Path], folders: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    outcome = typed("verify", checkpoints, folders / dtype, "--report", report)
    assert outcome.code == 0, outcome.output
    assert "ok     labels: not compared, as no list was given; there are 7" in outcome.output
    assert f"ok     precision: config.json says {dtype}, model.saf" in outcome.output
    assert last_line(outcome).startswith(f"{folders / dtype}: verified, network assumed; outputs")
    assert last_line(outcome).endswith("labels not compared")
    content = json.loads(report.read_text())
    assert (content["dtype"], content["labels"]) == (dtype, "not compared")


def test_list_of_labels_is_compared_where_one_is_given(
    checkpoints: dict[str, Path], folders: Path, tmp_path: Path
) -> None:
    right, report = folders / "float32", tmp_path / "report.json"
    given_list = ("--labels", folders / "labels.txt", "--report", report)
    outcome = typed("verify", checkpoints, right, *given_list)
    assert outcome.code == 0, outcome.output
    assert "not compared" not in outcome.output
    assert json.loads(report.read_text())["labels"] == str(folders / "labels.txt")
    (tmp_path / "others.txt").write_text("\n".join("abcdefg"))
    for wrong, first in (("none", "LABEL_0"), (tmp_path / "others.txt", "a")):
        # Others spell labels in other ways, which `load` allows: to it these are LABEL_0 ….
        for script in ("verify", "load")[: 1 + (wrong != "none")]:
            outcome = typed(script, checkpoints, right, "--labels", wrong)
            assert outcome.code == 1
            assert f"'label 0', should be '{first}'" in last_line(outcome)
            assert last_line(outcome).startswith(f"error: {right} ")


def test_list_is_named_as_in_config_yaml(checkpoints: dict[str, Path], folders: Path) -> None:
    assert labels.read_labels(labels.located("kinetics400"))[0] == "abseiling"
    outcome = typed("verify", checkpoints, folders / "float32", "--labels", "ssv2")
    assert outcome.code == 1
    assert "label_lists/ssv2.txt has 174 labels, but the checkpoint's head has 7" in outcome.output
    for script in ("verify", "convert", "load"):
        outcome = typed(script, checkpoints, folders / "x", "--labels", "kinetics40")
        assert outcome.code == 1
        said = "error: kinetics40: no such file, and no shipped list has that name (did you mean "
        assert last_line(outcome).startswith(f"{said}kinetics400?)")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"id2label": {"0": "a"}}, "id2label['1'] is missing, should be a class name"),
        ({"label2id": None}, "label2id is None, should be a map with 7 entries"),
        (
            {"label2id": {f"label {n}": 6 - n for n in range(7)}},
            "id2label and label2id contradict each other, at class 0 ('label 0', 'label 6')",
        ),
        (
            {"id2label": {str(n): "ab"[n % 2] for n in range(7)}},
            "id2label: labels appear more than once: a (for 0, 2, 4, 6), b (for 1, 3, 5)",
        ),
        (
            {"id2label": {str(n + 1): f"label {n}" for n in range(7)}},
            "id2label['0'] is missing, should be a class name",
        ),
        (
            {
                "id2label": {str(n): f"{'abcdefg'[n]} {6 - n}" for n in range(7)},
                "label2id": {f"{'abcdefg'[n]} {6 - n}": n for n in range(7)},
            },
            "id2label: every label contains a number, such as 'a 6'",
        ),
    ],
)
def test_labels_that_are_not_compared_must_still_be_one_for_each_class(
    config: dict[str, Any], said: str, checkpoints: dict[str, Path], folder: Path
) -> None:
    edit_json(folder, "config.json", **config)
    outcome = typed("verify", checkpoints, folder)
    assert outcome.code == 1
    assert f"FAILED labels: {said}" in outcome.output
    assert last_line(outcome).startswith(f"error: {folder} failed verification")


def test_config_and_weights_must_have_one_precision(
    checkpoints: dict[str, Path], folder: Path, folders: Path
) -> None:
    edit_json(folder, "config.json", dtype="float16", torch_dtype="float16")
    outcome = typed("verify", checkpoints, folder)
    assert outcome.code == 1
    assert "FAILED precision: config.json says float16, model.safetensors has tensors 40 of" in (
        outcome.output
    )
    assert last_line(outcome).startswith(f"error: {folder} failed verification")

    edit_json(folder, "config.json", dtype="float32", torch_dtype="float16")
    assert "config.json says float32 and float16" in typed("verify", checkpoints, folder).output

    edit_json(folder, "config.json", dtype="float32", torch_dtype="float32")
    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.bias"] = tensors["classifier.bias"].to(torch.float16)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    outcome = typed("verify", checkpoints, folder)
    assert "has tensors 1 of float16, 39 of float32" in outcome.output
    # A precision that is given is the one that counts.
    outcome = typed("verify", checkpoints, folders / "float16", "--dtype", "float32")
    assert "config: dtype is 'float16', should be 'float32'" in last_line(outcome)


def test_folder_that_is_none_gets_a_verdict_too(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    outcome = typed("verify", checkpoints, tmp_path / "nothing")
    assert outcome.code == 1
    assert last_line(outcome).startswith(f"error: {tmp_path / 'nothing'} failed verification")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_load_takes_labels_and_precision_from_the_folder(
    dtype: str, checkpoints: dict[str, Path], folders: Path
) -> None:
    outcome = typed("load", checkpoints, folders / dtype)
    assert outcome.code == 0, outcome.output
    assert last_line(outcome).startswith(f"{folders / dtype}: passed in transformers ")
    assert last_line(outcome).endswith("labels not compared")


@pytest.mark.full
def test_workflow_compares_labels_where_config_yaml_has_none(finished: Workflow) -> None:
    folder = finished.results / "models/own-0"
    named = [f"name {letter}" for letter in "abcdefg"]
    maps = {
        "id2label": {str(number): name for number, name in enumerate(named)},
        "label2id": {name: number for number, name in enumerate(named)},
    }
    edit_json(folder, "config.json", **maps)
    outcome = finished.run("--until", "verify")
    assert outcome.code == 1
    assert "id2label['0'] is 'name a', should be 'LABEL_0'" in outcome.output


def test_own_labels_are_read_by_id() -> None:
    maps: dict[str, Any] = {"id2label": {"1": "b", "0": "a"}, "label2id": {"a": 0, "b": 1}}
    assert labels.of_config(maps, 2) == {0: "a", 1: "b"}
    digits: dict[str, Any] = {"id2label": {"0": "1", "1": "0"}, "label2id": {"1": 0, "0": 1}}
    assert labels.of_config(digits, 2) == {0: "1", 1: "0"}
    with pytest.raises(ConversionError, match=r"id2label\['2'\] is missing"):
        labels.of_config(maps, 3)
