"""Several runs with one folder of checkpoints, to which each adds what it downloads."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from videomae.config.entry import Entry
from videomae.config.variant import Variant
from videomae.download import cache
from videomae.download.receipts import Content
from videomae.errors import ConversionError
from videomae.workflow import disk_space

from tests.conftest import CLI, DATA, Outcome, Workflow, jobs, process, until
from tests.standins.drive import DriveStandIn, slow

FILE_ID = "1MzwteHH-1yuMnFb8vRBQDvngV1Zl-d3z"
SOURCE = f"gdrive:{FILE_ID}"
CONTENT = (DATA / "trained/v1-cls.pth").read_bytes()


def download(output: Path, place: Path, *options: object, **environment: str) -> Outcome:
    given = (SOURCE, output, "--checkpoint", "--wait=0", f"--shared={place}", *options)
    return process(*CLI, "fetch", *given, environment=environment)


def write(new: Path) -> None:
    new.write_bytes(CONTENT)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def adding(folder: Path, zoo: Path, source: str = SOURCE) -> tuple[Workflow, tuple[str, ...]]:
    """Give a workflow that adds to a folder, and what is asked of it."""
    folder.mkdir()
    workflow = Workflow(folder)
    entry = {"checkpoint": source, "config": {"num_attention_heads": 4}}
    workflow.configure({"it": entry}, checkpoints_dir=str(zoo), add_to_checkpoints_dir=True)
    return workflow, ("results/models/it/config.json",)


@pytest.mark.full
def test_what_one_run_downloads_the_next_links(tmp_path: Path, home: dict[str, str]) -> None:
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", **home}
    first, target = adding(tmp_path / "first", zoo)
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, CONTENT)
        outcome = first.run(*target, **home, **server.environment)
    assert outcome.code == 0, outcome.output
    assert f"disk: 0.0 GB needed in {zoo}, " in outcome.output
    assert names(zoo) == ["it.json", "it.pth"]
    assert json.loads((zoo / "it.json").read_text())["source"] == SOURCE
    assert (zoo / "it.pth").stat().st_mode & 0o444 == 0o444
    second, target = adding(tmp_path / "second", zoo)
    outcome = second.run(*target, **offline)
    assert outcome.code == 0, outcome.output
    for run in (first, second):
        assert (run.results / "checkpoints/it.pth").readlink() == zoo / "it.pth"
        assert "Nothing to be done" in run.run(*target, **offline).output


def test_space_is_asked_for_where_the_checkpoints_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = tmp_path / "zoo"
    entry = Entry.model_validate({"checkpoint": SOURCE})
    variant = Variant("it", entry, None, shared=str(zoo / "it.pth"), locked=Content(10**9, ""))
    free = {zoo: 2 * 10**9, tmp_path: 2 * 10**9}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[path]))
    assert f"\ndisk: 1.0 GB needed in {zoo}, 2.0 GB free" in disk_space.check([variant], tmp_path)
    free[zoo] = 10**8
    with pytest.raises(ConversionError, match=f"{zoo}, 0.1 GB free; free 0.9 GB more"):
        disk_space.check([variant], tmp_path)


def test_checkpoint_of_another_source_is_not_taken_for_the_right_one(
    tmp_path: Path, home: dict[str, str]
) -> None:
    zoo = tmp_path / "zoo"
    cache.add(zoo / "it.pth", SOURCE, write)
    other, target = adding(tmp_path / "other", zoo, "gdrive:1234567890other")
    outcome = other.run(*target, **home)
    assert outcome.code != 0
    assert (
        f"it.pth comes from {SOURCE} by the receipt beside it, "
        "but the variant's source is gdrive:123456" in outcome.output
    )
    assert jobs(outcome) == []


def test_two_that_bring_the_same_leave_the_first_ones_file(
    tmp_path: Path, home: dict[str, str]
) -> None:
    """A younger file would have the other run convert it again."""
    outputs, place = [tmp_path / name / "it.pth" for name in "ab"], tmp_path / "zoo/it.pth"
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, CONTENT, behaviour=slow(1_000_000, stall=3, times=2))
        environment = {**os.environ, **home, **server.environment}
        arguments = [*CLI, "fetch", SOURCE, outputs[0], f"--shared={place}"]
        late = subprocess.Popen([sys.executable, *map(str, arguments)], env=environment)
        until(lambda: any(outputs[0].parent.glob(".it.pth.parts/*.part")), "the part")
        assert download(outputs[1], place, **home, **server.environment).code == 0
        before = place.stat()
        assert late.wait() == 0
    assert (place.stat().st_ino, place.stat().st_mtime) == (before.st_ino, before.st_mtime)
    assert names(place.parent) == ["it.json", "it.pth"]
    for output in outputs:
        assert output.read_bytes() == CONTENT


def test_what_is_no_checkpoint_does_not_get_there(tmp_path: Path, home: dict[str, str]) -> None:
    place = tmp_path / "zoo/it.pth"
    with DriveStandIn(tmp_path) as server:
        server.add(FILE_ID, b"<!DOCTYPE html><title>Quota</title>")
        outcome = download(tmp_path / "it.pth", place, **home, **server.environment)
    assert outcome.code == 1
    assert names(place.parent) == []


def test_file_that_is_there_is_held_to_the_pin(tmp_path: Path) -> None:
    place = tmp_path / "it.pth"
    place.write_bytes(CONTENT)
    outcome = download(tmp_path / "out/it.pth", place, f"--sha256={'0' * 64}")
    assert outcome.code == 1
    assert f"but {'0' * 64} is expected" in outcome.output
    assert names(tmp_path / "out") == []


def test_links_to_ones_own_cache_are_not_shared(tmp_path: Path) -> None:
    """The hub's client gives one where its cache is on another disk; others may not read that."""
    cached, checkpoint = tmp_path / "cached", tmp_path / "zoo/it.pth"
    cached.write_bytes(CONTENT)
    cache.add(checkpoint, "hub:lab/zoo/it.pth", lambda new: new.symlink_to(cached))
    assert not checkpoint.is_symlink()
    assert checkpoint.read_bytes() == CONTENT
