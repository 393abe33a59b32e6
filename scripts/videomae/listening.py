"""How is listened to what Snakemake says of its jobs, without harm to it?"""

import logging
from typing import Any


class Listener(logging.Handler):
    """Takes notice of what Snakemake says; what goes wrong with that is its own affair.

    Snakemake says that a job has ended before it counts it as ended. An error that is raised there,
    as by a print into a file on a full disk, and it would wait for that job for ever.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on what is said, and do with an error what Python's own handlers do."""
        try:
            self.notice(vars(record))
        except Exception:
            self.handleError(record)

    def notice(self, told: dict[str, Any]) -> None:
        """Take notice of one thing that is said, with all that Snakemake knows of it."""
        raise NotImplementedError
