"""Real runs on a Slurm cluster of one node (`make test-slurm`)."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from videomae.download import synthetic_weights

from tests import filmed
from tests.conftest import EMPTY, GIVEN, ROOT, Outcome, Workflow, until
from tests.integration.slurm.cluster import MEGABYTES, Cluster, ask, cluster, jobs

pytestmark = pytest.mark.full

LIMIT = 300.0  # seconds for a run, of which a busy machine may need many
# Quick looks at the queue, as this cluster is small; it has no accounting.
OPTIONS = (
    *("--profile", str(ROOT / "profiles/slurm"), "--latency-wait", "5"),
    *("--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "1"),
)


@pytest.fixture(scope="module", autouse=True)
def slurm() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def variant(name: str = "tiny-finetuned", **given: Any) -> dict[str, Any]:
    return {"checkpoint": f"synthetic:{name}", "config": {**GIVEN[name], **given}}


def start(
    workflow: Workflow, *options: str, environment: Mapping[str, str] = EMPTY
) -> "subprocess.Popen[str]":
    """Start a run, whose output comes to a file, with more in its environment."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(workflow.snakefile)),
            *("--directory", str(workflow.folder), *OPTIONS, *options),
        ],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=(workflow.folder / "output").open("w"),
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(running: "subprocess.Popen[str]", workflow: Workflow) -> Outcome:
    """Wait for a run, and end it if it takes too long."""
    try:
        running.wait(LIMIT)
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
    return Outcome(running.returncode, (workflow.folder / "output").read_text())


def run(workflow: Workflow, *options: str, environment: Mapping[str, str] = EMPTY) -> Outcome:
    return finish(start(workflow, *options, environment=environment), workflow)


# Slurm looks at a job's memory once a second, and a download may have ended before it does. This
# one takes more than all else in its job, and in its first tries it waits to be ended.
TAKEN = 700  # megabytes
GREEDY_DOWNLOAD = f"""
import os, pathlib, sys, time

if "fetch" in sys.orig_argv:
    tries = pathlib.Path(__file__).with_name("tries")
    with tries.open("a") as file:  # first, since Slurm may end the job as soon as memory is taken
        file.write("x")
    taken = b"x" * ({TAKEN} << 20)
    if len(tries.read_text()) <= int(os.environ["GREEDY_TRIES"]):
        time.sleep({LIMIT / 4})
        sys.exit("Slurm has not ended this job, which takes more memory than it asked for")
"""


KILLED = re.compile(r"exceeded memory limit|oom.kill|out.of.memory", re.IGNORECASE)


@pytest.fixture
def greedy(tmp_path: Path) -> dict[str, str]:
    """An environment in which a download takes 700 MB, in a module that Python imports at start."""
    (tmp_path / "greedy").mkdir()
    (tmp_path / "greedy/sitecustomize.py").write_text(GREEDY_DOWNLOAD)
    return {"PYTHONPATH": str(tmp_path / "greedy"), "GREEDY_TRIES": "1"}


def submitted(outcome: Outcome) -> list[str]:
    """Give what went to Slurm, as the folder of its log says."""
    found = re.findall(
        r"submitted with SLURM jobid \d+ \(log: \S*/slurm_logs/(\S+)/", outcome.output
    )
    return sorted(found)


def test_failed_variant_stops_no_other_and_alone_is_submitted_again(workflow: Workflow) -> None:
    made = {"b": variant(), "wrong": variant(num_attention_heads=5)}
    synthetic_weights.save("tiny-pretraining", workflow.folder / "a.pth")
    variants = {"a": {**variant("tiny-pretraining"), "checkpoint": "a.pth"}, **made}
    workflow.configure(variants)
    outcome = run(workflow)
    assert outcome.code == 1
    steps = "group_variant_convert_verify"
    # What is at hand is linked without a job.
    # The wrong one twice, since another try might mend it.
    assert submitted(outcome) == [*[steps] * 4, *(f"rule_download/{name}" for name in made)]
    assert {path.stem for path in workflow.results.glob("verification/*")} == {"a", "b"}
    assert re.search(r"^wrong failed at convert.*\n  .*5", outcome.output, re.M), outcome.output

    variants["wrong"] = variant()
    workflow.configure(variants)
    outcome = run(workflow)
    assert outcome.code == 0, outcome.output
    assert submitted(outcome) == [steps]


