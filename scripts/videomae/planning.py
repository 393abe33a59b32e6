"""What does Snakemake work out again for every job, though it is the same each time?

To print what is to be done with five thousand jobs, a thousand variants' then, took 11.9 s, which
remembering two answers makes 9.3; with a thousand jobs ready, one more took 21.8 ms of Snakemake's
own, which a third makes 13.0 (two cores, Snakemake 9.27.1).
"""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any

from snakemake import common, rules
from snakemake.jobs import Job
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.enums import Quietness
from snakemake.settings.types import OutputSettings


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


def measure_once(scheduler: JobScheduler) -> None:
    """Let the scheduler, which begins with large inputs, ask for the size of each of them once."""
    known = scheduler._input_sizes

    async def measured(path: Any) -> tuple[Any, int | None]:
        return path, await path.size() if await path.exists() else None

    # It asks anew for those of all jobs that are ready, each time that one has ended.
    async def update_input_sizes(jobs: Iterable[Job]) -> None:
        new = {path for job in jobs for path in job.input} - known.keys()
        known.update(await asyncio.gather(*map(measured, new)))

    scheduler.update_input_sizes = update_input_sizes
