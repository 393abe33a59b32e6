"""`make status`: every step of every variant, during a run and after."""

import json
from pathlib import Path

import pytest
from videomae.workflow import run_lock, states
from videomae.workflow.states import STEPS
from videomae.workflow.status import table, variants

from tests.conftest import Outcome, Workflow, command


def leave(directory: Path, step: str, name: str) -> None:
    path = directory / "results" / STEPS[step].format(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def row(said: str, name: str) -> list[str]:
    line = next(line for line in said.splitlines() if line.startswith(f"{name} "))
    return line.split()[1:]


def test_every_step_is_done_running_failed_or_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for step in ("download", "receipt"):
        for number in (2, 10):
            leave(tmp_path, step, f"epoch-{number}")
    log = tmp_path / "results/logs/convert/epoch-2.log"
    log.parent.mkdir(parents=True)
    log.write_text("error: it is broken\n")
    doing = tmp_path / "results/logs/convert/epoch-10.log"
    doing.write_text("reading it\nwriting it: 1.2 of 2.5 GB\n\n")
    said = table(tmp_path)
    assert "no run is alive in" in said
    for directory in (tmp_path, "."):  # as people call it
        called = command("status", "--directory", directory).output
        assert row(called, "epoch-10") == ["done", "done", "interrupted", "waiting", "waiting"]
    assert row(said, "epoch-2") == ["done", "done", "FAILED", "waiting", "waiting"]
    assert row(said, "epoch-10") == ["done", "done", "interrupted", "waiting", "waiting"]
    assert said.index("epoch-2 ") < said.index("epoch-10 ")
    assert f"epoch-2 failed at convert ({log}):\n  it is broken" in said
    assert "the log ends without a reason: the job was killed" in said
    run_lock.hold(tmp_path)
    try:
        with doing.open("a") as held:
            run_lock.hold_log(held)
            said = table(tmp_path)
    finally:
        run_lock.HELD.pop().close()
    assert "a run is alive in" in said
    assert row(said, "epoch-10")[2] == "running"
    assert said.endswith(f"epoch-10 is at convert ({doing}):\n  writing it: 1.2 of 2.5 GB")


def test_scoring_is_shown_by_its_parts_where_it_has_begun(tmp_path: Path) -> None:
    logs, scores = tmp_path / "results/logs/score", tmp_path / "results/scores"
    for name in ("begun", "broken", "merged"):
        leave(tmp_path, "verify", name)
        (logs / name).mkdir(parents=True)
        for part in (1, 2):
            (logs / f"{name}/{part}-of-2.log").touch()
    (scores / "shards/begun").mkdir(parents=True)
    (scores / "shards/begun/1-of-2.json").touch()
    (scores / "merged.json").touch()
    (logs / "broken/2-of-2.log").write_text("error: list.csv line 3: no label\n")
    leave(tmp_path, "verify", "unscored")
    said = table(tmp_path)
    for name, state in {
        "begun": ["1", "parts", "done"],
        "broken": ["FAILED"],
        "merged": ["done"],
        "unscored": ["waiting"],
    }.items():
        assert row(said, name)[5:] == state
    assert said.endswith(f"({logs / 'broken/2-of-2.log'}):\n  list.csv line 3: no label")
    with (logs / "begun/2-of-2.log").open("w") as held:
        held.write("begun: 10 of 50 videos, 0.5 videos/s, 80 s left\n")
        held.flush()
        run_lock.hold_log(held)
        said = table(tmp_path)
    assert row(said, "begun")[5] == "running"
    assert "begun is at score" in said
    assert "10 of 50 videos, 0.5 videos/s, 80 s left" in said


@pytest.mark.parametrize("step", ["push", "push_plan"])
def test_steps_that_push_are_shown_where_one_has_run(step: str, tmp_path: Path) -> None:
    leave(tmp_path, "download", "it")
    assert len(row(table(tmp_path), "it")) == 5
    leave(tmp_path, step, "it")
    (tmp_path / f"results/logs/{step}").mkdir(parents=True)
    assert row(table(tmp_path), "it") == ["done", *["waiting"] * 4, "done"]


def test_status_of_a_finished_run(finished: Workflow) -> None:
    outcome: Outcome = command("status", "--directory", finished.folder)
    assert outcome.code == 0
    assert variants(finished.results) == ["own-0", "own-1", "tiny-pretraining"]
    for name in variants(finished.results):
        said = "done done done verified, network assumed (synthetic weights) done"
        assert " ".join(row(outcome.output, name)) == said
    (finished.results / "discarded").mkdir()
    (finished.results / "discarded/own-1.txt").write_text(json.dumps("removed"))
    (finished.results / "checkpoints/own-1.pth").unlink()
    assert states.state("own-1", finished.results, push=None).status.startswith("verified")
    outdated = {("download", "own-1")}
    again = states.state("own-1", finished.results, push=None, outdated=outdated)
    assert again.status == "download not done"
    assert row(command("status", "-d", finished.folder).output, "own-1")[:2] == ["done,", "removed"]


def test_where_nothing_has_run_it_says_so(tmp_path: Path) -> None:
    outcome = command("status", "--directory", tmp_path)
    assert outcome.code == 1
    assert "no such folder, so no run has started there" in outcome.output
