"""Snakemake's logger plugin ``videomae``: prints a line when a variant is done or has failed.

profiles/default enables it (``logger: videomae``); Snakemake's own lines stay. Snakemake finds it
by its name. Its events are documented in snakemake-interface-logger-plugins.
"""

import logging
import time
from collections import Counter

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from videomae.workflow.progress_line import Progress


class LogHandler(LogHandlerBase):
    """Counts the jobs of each variant's last step, and prints the progress line."""

    def __post_init__(self) -> None:
        """Start with empty counts."""
        self.progress = Progress()

    def emit(self, record: logging.LogRecord) -> None:
        """Record a job that begins, ends or fails.

        Snakemake logs a finished job before it counts the job as finished. If this method raised an
        error, Snakemake would wait for that job for ever.
        """
        try:
            if line := self._line(vars(record)):
                # Printed through Snakemake's logger, so that lines don't mix.
                logging.getLogger(record.name).info(line)
        except Exception:
            self.handleError(record)

    def _line(self, told: dict[str, object]) -> str | None:
        match told:
            case {"event": LogEvent.RUN_INFO, "stats": dict(stats)}:
                self.progress = Progress(Counter(stats), time.monotonic())
            case {"event": LogEvent.JOB_INFO, "jobid": job, "rule_name": rule}:
                self.progress.begin(job, str(rule))
            case {"event": LogEvent.JOB_FINISHED, "job_id": job}:
                return self.progress.finish(job, time.monotonic())
            case {"event": LogEvent.JOB_ERROR, "jobid": job}:
                return self.progress.fail(job, time.monotonic())
        return None

    @property
    def writes_to_stream(self) -> bool:
        """False: Snakemake's own messages stay."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """No."""
        return False

    @property
    def has_filter(self) -> bool:
        """True: it takes every event."""
        return True

    @property
    def has_formatter(self) -> bool:
        """True: it prints its own lines."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """No."""
        return False
