"""The benchmark: that what it measures is what it says."""

import os
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.bench import plot
from tests.bench.__main__ import main
from tests.bench.measuring import Memory, alternate, rows, watched
from tests.bench.scale import Scale


def test_tasks_alternate_and_medians_are_compared() -> None:
    order: list[str] = []
    seconds = {"one": iter((2.0, 9.0, 4.0)), "other": iter((1.0, 1.0, 1.0))}

    def task(name: str) -> float:
        order.append(name)
        return next(seconds[name])

    taken = alternate({name: partial(task, name) for name in seconds}, 3)
    assert order == ["one", "other"] * 3
    assert rows(taken, "one", {"other": "0.5"}) == [
        ["one", "4.00", "2.00-9.00", "1.00", ""],
        ["other", "1.00", "1.00-1.00", "0.25", "0.5"],
    ]


def test_memory_is_that_of_the_scripts_that_a_command_runs(tmp_path: Path) -> None:
    script = tmp_path / "hungry.py"
    script.write_text("import time\nheld = bytearray(150_000_000)\ntime.sleep(1)\n")
    memory = Memory()
    command = ["bash", "-c", f"{sys.executable} {script}; true"]
    assert watched(command, tmp_path, memory) > 1
    assert 140 < memory.anonymous["hungry"] < memory.resident["hungry"] < 250
    assert "bash" in memory.resident
    memory.see("this", psutil.Process(os.getpid()))
    assert memory.resident["this"] > 10


def test_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="exit status 3"):
        watched(["bash", "-c", "exit 3"], tmp_path, Memory())


@pytest.mark.full
def test_many_variants_are_made_from_one_and_leave_nothing_to_do(tmp_path: Path) -> None:
    scale = Scale(tmp_path / "three", 3)
    scale.finish()
    results = tmp_path / "three/results"
    assert len(list((results / "verification").iterdir())) == 3
    time.sleep(0.01)
    (results / "models/epoch-0002/config.json").unlink()
    with pytest.raises(AssertionError, match="something left to do"):
        scale.check_finished()
    assert scale.cost_per_variant() > 0
    assert len(list((results / "verification").iterdir())) == 3


def test_folder_of_the_benchmark_may_be_relative_as_its_default_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--only", "memory", "--variants", "videomae-small-finetuned-ssv2")
    monkeypatch.setattr(sys, "argv", ["bench", *options, "--folder", "results/bench"])
    main()
    table = (tmp_path / "results/bench/table.txt").read_text()
    assert "most MB, convert alone" in table


def test_picture_has_a_bar_for_each_task(tmp_path: Path) -> None:
    plot.draw({"convert": {"cp": [1.0, 2.0], "convert": [0.5]}}, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().count("cp") >= 1
