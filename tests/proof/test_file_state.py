"""What is verified is what was read: swaps while a command works, and what it says of its bytes."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from videomae import file_state
from videomae.checkpoint import safetensors_file
from videomae.convert import model_folder, provenance
from videomae.errors import ConversionError
from videomae.file_state import Watched
from videomae.model import imagenet
from videomae.verify import clips
from videomae.verify.proof import Verification

from tests.conftest import GIVEN, command, given

Folders = dict[str, Path]
NAME = "tiny-finetuned"
WEIGHTS = model_folder.WEIGHTS


@pytest.fixture
def path(checkpoints: Folders, tmp_path: Path) -> Path:
    """A checkpoint to be changed."""
    return Path(shutil.copy(checkpoints[NAME], tmp_path / "it.pth"))


@pytest.fixture
def model(converted: Folders, tmp_path: Path) -> Path:
    """A folder to be changed."""
    return Path(shutil.copytree(converted[NAME], tmp_path / "it"))


def swap(path: Path) -> None:
    """Put other bytes of the same size and modification time in a file's place."""
    other, before = path.with_suffix(".other"), path.stat()
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    other.write_bytes(content)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def write_in_place(path: Path) -> None:
    """Write other bytes of the same size into a file, and set its modification time back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-100, os.SEEK_END)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_away_and_back(path: Path) -> None:
    """Have another file in the place for a moment, as a flip-flop has."""
    away = path.with_suffix(".away")
    path.rename(away)
    path.write_bytes(b"another")
    path.unlink()
    away.rename(path)


CHANGES = [swap, write_in_place, put_away_and_back, Path.unlink]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_watched_file_is_noticed(
    change: Callable[[Path], None], path: Path
) -> None:
    watched = Watched(path)
    assert watched.changed() == []
    assert watched.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    change(path)
    assert watched.changed() == [str(path)]


def test_file_that_was_opened_in_a_moment_when_the_link_led_elsewhere_is_noticed(
    path: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copy(path, tmp_path / "other.pth"))
    watched = Watched(path)
    with path.open("rb") as right, other.open("rb") as wrong:
        assert watched.changed([right]) == []
        assert watched.changed([right, wrong]) == [str(path)]


def test_file_that_changes_while_it_is_hashed_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.file_digest

    def hash_and_change(file: Any, kind: str) -> Any:
        found = digest(file, kind)
        write_in_place(path)
        return found

    monkeypatch.setattr(hashlib, "file_digest", hash_and_change)
    with pytest.raises(ConversionError, match="changed while it was hashed; run again"):
        file_state.hashed(path)


# -- convert ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [swap, write_in_place, put_away_and_back])
def test_checkpoint_that_changes_while_it_is_converted_gives_no_folder(
    change: Callable[[Path], None], path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = safetensors_file.write

    def write_and_change(*arguments: Any) -> None:
        write(*arguments)
        change(path)

    monkeypatch.setattr(safetensors_file, "write", write_and_change)
    outcome = command("convert", path, tmp_path / "out", *given(NAME))
    assert outcome.code == 1
    assert f"{path} changed while it was read; run again" in outcome.output.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("step", ["convert", "verify"])
def test_checkpoint_that_is_not_its_receipts_or_not_the_pinned_one_is_refused(
    step: str, path: Path, model: Path, tmp_path: Path
) -> None:
    receipt, place = tmp_path / "it.json", tmp_path / "out" if step == "convert" else model
    assert command("receipt", path, receipt, "--source", str(path)).code == 0
    was, options = hashlib.sha256(path.read_bytes()).hexdigest(), given(NAME)
    swap(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    outcome = command(step, path, place, "--receipt", receipt, *options)
    assert outcome.code == 1
    assert f"SHA-256 {found}, but {receipt} has {was}: the file changed" in outcome.output
    outcome = command(step, path, place, f"--sha256={was}", *options)
    assert outcome.code == 1
    assert f"SHA-256 {found}, but {was} is expected" in outcome.output
    assert not (tmp_path / "out").exists()


def test_converting_does_not_hash_what_is_as_its_receipt_says_and_verifying_does(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, options = tmp_path / "it.json", (*given(NAME), "--receipt", tmp_path / "it.json")
    assert command("receipt", path, receipt, "--source", str(path)).code == 0
    hashed, digest = [], hashlib.file_digest

    def count(file: Any, kind: str) -> Any:
        hashed.append(Path(file.name))
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", count)
    for again in (False, True):
        if again:  # the same bytes, of another time
            path.touch()
        outcome = command("convert", path, tmp_path / "out", "--overwrite", *options)
        assert outcome.code == 0, outcome.output
        assert (path in hashed) == again
    hashed.clear()
    assert command("verify", path, tmp_path / "out", *options).code == 0
    assert hashed.count(path) == 1


# -- verify ----------------------------------------------------------------------------------------


def test_report_tells_the_checkpoint_the_files_and_what_was_asked(
    path: Path, model: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    outcome = command("verify", path, model, *given(NAME), "--passed", report)
    assert outcome.code == 0, outcome.output
    content = json.loads(report.read_text())
    assert content["checkpoint"] == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
    }
    assert content["files"] == {
        name: file_state.stat(model / name)._asdict() for name in model_folder.CONVERTED
    }
    assert content["asked"]["config"] == {
        **{"num_attention_heads": 3, "num_frames": 4, "image_size": 32}
    }
    assert content["asked"]["labels"] is None
    assert content["checks"][-1]["name"] == "files unchanged"


@pytest.mark.parametrize("moment", [0, 2, 5, 8, 12, -1])
@pytest.mark.parametrize("change", [swap, put_away_and_back])
def test_weights_that_change_while_they_are_verified_never_pass(
    change: Callable[[Path], None],
    moment: int,
    path: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever check has just been made, -1 being the last, after which files are only hashed."""
    moments = [moment if moment >= 0 else len(said_by(path, model)) - 1]
    report = tmp_path / "report.json"
    at_moments(monkeypatch, moments, lambda: change(model / WEIGHTS))
    options = ("--report", report, "--passed", tmp_path / "passed.json")
    outcome = command("verify", path, model, *given(NAME), *options)
    assert outcome.code == 1
    checks = {check["name"]: check for check in json.loads(report.read_text())["checks"]}
    said = checks["files unchanged"]["message"]
    assert WEIGHTS in said or str(model) in said
    assert "changed during verification" in said
    assert not (tmp_path / "passed.json").exists()


