"""Snakemake's logger plugin ``videomae``: a line whenever a variant is done or has failed.

profiles/default asks for it (``logger: videomae``); it adds lines and leaves Snakemake's own.
Snakemake finds it by its name. What it is told is documented in snakemake-interface-logger-plugins.
"""

import logging
import time
from collections import Counter

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from videomae.workflow.progress_line import Progress


class LogHandler(LogHandlerBase):
    """Counts the jobs of each variant's last step, and prints a line for people."""

    def __post_init__(self) -> None:
        """Begin to count."""
        self.progress = Progress()

    def emit(self, record: logging.LogRecord) -> None:
        """Take notice of a job that begins, ends or fails.

        Snakemake says that a job has ended before it counts it as ended. An error that is raised
        here, and it would wait for that job for ever.
        """
        try:
            if line := self._line(vars(record)):
                # Said as Snakemake says its own lines, or the two would mix.
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
        """No: Snakemake's own messages stay."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """No."""
        return False

    @property
    def has_filter(self) -> bool:
        """Yes: it takes every event."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Yes: it prints lines of its own."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """No."""
        return False
