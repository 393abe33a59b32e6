"""File systems without locks, modes or links, files from the future: a run copes, or says so."""

import errno
import os
import time
from pathlib import Path

import pytest
from videomae.download import receipts
from videomae.workflow import clock

from tests.conftest import CLI, GIVEN, Workflow, command, jobs, process
from tests.standins import poor_mount

ALL = {"flock": errno.ENOSYS, **poor_mount.EXFAT}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return poor_mount.build(tmp_path_factory.mktemp("library"))


def own(workflow: Workflow, checkpoint: Path) -> None:
    """Configure one local checkpoint."""
    entry = {"checkpoint": str(checkpoint), "config": GIVEN["tiny-finetuned"]}
    workflow.configure({"own": entry})


def copied(path: Path, checkpoint: Path) -> Path:
    path.write_bytes(checkpoint.read_bytes())
    return path


# -- a whole run -----------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.parametrize("place", ["", "results"])
def test_run_without_locks_modes_and_links_is_verified_and_complete(
    place: str, library: Path, checkpoints: dict[str, Path], workflow: Workflow
) -> None:
    checkpoint = copied(workflow.folder / "own.pth", checkpoints["tiny-finetuned"])
    own(workflow, checkpoint)
    poor = poor_mount.environment(library, workflow.folder / place, ALL)
    # Snakemake's records, in files or in a database, lie beside the results.
    options = () if place else ("--persistence-backend", "db")
    outcome = workflow.run(*options, **poor)
    assert outcome.code == 0, outcome.output
    assert outcome.output.count("this file system has no locks") == (not place)
    assert ("if they fail, give --persistence-backend db" in outcome.output) == (not place)
    assert "free (with copies of local files: this file system has no links)" in outcome.output
    made = workflow.results / "checkpoints/own.pth"
    assert not made.is_symlink()
    assert made.read_bytes() == checkpoint.read_bytes()
    if place:
        return
    assert jobs(workflow.run(*options, **poor)) == []
    # Of the copy nothing stays when another file takes the original's place, though it is older.
    copied(checkpoint, checkpoints["tiny-pretraining"])
    os.utime(checkpoint, (1e9, 1e9))
    entry = {"checkpoint": str(checkpoint), "config": GIVEN["tiny-pretraining"]}
    workflow.configure({"own": entry})
    outcome = workflow.run(*options, **poor)
    assert outcome.code == 0, outcome.output
    assert made.read_bytes() == checkpoint.read_bytes()


# -- one command -----------------------------------------------------------------------------------


@pytest.mark.parametrize("errors", [poor_mount.EXFAT, poor_mount.SMB])
def test_local_file_is_copied_where_there_are_no_links(
    errors: dict[str, int], library: Path, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path, output = checkpoints["tiny-finetuned"], tmp_path / "it.pth"
    poor = poor_mount.environment(library, tmp_path, errors)
    record = ("--fetched", tmp_path / "record.json", "--receipt", tmp_path / "it.json")
    outcome = process(*CLI, "fetch", path, output, *record, environment=poor)
    assert outcome.code == 0, outcome.output
    assert f"{path} was copied, because the file system of " in outcome.output
    assert output.read_bytes() == path.read_bytes()
    made = receipts.read(tmp_path / "record.json")
    assert not made.fetched
    assert receipts.describes(made, output) is None
    assert made.file != receipts.read(tmp_path / "it.json").file  # which is the original's


@pytest.mark.parametrize("errors", poor_mount.BUCKETS)
def test_folder_is_converted_where_there_are_no_modes(
    errors: dict[str, int], library: Path, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    poor = poor_mount.environment(library, tmp_path, errors)
    options = [f"{key}={value}" for key, value in GIVEN["tiny-finetuned"].items()]
    given = (checkpoints["tiny-finetuned"], tmp_path / "it", "--config", *options)
    outcome = process(*CLI, "convert", *given, environment=poor)
    assert outcome.code == 0, outcome.output


LOCKED = """
import sys
from pathlib import Path
from videomae.download import google_drive
from videomae.score.logit_store import Kept
from videomae.workflow import run_lock

folder = Path(sys.argv[1])
run_lock.hold(folder)
assert not run_lock.alive(folder)
with run_lock.none_alive(folder), google_drive._alone(folder / "parts"):
    pass
with Kept(folder / "views", {}).adding("1of1") as lines:
    lines.write("")
"""


@pytest.mark.parametrize("errors", [*poor_mount.LUSTRE, {"flock": errno.EIO}])
def test_work_goes_on_without_locks_and_says_so(
    errors: dict[str, int], library: Path, tmp_path: Path
) -> None:
    outcome = process(
        "-c", LOCKED, tmp_path, environment=poor_mount.environment(library, tmp_path, errors)
    )
    if errors["flock"] == errno.EIO:  # a fault, and no lack of locks
        assert outcome.code == 1
        return
    assert outcome.code == 0, outcome.output
    told = [line for line in outcome.output.splitlines() if "this file system has no locks" in line]
    assert len(told) == 3  # the run's, the download's, the scoring's
    assert "alive can't be locked (" in told[0]


# -- files from the future ------------------------------------------------------------------------


@pytest.mark.full
def test_file_from_the_future_is_named_and_earlier_results_stay(finished: Workflow) -> None:
    link = finished.results / "checkpoints/own-0.pth"
    own_file = finished.folder / "own-0.pth"
    ahead = time.time() + 3 * 3600
    with own_file.open("ab") as file:
        file.write(b"more")
    os.utime(own_file, (ahead, ahead))
    outcome = finished.run()
    assert outcome.code == 1
    (said,) = [line for line in outcome.output.splitlines() if "changed in the future" in line]
    assert said.startswith(
        "own-0.pth, results/checkpoints/own-0.pth: changed in the future by the time stamp (20"
    )
    assert "180 min ahead of this machine's clock" in said
    assert "with `touch`" in said
    assert link.is_symlink()
    assert link.with_suffix(".json").exists()


def test_moment_ahead_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.touch()
    soon = time.time() + 0.3
    os.utime(file, (soon, soon))
    clock.check([], tmp_path, [str(file), str(tmp_path / "none")])
    assert time.time() >= soon


def test_command_by_itself_takes_a_file_from_the_future(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint = copied(tmp_path / "own.pth", checkpoints["tiny-finetuned"])
    os.utime(checkpoint, (2e9, 2e9))
    options = [f"{key}={value}" for key, value in GIVEN["tiny-finetuned"].items()]
    outcome = command("convert", checkpoint, tmp_path / "it", "--config", *options)
    assert outcome.code == 0, outcome.output