def said_by(path: Path, model: Path) -> list[object]:
    """Give all that verifying says, steps and checks."""
    said: list[object] = []
    Verification(NAME, path, model, GIVEN[NAME]).run(said.append)
    return said


def at_moments(
    monkeypatch: pytest.MonkeyPatch, moments: list[int], act: Callable[[], object]
) -> None:
    """Have something done when verifying has said so many steps and checks."""
    run = Verification.run

    def acting(self: Verification, say: Callable[[object], None]) -> Any:
        said: list[object] = []

        def note(made: object) -> None:
            if len(said) in moments:
                act()
            said.append(made)
            say(made)

        return run(self, note)

    monkeypatch.setattr(Verification, "run", acting)


def test_checkpoint_that_changes_while_it_is_verified_fails(
    path: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_moments(monkeypatch, [6], lambda: put_away_and_back(path))
    outcome = command("verify", path, model, *given(NAME), "--passed", tmp_path / "passed.json")
    assert outcome.code == 1
    assert f"{path} changed while it was read" in outcome.output
    assert not (tmp_path / "passed.json").exists()


@pytest.fixture
def beside(converted: Folders, tmp_path: Path) -> dict[str, tuple[str, Path, list[str]]]:
    """Files that verifying reads beside a checkpoint's folder: the network, the path, options."""
    clip, mask = tmp_path / "clip.npy", tmp_path / "mask.pt"
    labels, truth = tmp_path / "labels.txt", tmp_path / "truth.npz"
    np.save(clip, clips.synthetic_clip(4, 32))
    config = {"image_size": 32, "patch_size": 16, "num_frames": 4, "tubelet_size": 2}
    torch.save(clips.tube_mask(config, 0.5), mask)
    labels.write_text("".join(f"the label of class {number}\n" for number in range(7)))
    pixels = clips.normalise(clips.synthetic_clip(4, 32), imagenet.MEAN, imagenet.STD)
    network = transformers.VideoMAEForVideoClassification.from_pretrained(converted[NAME])
    with torch.no_grad():
        np.savez(truth, pixels=pixels.numpy(), logits=network(pixels).logits.numpy())
    values = {"shape": [1, 4, 1536], "logits": [[0.319391, 0.343425]]}
    outputs = {**values, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    recorded = f"--recorded={json.dumps({**outputs, 'clip': str(clip), 'mask': str(mask)})}"
    return {
        "labels": (NAME, labels, ["--labels", str(labels)]),
        "truth": (NAME, truth, [f"--recorded={truth}"]),
        "clip": ("tiny-pretraining", clip, [recorded]),
        "mask": ("tiny-pretraining", mask, [recorded]),
    }


@pytest.mark.parametrize("change", [swap, put_away_and_back])
@pytest.mark.parametrize("what", ["labels", "truth", "clip", "mask"])
def test_file_beside_that_changes_while_it_is_verified_fails(
    what: str,
    change: Callable[[Path], None],
    beside: dict[str, tuple[str, Path, list[str]]],
    checkpoints: Folders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was read is right each time, and what stands there when it ends may be too."""
    name, file, options = beside[what]
    model, passed = tmp_path / "it", tmp_path / "passed.json"
    taken = options if what == "labels" else []
    made = command("convert", checkpoints[name], model, *given(name), *taken)
    assert made.code == 0, made.output
    verify = (checkpoints[name], model, *given(name), *options, "--passed", passed)
    outcome = command("verify", *verify)
    assert outcome.code == 0, outcome.output
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert json.loads(passed.read_text())["asked"][what] == found
    passed.unlink()
    last = len(outcome.output.splitlines()) - 5  # the last lines come when all files have been read
    at_moments(monkeypatch, [last], lambda: change(file))
    outcome = command("verify", *verify)
    assert outcome.code == 1
    assert f"{file} changed while it was read; run again" in outcome.output.splitlines()[-1]
    assert not passed.exists()


def test_link_to_a_folder_that_leads_elsewhere_for_a_moment_is_noticed(
    model: Path, tmp_path: Path
) -> None:
    link, other = tmp_path / "link", Path(shutil.copytree(model, tmp_path / "other"))
    link.symlink_to(model)
    watched = provenance.watch_folder(link)
    assert watched.changed() == []
    for target in (other, model):
        link.unlink()
        link.symlink_to(target)
    assert watched.changed()
