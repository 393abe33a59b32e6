"""A killed run: its jobs die, one command goes on; and what `make faults` would see."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from videomae import liveness
from videomae.errors import ConversionError

from tests.conftest import ROOT, Workflow, process
from tests.faults import kills
from tests.faults.disks import NO_SPACE
from tests.faults.scene import Scene, Watch
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
    resume = (ROOT / "scripts/resume.py", *made.options())
    refused = process(*resume, cwd=finished.folder)
    assert refused.code == 1
    assert f"error: {finished.folder} has a run alive in it" in refused.output
    run.kill()
    run.wait()
    assert kills.orphans(made) == []
    locked = process("-m", "snakemake", *made.options(), cwd=finished.folder)
    assert "Directory cannot be locked" in locked.output
    outcome = process(*resume, cwd=finished.folder)
    assert outcome.code == 0, outcome.output
    assert kills.differences(made.kept(), right) == []


def test_job_whose_run_is_dead_already_does_nothing(tmp_path: Path) -> None:
    made = tmp_path / "it"
    script = tmp_path / "script.py"
    script.write_text(f"import pathlib; pathlib.Path({str(made)!r}).touch()")
    job = (ROOT / "scripts/job.py", script)
    outcome = process(*job, environment={liveness.RUN: "1"})  # no parent of it
    assert outcome.code == -signal.SIGKILL
    assert not made.exists()
    assert process(*job, environment={liveness.RUN: str(os.getpid())}).code == 0
    assert made.exists()


@pytest.mark.full
def test_run_ends_by_sigterm_that_comes_while_it_schedules(finished: Workflow) -> None:
    # Under the lock that Snakemake's own handler waits for, in the same thread.
    code = """
import os, signal, sys
from snakemake.cli import main
from snakemake.scheduling.greedy import Scheduler
select = Scheduler.select_jobs
def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    return select(*arguments)
Scheduler.select_jobs = interrupted
main(sys.argv[1:])
"""
    (finished.results / "verification/own-0.json").unlink()
    made = Scene(finished.folder, HubStandIn(tokens={}), {})
    outcome = process("-c", code, *made.options(), cwd=finished.folder)
    assert outcome.code == 1
    assert "Will exit after finishing currently running jobs" in outcome.output


def test_run_whose_output_finds_no_space_ends_when_a_job_fails(workflow: Workflow) -> None:
    """It waited for the job for ever: the error kept Snakemake from counting it as ended."""
    code = """
import builtins, errno, os, sys
from snakemake.cli import main
say = builtins.print
def full(*words, **options):
    if "1 failed" in str(words):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    say(*words, **options)
builtins.print = full
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
        liveness.none_alive(tmp_path),
        pytest.raises(ConversionError, match="is being unlocked by resume"),
    ):
        liveness.hold(tmp_path)


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


def test_second_commit_is_seen(made: Scene) -> None:
    for content in (b"{}", b"[]"):
        made.hub.add_file("model", "lab/one", "config.json", content)
    assert kills.commits(made) == ["lab/one has 3 commits"]


def test_word_of_space_is_told_from_other_errors() -> None:
    assert NO_SPACE.search("OSError: [Errno 28] No space left on device")
    assert not NO_SPACE.search("KeyError: 'a'\ndisk: 0.0 GB needed in results, 4.0 GB free")
