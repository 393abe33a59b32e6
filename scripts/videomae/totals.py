"""How far is a run?  One line for people whenever a variant is done or has failed."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake.logging import LogEvent

from videomae.listening import Listener
from videomae.progress import STEPS, Undone
from videomae.transfers import duration

# What a variant is once its last step is done.
WORDS = {"verify": "verified", "push": "pushed", "push_plan": "verified"}


class Totals(Listener):
    """Listens to what Snakemake says of its jobs; ``weights`` say how much work each variant is."""

    def __init__(self, step: str, weights: dict[str, float], done: set[str]) -> None:
        super().__init__()
        self.step, self.weights = step, weights
        self.done, self.failed = set(done), set[str]()
        self.before = sum(weights[name] for name in done)  # by an earlier run
        self.jobs: dict[int, tuple[str, str]] = {}
        self.began = time.monotonic()

    def notice(self, told: dict[str, Any]) -> None:
        """Take notice of a job that begins, ends or fails."""
        match told.get("event"):
            case LogEvent.JOB_INFO:
                variant = (told["wildcards"] or {}).get("variant", "")
                self.jobs[told["jobid"]] = (told["rule_name"], variant)
            case LogEvent.JOB_FINISHED:
                rule, variant = self.jobs.get(told["job_id"], ("", ""))
                if rule == self.step and variant in self.weights:
                    self._tell(self.done, variant)
            case LogEvent.JOB_ERROR:
                _, variant = self.jobs.get(told["jobid"], ("", ""))
                if variant in self.weights:
                    self._tell(self.failed, variant)

    def _tell(self, kind: set[str], variant: str) -> None:
        kind.add(variant)
        print(self.line(time.monotonic() - self.began), file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """Say how far it is after so many seconds, and how long the rest will take at that pace."""
        said = [f"{len(self.done)} of {len(self.weights)} {WORDS[self.step]}"]
        if self.failed:
            said.append(f"{len(self.failed)} failed")
        left = sum(w for name, w in self.weights.items() if name not in self.done | self.failed)
        past = sum(self.weights[name] for name in self.done) - self.before
        if left and past:
            said.append(f"~{duration(seconds * left / past)} left")
        return ", ".join(said)


def totals(variants: Iterable[str], results: Path, push: str | None, left: Undone) -> Totals:
    """Begin to count the variants that come to their last step, which is ``push`` or to verify.

    ``left`` is what the run has yet to do.
    """
    step, weights = push or "verify", {name: _size(name, results) for name in variants}
    return Totals(step, weights, {name for name in weights if (step, name) not in left})


def _size(name: str, results: Path) -> float:
    """Give a checkpoint's size, to which its work is proportional; without one, a base model's."""
    path = results / STEPS["download"].format(name)
    return path.stat().st_size if path.exists() else 4e8
