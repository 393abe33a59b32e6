"""The scheduler: what it weighs each time that a job ends, so that a thousand cost no more each."""

import asyncio
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.jobs import GroupJob
from videomae import planning

from tests.conftest import GIVEN, Workflow
from tests.standins.drive import DriveStandIn

LEFT = [object()]


class Job:
    """A job that is ready, as far as the scheduler asks."""

    def __init__(self, rule: str, priority: int = 0) -> None:
        self.rule, self.priority = rule, priority

    def is_group(self) -> bool:
        """Tell whether it stands for several."""
        return False


def group(name: str) -> GroupJob:
    """Give a group of one job that is ready; no two have the same name."""
    member: Any = Job("convert")
    settings = SimpleNamespace(execution_settings=SimpleNamespace(attempt=1))
    member.dag = SimpleNamespace(workflow=settings, priority=lambda _: 0)
    return GroupJob(name, frozenset([member]), None)


def scheduler(ready: list[Job], **given: Any) -> Any:
    """Give the scheduler before anything is chosen."""
    made: Any = object.__new__(planning.Scheduler)
    dag = SimpleNamespace(ready_jobs=ready, needrun_jobs=lambda: LEFT, finished=lambda _: False)
    made.workflow = SimpleNamespace(dag=dag)
    made.running, made.failed, made._input_sizes = set(), set(), {}
    made.global_resources = {"_cores": 2, "_nodes": sys.maxsize, **given}
    return made


def test_of_each_rule_a_few_jobs_are_weighed_those_first_that_are_to_be_first() -> None:
    downloads = [Job("download", turn) for turn in range(200)]
    convert, grouped = [Job("convert")] * 3, [group(f"a{number}") for number in range(30)]
    offered = scheduler([*downloads, *convert, *grouped]).open_jobs
    assert offered == [*downloads[:179:-1], *convert, *grouped[:20]]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"_cores": 120}, 120),
        ({"_cores": sys.maxsize, "_nodes": 100}, 100),
        ({"_cores": sys.maxsize}, 200),  # --jobs unlimited
    ],
)
def test_no_fewer_jobs_are_weighed_than_can_be_started(
    limits: dict[str, int], expected: int
) -> None:
    assert len(scheduler([Job("convert")] * 200, **limits).open_jobs) == expected


def test_what_is_left_is_told_once_no_job_is_ready() -> None:
    assert scheduler([]).remaining_jobs == LEFT
    ready = [Job("convert")] * 200
    assert scheduler(ready).remaining_jobs == ready


def test_sizes_of_inputs_are_asked_for_once() -> None:
    class Input:
        def __init__(self, held: int | None) -> None:
            self.held, self.asked = held, 0

        async def exists(self) -> bool:
            self.asked += 1
            return self.held is not None

        async def size(self) -> int | None:
            return self.held

    asking = scheduler([])
    there, missing, later = Input(5), Input(None), Input(7)
    for inputs in ([there, missing], [there, missing], [missing, later]):
        asyncio.run(asking.update_input_sizes([SimpleNamespace(input=inputs)]))
    assert asking._input_sizes == {there: 5, missing: None, later: 7}
    assert [one.asked for one in (there, missing, later)] == [1, 1, 1]


@pytest.mark.full
def test_more_variants_than_are_weighed_at_once_are_all_done(
    workflow: Workflow, checkpoints: dict[str, Path]
) -> None:
    count = 2 * planning.FEW + 5
    for number in range(count):
        os.link(checkpoints["tiny-finetuned"], workflow.folder / f"epoch-{number}.pth")
    (workflow.folder / "config.yaml").write_text("variants: {}\n")
    outcome = workflow.run("--until", "link", "--config", "checkpoints=*.pth")
    assert outcome.code == 0, outcome.output
    assert len(list(workflow.results.glob("checkpoints/*.json"))) == count


FAR = [f"far-{number}" for number in (3, 1, 5, 2, 4)]


@pytest.mark.full
def test_downloads_take_no_core_and_follow_one_another_as_they_were_asked_for(
    workflow: Workflow, checkpoints: dict[str, Path], home: dict[str, str], tmp_path: Path
) -> None:
    near = {"checkpoint": str(checkpoints["tiny-finetuned"]), "config": GIVEN["tiny-finetuned"]}
    far = {name: {"checkpoint": f"gdrive:stand-in-file-{name}"} for name in FAR}
    workflow.configure({"near-1": near, **far, "near-2": near})
    targets = [f"results/checkpoints/{name}.pth" for name in FAR]
    targets += [f"results/verification/near-{number}.json" for number in (1, 2)]
    with DriveStandIn(tmp_path, rate=4e6) as server:
        for name in FAR:
            server.add(f"stand-in-file-{name}", checkpoints["tiny-finetuned"].read_bytes())
        few = ("--cores", "1", "--resources", "downloads=1")
        outcome = workflow.run(*targets, *few, **home, **server.environment)
    assert outcome.code == 0, outcome.output
    began = [outcome.output.index(f"variant={name}") for name in FAR]
    assert began == sorted(began)
    ended = [found.start() for found in re.finditer(r"\(Rule: download\)", outcome.output)]
    assert outcome.output.index("rule convert:") < ended[-1]
    # A download that has ended is followed at once, not when what takes the core has.
    between = [outcome.output[end:begin] for end, begin in zip(ended, began[1:], strict=False)]
    assert any("Finished jobid" not in said for said in between), outcome.output
