"""One run killed at one moment: did nothing go wrong, and does one command bring the right end?"""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.adversarial.faults.scene import LIMIT, Scene, Watch, scene

GONE = 2.0  # seconds after a kill in which every job must be gone


@dataclass(frozen=True)
class Kill:
    """Which signal goes to whom, so many seconds after the start."""

    signal: signal.Signals
    whole_group: bool
    after: float

    def __str__(self) -> str:
        return f"{self.signal.name} to {'all' if self.whole_group else 'Snakemake alone'}"

    def do(self, run: subprocess.Popen[str]) -> None:
        """Send it."""
        (os.killpg if self.whole_group else os.kill)(run.pid, self.signal)


WAYS = [
    (one, whole)
    for one in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for whole in (True, False)
]


@dataclass(frozen=True)
class Outcome:
    """What was killed in which step, and what went wrong, if anything."""

    kill: Kill
    step: str
    faults: list[str]


def survive(kill: Kill, folder: Path, right: dict[str, bytes]) -> Outcome:
    """Kill a run, look at what it left, resume, and compare the end with the right one."""
    with scene(folder) as made:
        watch = Watch(made, right)
        with watch.watching():
            step, faults = kill_and_resume(kill, made)
        faults += watch.wrong + differences(made.kept(), right) + commits(made)
        return Outcome(kill, step, faults)


def kill_and_resume(kill: Kill, made: Scene) -> tuple[str, list[str]]:
    """Kill a run and resume it; give the step that it was in, and what went wrong, if anything."""
    run = made.snakemake()
    try:
        run.wait(kill.after)
    except subprocess.TimeoutExpired:
        kill.do(run)
    step = running(made.output())
    run.wait(LIMIT)
    faults = orphans(made)
    if made.resume().wait(LIMIT):
        faults.append(f"resuming failed:\n{made.output()}")
    return step, faults


def running(output: str) -> str:
    """Name the step that a run was in, by the last job that it started."""
    started = re.findall(r"^(?:local)?rule (\w+):", output, re.MULTILINE)
    return started[-1].replace("all", "end") if started else "start"


def orphans(made: Scene) -> list[str]:
    """Name the processes that are there too long after their run."""
    end = time.monotonic() + GONE
    while made.processes() and time.monotonic() < end:
        time.sleep(0.02)
    return [f"process {pid} outlived its run" for pid in made.processes()]


def differences(found: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    """Name the files of two runs that are not the same."""
    missing = [f"{name} is missing" for name in right.keys() - found.keys()]
    more = [f"{name} was left" for name in found.keys() - right.keys()]
    return [
        *missing,
        *more,
        *(f"{name} differs" for name in right.keys() & found.keys() if right[name] != found[name]),
    ]


def commits(made: Scene) -> list[str]:
    """Each repository must have the hub's own first commit and one of ours."""
    return [
        f"{repo.repo_id} has {len(repo.commits)} commits"
        for (_, name), repo in made.hub.repos.items()
        if name.startswith("lab/") and len(repo.commits) != 2
    ]
