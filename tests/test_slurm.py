"""What fits Slurm's nodes, and why Slurm ended a job: as far as that needs no cluster."""

from pathlib import Path

import pytest
from videomae import progress, slurm
from videomae.errors import ConversionError, last_words

NODES = [slurm.Node("small", 4, 8000), slurm.Node("large", 64, 500_000)]


@pytest.mark.parametrize(
    ("cpus", "megabytes", "partition", "fits"),
    [
        (4, 8000, None, True),
        (4, 8000, "small", True),
        (4, 8001, "small", False),
        (5, 100, "small", False),
        (64, 500_000, None, True),
        (65, 100, None, False),
        (1, 10, "another", True),  # Slurm itself will say that there is none
    ],
)
def test_job_must_fit_one_node_of_its_partition(
    cpus: int, megabytes: int, partition: str | None, fits: bool
) -> None:
    requests = [slurm.Request(("a", "b"), cpus, megabytes, partition)]
    if fits:
        slurm.check(requests, NODES)
        return
    asked = f"Slurm job of a, b asks for {cpus} CPUs and {megabytes} MB, and no node has both"
    with pytest.raises(ConversionError, match=asked):
        slurm.check(requests, NODES)


def test_nodes_are_read_as_sinfo_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "ask", lambda *_: "small|4|8000\nlarge|64+|500000+\n")
    assert slurm.nodes() == NODES


def test_only_jobs_that_nothing_will_start_are_taken_back(tmp_path: Path) -> None:
    queue = "\n".join(
        [
            f"1|Resources|{tmp_path}",
            f"2|PartitionTimeLimit|{tmp_path}",
            f"3|Priority|{tmp_path}",
            "4|PartitionTimeLimit|/another/run",
            f"5|QOSMaxMemoryPerJob|{tmp_path}",
            f"6|QOSMaxJobsPerUserLimit|{tmp_path}",  # which the end of another mends
        ]
    )
    found = slurm.lasting(queue, tmp_path)
    assert found == {"2": "PartitionTimeLimit", "5": "QOSMaxMemoryPerJob"}


@pytest.mark.parametrize(
    ("said", "record", "reason"),
    [
        ("", "JobState=FAILED Reason=NonZeroExitCode", None),
        ("", "JobState=COMPLETED Reason=None", None),
        ("", "JobState=CANCELLED Reason=None", "Slurm ended job 7: state CANCELLED, reason None"),
        (
            "slurmstepd: error: Job 7 exceeded memory limit (9 > 1), being killed\n",
            "",
            "Slurm ended job 7 for lack of memory: Job 7 exceeded memory limit (9 > 1), being",
        ),
    ],
)
def test_reason_is_what_slurm_says_of_a_job(
    said: str, record: str, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "ask", lambda *_: record)
    log = tmp_path / "7.log"
    log.write_text(f"converting\n{said}")
    found = slurm.ended("7", log)
    assert found == reason or (reason and found and found.startswith(reason))


def test_reason_goes_to_the_variants_whose_logs_say_none(tmp_path: Path) -> None:
    logs = [tmp_path / f"logs/{step}/{name}.log" for step in progress.STEPS for name in "ab"]
    own = [log for log in logs if log.parent.name in ("convert", "verify")]
    for log in own[:2]:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("reading\n" if log.stem == "a" else "error: no heads are known\n")
    slurm.explain(own, "Slurm ended job 7: state CANCELLED")
    assert last_words(own[0]) == "Slurm ended job 7: state CANCELLED"
    assert last_words(own[1]) == "no heads are known"
    own[0].write_text("reading\n")
    slurm.explain(own, None)  # it was b that failed, and a in the same job lost its files
    assert last_words(own[0]) == slurm.SHARED
