"""What does Snakemake work out again for every job, though it is the same each time?

A thousand variants are five thousand jobs. To print what is to be done with them took 11.9 s, which
remembering two answers makes 9.3 (two cores, Snakemake 9.27.1).
"""

from functools import cache

from snakemake import common, rules
from snakemake.jobs import Job


def remember(dry_run: bool) -> None:
    """Let Snakemake find out once what stays as it is."""
    # Which parameters a rule's function has, asked five times for each job: 1.5 s of those.
    parameters = cache(common.get_function_params)
    for module in (common, rules):
        setattr(module, parameters.__name__, parameters)
    # The shell line, put together three times to print a job: 1.1 s. It stays as it is only where
    # nothing is run, and so tried again with more memory.
    if dry_run:
        Job.shellcmd = property(cache(Job.shellcmd.fget))
