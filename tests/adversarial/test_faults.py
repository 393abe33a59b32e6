"""A killed run: its jobs die, one command goes on; and what `make faults` would see."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from videomae.errors import ConversionError
from videomae.workflow import run_lock

from tests.adversarial.faults import edits, kills
from tests.adversarial.faults.disks import NO_SPACE
from tests.adversarial.faults.scene import Scene, Watch
from tests.conftest import CLI, Workflow, process
from tests.standins.hub import HubStandIn

SLEEP = ("-c", "import time; time.sleep(60)")


@pytest.fixture
def made(tmp_path: Path) -> Scene:
    return Scene(tmp_path, HubStandIn(tokens={}), {})


@pytest.mark.full
def test_jobs_die_with_a_killed_run_which_one_command_brings_to_its_end(
    finished: Workflow,
) -> None:
    made = Scene(finished.folder, HubStandIn(tokens={}), {})
    right = made.kept()
    (finished.results / "verification/own-0.json").unlink()
    (finished.folder / ".snakemake/locks").mkdir(exist_ok=True)
    run = made.snakemake()
    log = finished.results / "logs/verify/own-0.log"
    log.unlink()
    while not log.exists():
        time.sleep(0.02)
        assert run.poll() is None, made.output()
    resume = (*CLI, "resume", *made.options())
    refused = process(*resume, cwd=finished.folder)
    assert refused.code == 1
    assert f"error: {finished.folder} has a running Snakemake" in refused.output
    run.kill()
    run.wait()
    assert kills.orphans(made) == []
    locked = process("-m", "snakemake", *made.options(), cwd=finished.folder)
    assert "Directory cannot be locked" in locked.output
    outcome = process(*resume, cwd=finished.folder)
    assert outcome.code == 0, outcome.output
    assert kills.differences(made.kept(), right) == []


def test_run_whose_output_finds_no_space_ends_when_a_job_fails(workflow: Workflow) -> None:
    """It waited for the job for ever: the error kept Snakemake from counting it as ended."""
    code = """
import errno, os, sys
from snakemake.cli import main
from videomae.workflow.progress_line import Progress
def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
Progress.fail = full
main(sys.argv[1:])
"""
    workflow.configure({"lost": {"checkpoint": "nowhere.pth"}})
    made = Scene(workflow.folder, HubStandIn(tokens={}), {})
    outcome = process("-c", code, *made.options(), cwd=workflow.folder)
    assert outcome.code == 1
    assert "No space left on device" in outcome.output
    assert "FAILED at download" in outcome.output


def test_run_does_not_start_while_the_directory_is_unlocked(tmp_path: Path) -> None:
    with (
        run_lock.none_alive(tmp_path),
        pytest.raises(ConversionError, match="is being unlocked by `videomae resume`"),
    ):
        run_lock.hold(tmp_path)


# -- the harness can fail --------------------------------------------------------------------------


def test_process_that_outlives_its_run_is_seen(
    made: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kills, "GONE", 0.1)
    with subprocess.Popen([sys.executable, *SLEEP], cwd=made.folder) as left:
        assert kills.orphans(made) == [f"process {left.pid} outlived its run"]
        made.end()
        assert left.wait(10) == -signal.SIGKILL


def test_file_that_is_half_written_under_its_final_name_is_seen(made: Scene) -> None:
    watch = Watch(made, {"models/it/config.json": b"{}"})
    path = made.results / "models/it/config.json"
    path.parent.mkdir(parents=True)
    watch.look()
    assert watch.wrong == []
    path.write_bytes(b"{")
    watch.look()
    assert watch.wrong == ["models/it/config.json: 1 bytes, not the 2 right ones"]


def test_missing_other_and_left_over_files_are_seen(made: Scene) -> None:
    folder = made.results / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "one.pth").write_bytes(b"other")
    (folder / ".two.pth.vm-1.new").touch()
    right = {"checkpoints/one.pth": b"one", "checkpoints/two.pth": b"two"}
    assert sorted(kills.differences(made.kept(), right)) == [
        "checkpoints/.two.pth.vm-1.new was left",
        "checkpoints/one.pth differs",
        "checkpoints/two.pth is missing",
    ]


def test_report_beside_a_file_that_it_does_not_describe_is_seen(made: Scene) -> None:
    weights, report = made.results / "models/it/model.safetensors", made.results / "verification"
    for folder in (weights.parent, report):
        folder.mkdir(parents=True)
    weights.write_bytes(b"one")
    noted = {"sha256": {weights.name: hashlib.sha256(b"one").hexdigest(), "config.json": "0"}}
    (report / "it.json").write_text(json.dumps(noted))
    watch = edits.ReportWatch(made, {})
    watch.look()
    assert watch.wrong == []
    weights.write_bytes(b"another")
    watch.look()
    assert watch.wrong == [f"it.json says verified beside another {weights.name}"]


def test_second_commit_is_seen(made: Scene) -> None:
    for content in (b"{}", b"[]"):
        made.hub.add_file("model", "lab/one", "config.json", content)
    assert kills.commits(made) == ["lab/one has 3 commits"]


def test_word_of_space_is_told_from_other_errors() -> None:
    assert NO_SPACE.search("OSError: [Errno 28] No space left on device")
    assert not NO_SPACE.search("KeyError: 'a'\ndisk: 0.0 GB needed in results, 4.0 GB free")
