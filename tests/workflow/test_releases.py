"""`snakemake releases`: what a release of transformers makes of our folders, and of others'.

Here with the installed release alone; every release: tests/integration/releases.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import VideoMAEForVideoClassification
from videomae.compatibility import releases

from tests.conftest import Outcome, Workflow, command, given, jobs
from tests.standins.hub import HubStandIn

NEWEST = "5.24.0"
Folders = dict[str, Path]


def load(checkpoints: Folders, folder: Path, *options: object) -> Outcome:
    name = "tiny-finetuned" if "finetuned" in folder.name else "tiny-pretraining"
    return command("load", checkpoints[name], folder, *options, *given(name))


def with_sixteen_heads(folder: Path, published: Path) -> Path:
    """As the old script publishes: other heads, then `save_pretrained`."""
    model = VideoMAEForVideoClassification.from_pretrained(folder, num_attention_heads=16)
    model.save_pretrained(published)
    shutil.copy(folder / "preprocessor_config.json", published)
    return published


def with_environment(workflow: Workflow) -> Workflow:
    """Put this Python in the place of the newest release's environment, which it is."""
    python = workflow.results / f"environments/{NEWEST}/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return workflow


# -- one folder in one release ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny-finetuned", "tiny-pretraining"])
def test_right_folder_is_right_and_its_loader_silent(
    name: str, checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    outcome = load(checkpoints, converted[name], "--passed", tmp_path / "cell.json")
    assert outcome.code == 0, outcome.output
    cell = json.loads((tmp_path / "cell.json").read_text())
    assert cell["transformers"] == NEWEST
    assert cell["max_abs_difference"] <= cell["tolerance"] / 10
    assert not any(cell["loader"].values())
    assert list(releases.said(cell)) == []


def test_wrong_heads_are_named_with_the_layer_that_parts_first(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    folder = with_sixteen_heads(converted["tiny-finetuned"], tmp_path / "finetuned")
    passed, report = tmp_path / "cell.json", tmp_path / "report.json"
    outcome = load(checkpoints, folder, "--passed", passed, "--report", report)
    assert outcome.code == 1
    assert (
        f"fails in transformers {NEWEST}. function: outputs first differ at encoder"
        in outcome.output
    )
    assert "num_attention_heads is 16, should be 3 (given)" in outcome.output
    assert not passed.exists()
    assert json.loads(report.read_text())["passed"] is False


def test_folder_that_does_not_load_is_wrong(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "finetuned")
    (folder / "model.safetensors").unlink()
    outcome = load(checkpoints, folder)
    assert outcome.code == 1
    assert "loads: the folder does not load:" in outcome.output


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda file: file.unlink(), "processor: the processor does not load or run:"),
        (lambda file: file.write_text('{"image_std": [1, 1, 1]}'), "processor pixels: "),
    ],
)
def test_processor_counts(
    edit: Any, message: str, checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "finetuned")
    edit(folder / "preprocessor_config.json")
    outcome = load(checkpoints, folder)
    assert outcome.code == 1
    assert message in outcome.output
    assert "ok     function" in outcome.output


def test_labels_of_others_count_by_their_letters_and_digits(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    names = [f"class {number}" for number in range(7)]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "finetuned")
    config = json.loads((folder / "config.json").read_text())
    for spelt, code in (([f"Class_{number}" for number in range(7)], 0), (names[::-1], 1)):
        config["id2label"] = {str(number): name for number, name in enumerate(spelt)}
        config["label2id"] = {name: number for number, name in enumerate(spelt)}
        (folder / "config.json").write_text(json.dumps(config))
        outcome = load(checkpoints, folder, "--labels", tmp_path / "labels.txt")
        assert outcome.code == code, outcome.output
    assert "labels: id2label[0] is 'class 6', should be 'class 0'" in outcome.output


def test_labels_that_contradict_each_other_are_wrong_without_a_list_too(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "finetuned")
    config = json.loads((folder / "config.json").read_text())
    config["label2id"] |= {"LABEL_0": 1, "LABEL_1": 0}
    (folder / "config.json").write_text(json.dumps(config))
    outcome = load(checkpoints, folder)
    assert outcome.code == 1
    assert "labels: label2id['LABEL_0'] is 1, should be 0" in outcome.output


@pytest.mark.parametrize("right", [True, False])
def test_pickled_weights_beside_safetensors_are_compared(
    right: bool, checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "finetuned")
    tensors = load_file(folder / "model.safetensors")
    if not right:
        tensors["classifier.bias"] += 1
    torch.save(tensors, folder / "pytorch_model.bin")
    outcome = load(checkpoints, folder)
    assert outcome.code == 1 - right, outcome.output
    wrong = "without safetensors it loads something else than VideoMAEForVideoClassification"
    assert (wrong in outcome.output) != right


