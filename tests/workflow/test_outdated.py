"""What a plan notices and Snakemake doesn't: older files, edits by hand, lost notes."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from videomae import file_state
from videomae.download import receipts, synthetic_weights

from tests.conftest import GIVEN, SEVEN_LABELS, Workflow, configure_tiny, jobs

OLD = 1_000_000_000  # seconds since the epoch, long before any run


def move_over(path: Path, content: bytes) -> None:
    """Put an older file in a file's place, as `cp -p`, `mv` and `rsync -t` do."""
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, (OLD, OLD))
    other.replace(path)


def other_checkpoint(path: Path) -> bytes:
    """Give a checkpoint of the same network with another bias."""
    content = torch.load(path, weights_only=False)
    content["module"]["head.bias"] += 1
    torch.save(content, path.with_name("made"))
    return path.with_name("made").read_bytes()


def edit_by_hand(weights: Path) -> None:
    """Change a weight and set the file's time back."""
    before, content = weights.stat(), bytearray(weights.read_bytes())
    content[-1] ^= 64
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(workflow: Workflow, name: str) -> Any:
    return json.loads((workflow.results / name).read_text())


def heads(workflow: Workflow, variant: str, number: int) -> None:
    given = {**GIVEN["tiny-finetuned"], "num_attention_heads": number}
    configure_tiny(workflow, lambda variants: variants[variant].update(config=given))


@pytest.mark.full
def test_older_files_moved_over_others_and_edits_by_hand_are_noticed(finished: Workflow) -> None:
    own, weights = finished.folder / "own-0.pth", finished.results / "models/tiny-pretraining"
    move_over(own, other_checkpoint(own))
    others = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
    move_over(finished.folder / "labels.txt", "\n".join(others).encode())
    edit_by_hand(weights / "model.safetensors")
    outcome = finished.run()
    assert outcome.code == 1
    after = ("card", "convert", "verify")
    assert jobs(outcome) == sorted(
        [
            *("link own-0", *(f"{rule} own-0" for rule in after)),
            *(f"{rule} own-1" for rule in after),
            "verify tiny-pretraining",
        ]
    )
    found = sha256(own)
    assert read(finished, "checkpoints/own-0.json")["sha256"] == found
    assert read(finished, "verification/own-0.json")["checkpoint"]["sha256"] == found
    assert found in (finished.results / "models/own-0/README.md").read_text()
    assert read(finished, "models/own-1/config.json")["id2label"]["0"] == "first"
    assert f"results/checkpoints/own-0.pth has SHA-256 {found}" in outcome.output
    # What was edited by hand says verified nowhere, and how it comes right is said.
    assert "if you edited it, remove it and convert again" in outcome.output
    assert not (finished.results / "verification/tiny-pretraining.json").exists()
    assert not (weights / "README.md").exists()
    shutil.rmtree(weights)
    outcome = finished.run()
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == sorted(f"{rule} tiny-pretraining" for rule in after)
    assert "Nothing to be done" in finished.run().output


@pytest.mark.full
def test_edits_are_noticed_without_snakemakes_notes_or_with_times_alone(finished: Workflow) -> None:
    first = finished.run("--dry-run")
    assert "Nothing to be done" in first.output
    assert "hashing" in first.output  # these are copies of the files that were hashed
    heads(finished, "own-0", 4)
    expected = [f"{rule} own-0" for rule in ("card", "convert", "verify")]
    assert jobs(finished.run("--dry-run", "--rerun-triggers", "mtime")) == expected
    shutil.rmtree(finished.folder / ".snakemake")
    outcome = finished.run()
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == expected
    assert re.search(
        r'own-0: convert runs again: converted with config \{.*"num_attention_heads": 3',
        outcome.output,
    )
    assert "hashing" not in outcome.output
    assert read(finished, "models/own-0/config.json")["num_attention_heads"] == 4
    assert read(finished, "verification/own-0.json")["asked"]["config"]["num_attention_heads"] == 4
    assert "Nothing to be done" in finished.run().output


@pytest.mark.full
def test_refused_edit_leaves_nothing_that_says_verified_and_its_opposite_brings_all_back(
    finished: Workflow,
) -> None:
    labels = finished.folder / "labels.txt"
    labels.write_text("label 0\n")
    outcome = finished.run()
    assert outcome.code == 1
    assert "has 1 labels, but the checkpoint's head has 7 classes" in outcome.output
    assert not list(finished.results.glob("models/own-1/*"))
    assert not (finished.results / "verification/own-1.json").exists()
    labels.write_text(SEVEN_LABELS)
    outcome = finished.run()
    assert outcome.code == 0, outcome.output
    assert (finished.results / "models/own-1/README.md").exists()


@pytest.mark.full
@pytest.mark.parametrize("new_file", [True, False])
def test_contradicted_receipt_is_made_again_once(new_file: bool, workflow: Workflow) -> None:
    """Where file and pin change together, and where a wrong pin is corrected."""
    path = workflow.folder / "it.pth"
    synthetic_weights.save("tiny-finetuned", path)

    def pin(sha256: str) -> None:
        entry = {"checkpoint": path.name, "config": GIVEN["tiny-finetuned"], "sha256": sha256}
        workflow.configure({"it": entry})

    def run() -> tuple[int, list[str]]:
        outcome = workflow.run("--until", "convert")
        return outcome.code, jobs(outcome)

    pin(sha256(path))
    assert run() == (0, ["convert it", "link it"])
    if new_file:
        move_over(path, other_checkpoint(path))
    else:
        pin("1" * 64)
        assert run() == (1, ["link it"])
    pin(sha256(path))
    assert run() == (0, ["convert it", "link it"])
    assert run() == (0, [])


# -- what is compared, without a run ---------------------------------------------------------------


def test_receipt_that_describes_another_file_is_not_believed(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path = Path(shutil.copy(checkpoints["tiny-finetuned"], tmp_path / "it.pth"))
    file, found = file_state.hashed(path)
    known = receipts.Receipt("it.pth", receipts.of_hashed(file, found), file)
    assert receipts.describes(known, path) is None
    os.utime(path, (OLD, OLD))
    assert receipts.describes(known, path) is None  # the same bytes
    move_over(path, path.read_bytes() + b"\0")
    assert receipts.describes(known, path) == receipts.content(path)
    assert receipts.describes(known._replace(file=None), path) == receipts.content(path)


def test_refreshed_receipt_is_no_younger(tmp_path: Path) -> None:
    receipt, file = tmp_path / "it.json", file_state.Stat(1, 2, 3, 4)
    made = receipts.Receipt("it.pth", receipts.Content(1, "1" * 64), None, fetched=True)
    receipts.write(receipt, made)
    os.utime(receipt, (OLD, OLD))
    receipts.refresh(receipt, file)
    assert receipts.read(receipt) == made._replace(file=file)
    assert receipt.stat().st_mtime == OLD