def test_job_asks_for_what_its_largest_step_needs(workflow: Workflow) -> None:
    """Before the checkpoint is there, what verify needs is not known, and was left at nothing."""
    workflow.configure({"it": variant()})
    outcome = run(workflow)
    assert outcome.code == 0, outcome.output
    *_, steps = re.findall(r"SLURM jobid (\d+)", outcome.output)
    (verify,) = re.findall(r"rule verify:.*?mem_mb=(\d+)", outcome.output, re.S)
    record = ask("scontrol", "--oneliner", "show", "job", steps)
    assert f"MinMemoryNode={verify}M" in record
    assert "TimeLimit=00:30:00" in record


def test_cancelled_job_is_reported_and_tried_again(workflow: Workflow) -> None:
    workflow.configure({"it": variant()})
    assert run(workflow, "--until", "download").code == 0
    running = start(workflow)
    until(lambda: bool(jobs("RUNNING")), "a running job")
    ask("scancel", *jobs("RUNNING"))
    outcome = finish(running, workflow)
    assert outcome.code == 0, outcome.output
    assert "Trying to restart" in outcome.output
    assert "CANCELLED" in outcome.output


def test_job_outlives_its_nodes_daemon(workflow: Workflow, slurm: Cluster) -> None:
    workflow.configure({"it": variant()})
    running = start(workflow)
    until(lambda: bool(jobs("RUNNING")), "a running job")
    slurm.stop("slurmd", signal.SIGKILL)
    slurm.start("slurmd")
    outcome = finish(running, workflow)
    assert outcome.code == 0, outcome.output
    assert submitted(outcome) == ["group_variant_convert_verify", "rule_download/it"]


def test_job_out_of_memory_is_tried_again_with_twice_as_much(
    workflow: Workflow, greedy: dict[str, str]
) -> None:
    workflow.configure({"it": variant()})
    little = ("--set-resources", "download:mem_mb=600*2**attempt//2")  # 600, then 1200
    outcome = run(workflow, "--until", "download", *little, environment=greedy)
    assert "Trying to restart" in outcome.output, outcome.output
    assert "mem_mb=1200" in outcome.output
    assert outcome.code == 0, outcome.output


def test_job_that_always_lacks_memory_is_reported(
    workflow: Workflow, greedy: dict[str, str]
) -> None:
    workflow.configure({"it": variant()})
    always = {**greedy, "GREEDY_TRIES": "9"}
    outcome = run(workflow, "--set-resources", "download:mem_mb=100", environment=always)
    assert outcome.code == 1
    # Without accounting the plugin names the cluster's log, where Slurm says why.
    logs = re.findall(r"log: (\S+/slurm_logs/rule_download/it/\d+\.log)", outcome.output)
    assert len(logs) == 2, outcome.output
    assert all(KILLED.search(Path(log).read_text()) for log in logs)
    assert run(workflow).code == 0


def test_job_larger_than_a_node_is_refused_by_slurm(workflow: Workflow) -> None:
    workflow.configure({"it": variant()})
    outcome = run(workflow, "--set-resources", f"download:mem_mb={MEGABYTES + 1}")
    assert outcome.code == 1
    assert "Requested node configuration is not available" in outcome.output, outcome.output
    assert submitted(outcome) == []


def test_parts_of_a_list_are_scored_as_jobs(workflow: Workflow) -> None:
    workflow.configure({"it": variant()})
    for number in range(3):
        filmed.film(workflow.folder / f"{number}.mkv", frames=4 + number)
    lines = [f"{number}.mkv {number}" for number in range(3)]
    (workflow.folder / "list.csv").write_text("\n".join(lines))
    scored = ("scores", "--config", "score={videos: list.csv, protocol: ucf101, shards: 2}")
    outcome = run(workflow, *scored)
    assert outcome.code == 0, outcome.output
    parts = [f"rule_score/it_{number}_2" for number in (1, 2)]
    assert [job for job in submitted(outcome) if "score" in job] == parts, submitted(outcome)
    assert re.search(r"^it +[\d.]+ .* 3 +0$", outcome.output, re.M), outcome.output


def test_several_variants_in_a_job_and_transfers_here(workflow: Workflow) -> None:
    workflow.configure({"a": variant(), "b": variant("tiny-pretraining")}, transfers_here=True)
    outcome = run(workflow, "--group-components", "variant=2")
    assert outcome.code == 0, outcome.output
    assert submitted(outcome) == ["group_variant_convert_verify"]
