"""The progress line of a run, printed when a variant is done or has failed."""

from collections import Counter
from collections.abc import Hashable, Mapping

from videomae.network.progress import duration

# The state of a variant after its last step, by rule; the first of these in a run is its last.
WORDS = {"push": "pushed", "push_plan": "verified", "verify": "verified"}
# The steps that a variant can fail at.
STEPS = {"download", "link", "receipt", "convert", "verify", "card", "push", "push_plan"}


class Progress:
    """Counts the jobs of the last step of a run that began at ``began``, in seconds.

    ``jobs`` is the number of jobs of each rule in the run.
    """

    def __init__(self, jobs: Mapping[str, int] | None = None, began: float = 0.0) -> None:
        jobs = jobs or {}
        self.began = began
        self.step = next((step for step in WORDS if jobs.get(step)), None)
        self.total = jobs.get(self.step, 0) if self.step else 0
        self.rules: dict[Hashable, str] = {}
        self.counts: Counter[str] = Counter()

    def begin(self, job: Hashable, rule: str) -> None:
        """Record a job that begins."""
        self.rules[job] = rule

    def finish(self, job: Hashable, now: float) -> str | None:
        """Record a finished job; return the line if it was a variant's last step."""
        if self.step is None or self.rules.get(job) != self.step:
            return None
        self.counts["done"] += 1
        return self.line(now - self.began)

    def fail(self, job: Hashable, now: float) -> str | None:
        """Record a failed job; return the line if it was one of a variant's steps."""
        if self.step is None or self.rules.get(job) not in STEPS:
            return None
        self.counts["failed"] += 1
        return self.line(now - self.began)

    def line(self, seconds: float) -> str:
        """Return the line after so many seconds, with an estimate of the remaining time."""
        done, failed = self.counts["done"], self.counts["failed"]
        said = [f"{done} of {self.total} {WORDS[self.step or 'verify']}"]
        if failed:
            said.append(f"{failed} failed")
        left = self.total - done - failed
        if left > 0 and done:
            said.append(f"~{duration(seconds * left / done)} left")
        return ", ".join(said)
