"""Does what a run asks for fit Slurm's nodes, and why did Slurm end a job?"""

import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.logging import LogEvent

from videomae.errors import ConversionError, last_words, one_line
from videomae.listening import Listener
from videomae.progress import STEPS

# Why a job waits in the queue though no end of other jobs will start it.
LASTING = re.compile(
    r"BadConstraints|DependencyNeverSatisfied|Invalid(Account|QOS)|"
    r"Partition(Config|NodeLimit|TimeLimit)|(Account|QOS)NotAllowed|"
    r"(Assoc|QOS)Max\w+(PerJob|PerNode)\w*"
)
# What a node's Slurm says of a job or a step that it ends itself, in the job's log.
SAID = re.compile(r"^slurmstepd\S*: error: (?:\*\*\* )?(.*?)(?: \*\*\*)?$", re.M)
MEMORY = re.compile(r"exceeded memory limit|oom.kill|out.of.memory", re.I)
SHARED = (
    "it shared a Slurm job with a variant that failed, and a failed job's files are deleted; "
    "the next run makes them again"
)
REFUSED = "Slurm did not take the job; Snakemake's log has what there is of sbatch's words"
SECONDS = 15.0  # between looks at the queue


@dataclass(frozen=True)
class Node:
    """The most that one node of a partition has."""

    partition: str
    cpus: int
    megabytes: int


@dataclass(frozen=True)
class Request:
    """What one Slurm job asks for, and the names of what is in it; no partition is any."""

    names: tuple[str, ...]
    cpus: int
    megabytes: int
    partition: str | None = None


def ask(*command: str) -> str:
    """Run a command of Slurm's and give what it says; empty if it fails."""
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60
        ).stdout
    return ""


def nodes() -> list[Node]:
    """Give every kind of node that the cluster has."""
    told = ask("sinfo", "--noheader", "--exact", "--format=%R|%c|%m").split()
    return [
        Node(name, int(cpus.rstrip("+")), int(megabytes.rstrip("+")))
        for name, cpus, megabytes in (line.split("|") for line in told)
    ]


def check(requests: Iterable[Request], there: list[Node]) -> None:
    """Raise `ConversionError` if a job asks for more than any node has: it would wait for ever."""
    for request in requests:
        allowed = [node for node in there if request.partition in (None, node.partition)]
        if allowed and not any(
            node.cpus >= request.cpus and node.megabytes >= request.megabytes for node in allowed
        ):
            most = "; ".join(
                f"{node.partition}: {node.cpus} CPUs, {node.megabytes} MB"
                for node in sorted(set(allowed), key=lambda node: -node.megabytes)[:3]
            )
            raise ConversionError(
                f"the Slurm job of {', '.join(request.names)} asks for {request.cpus} CPUs and "
                f"{request.megabytes} MB, and no node has both ({most}); choose another partition, "
                "or fewer variants per job (--group-components)"
            )


def lasting(queue: str, directory: Path) -> dict[str, str]:
    """Give the jobs of a directory that can never start, with Slurm's reason.

    ``queue`` is squeue's answer in lines of ``id|reason|directory``.
    """
    waiting = (line.split("|", 2) for line in queue.splitlines() if line.count("|") >= 2)
    return {
        job: reason
        for job, reason, place in waiting
        if LASTING.fullmatch(reason) and Path(place) == directory
    }


def ended(job: str, log: Path) -> str | None:
    """Say how Slurm ended a job, from its log there and from its record; None if it did not."""
    text = log.read_text(errors="replace") if log.is_file() else ""
    said = SAID.findall(text)
    for line in said:
        if MEMORY.search(line):
            return f"Slurm ended job {job} for lack of memory: {line}"
    record = dict(
        field.split("=", 1)
        for field in ask("scontrol", "--oneliner", "show", "job", job).split()
        if "=" in field
    )
    state = record.get("JobState", "")
    if said or state not in ("", "FAILED", "COMPLETED"):
        words = [f"state {state or 'unknown'}", f"reason {record.get('Reason', 'unknown')}"]
        return f"Slurm ended job {job}: {', '.join(words + said[:1])}"
    return None


class Watch(Listener):
    """Listens to what Snakemake says of failed jobs, and writes into their logs what Slurm says.

    ``running`` are Snakemake's jobs. One that failed for another reason than memory is not tried
    again, whatever tries it has left.
    """

    def __init__(self, running: Iterable[Any]) -> None:
        super().__init__()
        self.running = running
        self.never: dict[str, str] = {}  # jobs that could not start, with the reason

    def begin(self, directory: Path) -> None:
        """Look at the queue from time to time, for as long as this process lives."""
        threading.Thread(target=self._look, args=(directory,), daemon=True).start()

    def _look(self, directory: Path) -> None:
        while True:
            queue = ask("squeue", "--me", "--states=PENDING", "--noheader", "--format=%i|%r|%Z")
            for job, reason in lasting(queue, directory).items():
                self.never[job] = reason
                ask("scancel", job)
            time.sleep(SECONDS)

    def notice(self, told: dict[str, Any]) -> None:
        """Take notice of a Slurm job that failed, or was not taken."""
        match told.get("event"):
            case LogEvent.GROUP_ERROR:
                steps, job, refusal = told["job_error_info"], told.get("external_jobid"), REFUSED
            # Snakemake tells of a group's steps again, one by one and indented.
            case LogEvent.JOB_ERROR if not told["indent"]:
                steps, job = [told], told["aux"].get("external_jobid")
                refusal = one_line(told["rule_msg"] or "")
            case _:
                return
        if job is None and "sbatch" not in refusal:  # it ran here
            return
        logs = [Path(step["log"][0]) for step in steps if step["log"]]
        reason = self._reason(job, told) if job else refusal
        if not (reason and MEMORY.search(reason)):
            self._give_up(logs)
        explain(logs, reason)

    def _reason(self, job: str, told: dict[str, Any]) -> str | None:
        if job in self.never:
            return f"Slurm can never start the job, and it was taken back: {self.never[job]}"
        logs = (Path(log) for log in told.get("aux_logs") or told["log"])
        return ended(job, next((log for log in logs if log.stem == job), Path()))

    def _give_up(self, logs: list[Path]) -> None:
        for job in [*self.running]:  # which another thread changes
            if {str(log) for log in logs} & set(map(str, job.log)):
                job.attempt = max(job.attempt, job.restart_times + 1)


def explain(logs: Iterable[Path], reason: str | None) -> None:
    """Write why a Slurm job ended into a log of each variant in it that does not say so itself.

    Logs are ``…/STEP/VARIANT.log``; of a variant's, the one that was written last, or the first
    step's where none was.
    """
    by_variant: dict[str, list[Path]] = defaultdict(list)
    order = list(STEPS)
    for log in sorted(
        logs, key=lambda log: order.index(log.parent.name) if log.parent.name in order else -1
    ):
        by_variant[log.name].append(log)
    silent = [own for own in by_variant.values() if not any(map(last_words, own))]
    if reason is None and len(silent) == len(by_variant):
        return
    for own in silent:
        latest = max(own, key=lambda log: log.stat().st_mtime if log.exists() else 0)
        latest.parent.mkdir(parents=True, exist_ok=True)
        with latest.open("a") as file:
            file.write(f"error: {reason or SHARED}\n")