def test_folder_in_shards_is_right_and_shards_beside_a_whole_file_are_not(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    model = VideoMAEForVideoClassification.from_pretrained(converted["tiny-finetuned"])
    model.save_pretrained(tmp_path / "finetuned", max_shard_size="60KB")
    shutil.copy(converted["tiny-finetuned"] / "preprocessor_config.json", tmp_path / "finetuned")
    assert (tmp_path / "finetuned/model.safetensors.index.json").exists()
    assert load(checkpoints, tmp_path / "finetuned").code == 0
    shutil.copy(converted["tiny-finetuned"] / "model.safetensors", tmp_path / "finetuned")
    outcome = load(checkpoints, tmp_path / "finetuned")
    assert outcome.code == 1
    both = "model.safetensors and model.safetensors.index.json (two sets of weights)"
    assert f"files: not compared: {both}" in outcome.output


def test_pipeline_is_run_on_a_video(
    checkpoints: Folders, converted: Folders, tmp_path: Path
) -> None:
    load(checkpoints, converted["tiny-finetuned"], "--report", tmp_path / "report.json")
    checks = json.loads((tmp_path / "report.json").read_text())["checks"]
    pipeline = next(check for check in checks if check["name"] == "pipeline")
    assert pipeline["value"] < pipeline["limit"] / 10


# -- the table -------------------------------------------------------------------------------------


def test_table_shows_right_wrong_and_not_loaded_apart(tmp_path: Path) -> None:
    cell = {"max_abs_difference": 2.5e-7, "loader": {"missing": ["a.attention.attention.key.bias"]}}
    for name, content, log in (
        (releases.RIGHT, cell, None),
        (releases.REPORT, {**cell, "max_abs_difference": "nan"}, "error: it is wrong"),
        (None, None, "Traceback (most recent call last)\nOutOfMemory"),
    ):
        release = {releases.RIGHT: "1.0.0", releases.REPORT: "2.0.0", None: "3.0.0"}[name]
        where = {"place": "models", "variant": "it", "release": release}
        for path, text in ((name, json.dumps(content)), (releases.LOG, log)):
            if path and text:
                (tmp_path / path.format(**where)).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path.format(**where)).write_text(text)
    lines = releases.table(["it"], ["1.0.0", "2.0.0", "3.0.0", "4.0.0"], tmp_path).splitlines()
    assert lines[3].split() == ["it", "2.5e-07", "WRONG", "nan", "-", "-"]
    assert lines[4] == "1.0.0, 2.0.0: missing: key.bias"
    assert lines[5].startswith("it in 2.0.0: it is wrong (")
    assert lines[6].startswith("it in 3.0.0: OutOfMemory (")
    assert lines[7].startswith("it in 4.0.0: not loaded")


# -- the workflow ----------------------------------------------------------------------------------


@pytest.mark.full
def test_releases_draw_the_table_and_the_next_run_puts_it_into_the_cards(
    finished: Workflow,
) -> None:
    with_environment(finished)
    names = ("own-0", "own-1", "tiny-pretraining")
    outcome = finished.run("releases", "--config", f"releases=[{NEWEST}]")
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == [*(f"load {name}" for name in names), "package", "releases"]
    assert "largest difference from the authors' network" in outcome.output
    again = finished.run()
    assert jobs(again) == ["card own-0", "card own-1", "card tiny-pretraining"]
    assert f"| {NEWEST} | " in (finished.results / "models/own-0/README.md").read_text()
    assert "Nothing to be done" in finished.run().output


@pytest.mark.full
def test_published_folder_is_checked_in_place_of_the_converted_one(
    finished: Workflow, converted: Folders, tmp_path: Path, home: dict[str, str]
) -> None:
    wrong = with_sixteen_heads(converted["tiny-finetuned"], tmp_path / "published")
    with_environment(finished)
    options = ("releases", "--config", f"releases=[{NEWEST}]", "models=own-0")
    outcome = finished.run(*options, f"published={wrong}")
    assert outcome.code != 0
    assert jobs(outcome) == ["load own-0", "package"]
    assert f"own-0 in {NEWEST}: {wrong} fails in transformers" in outcome.output
    assert "num_attention_heads is 16, should be 3" in outcome.output
    with HubStandIn(tokens={}) as hub:
        for path in converted["tiny-finetuned"].iterdir():
            hub.add_file("model", "them/own-0", path.name, path.read_bytes())
        client = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", **home}
        outcome = finished.run(*options, "published=them/{variant}", **client)
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == ["load own-0", "releases", "snapshot own-0"]
