"""What does Snakemake work out again for every job, though it is the same each time?

To print what is to be done with five thousand jobs, a thousand variants' then, took 11.9 s, which
remembering two answers makes 9.3. To run a thousand variants' four thousand took 95 ms of
Snakemake's own for each variant, and by the scheduler below 27 to 32, where each of ten takes 27
(two cores, Snakemake 9.27.1).
"""

import asyncio
from collections.abc import Iterable
from functools import cache
from operator import attrgetter
from typing import Any

from snakemake import common, rules
from snakemake.jobs import Job
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings

FEW = 20  # as many as the zoo has, so that the largest of all of it can go first


def remember(output: OutputSettings) -> None:
    """Let Snakemake find out once what stays as it is, and not at all what it doesn't print."""
    # Which parameters a rule's function has, asked five times for each job: 1.5 s of those.
    common.get_function_params = rules.get_function_params = cache(common.get_function_params)
    if not output.dryrun:
        return
    # The shell line, put together three times to print a job: 1.1 s. It stays as it is only where
    # nothing is run, and so tried again with more memory.
    Job.shellcmd = property(cache(Job.shellcmd.fget))
    # What is to be done with each job, of which `--quiet rules` shows nothing: 1.4 s.
    if Quietness.RULES in (output.quiet or ()) and not output.log_handler_settings:
        Job.log_info = lambda *_, **__: None


class Scheduler(JobScheduler):  # type: ignore[misc]  # Snakemake has no types
    """Snakemake's scheduler, which begins with large inputs, but weighs a few jobs at a time.

    Each time that a job ends, Snakemake's own weighs all that are ready against one another.
    """

    @property
    def open_jobs(self) -> list[Any]:
        """Give of each rule a few of the jobs that are ready, more than there is room for."""
        limits = (self.global_resources[name] for name in ("_cores", "_nodes"))
        most = max(FEW, min(limits))
        ready: dict[int, list[Any]] = {}  # by `id`: a rule is hashed in Python
        for job in super().open_jobs:
            ready.setdefault(job.is_group() or id(job.rule), []).append(job)
        for jobs in ready.values():
            if len(jobs) > most:
                jobs.sort(key=attrgetter("priority"), reverse=True)
        return [job for jobs in ready.values() for job in jobs[:most]]

    @property
    def remaining_jobs(self) -> list[Any]:
        """Give the jobs that are ready, as the others are of no account until none is."""
        jobs: list[Any] = super().open_jobs or super().remaining_jobs
        return jobs

    async def update_input_sizes(self, jobs: Iterable[Job]) -> None:
        """Ask for the size of each input once."""
        known = self._input_sizes
        new = {path for job in jobs for path in job.input if path not in known}
        known.update(await asyncio.gather(*map(_measured, new)))


async def _measured(path: Any) -> tuple[Any, int | None]:
    return path, await path.size() if await path.exists() else None


def take_over(scheduler: JobScheduler, local: bool) -> None:
    """Let a run's jobs be chosen as above; ``local`` where they are processes of this machine."""
    scheduler.__class__ = Scheduler
    # No rule here has a pipe, which is looked for among all jobs for each file that `all` asks for:
    # 2 s at a thousand variants, and a hundred times as much at ten thousand.
    Job.is_pipe_or_service_input = lambda *_: False
    if local:
        # To keep a limit of jobs a second, Snakemake looks at its queue again a second after each
        # look, so that looks add up; here there is nothing to limit.
        scheduler.job_rate_limiter = None
        # Where no core is left it starts nothing, nor what takes none, as a download, for which the
        # line would be idle until a job ends. What is left of half a core is not nothing.
        scheduler.resources["_cores"] += 0.5
