"""Tries temporary failures again, a few times, with growing pauses.

The loop stays by hand: tenacity's own count does not start again after progress, and with a count,
waits, messages and errors of ours around it, it takes more code than this.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from videomae.errors import ConversionError, PassingError

TRIES = 4  # in a row that bring nothing
WAIT = 5.0  # seconds after the first of them
LONGEST = 300.0  # seconds that a server may ask for; the hub counts requests over so many

Result = TypeVar("Result")


def retrying(action: Callable[[], Result], name: str, wait: float = WAIT) -> Result:
    """Return the result of an action, which is tried again after a `PassingError`.

    That is after so many seconds, then three times as many, …, and never before a server wants it.
    Raises `ConversionError` after `TRIES`, or where a server asks for more than `LONGEST`.
    """
    failures, kept = 0, 0
    while True:
        try:
            return action()
        except PassingError as error:
            # A try that brought bytes to go on from has got nearer, and is no failure to count.
            failures = 1 if error.kept > kept else failures + 1
            kept = max(error.kept, kept)
            if error.after > LONGEST:
                raise ConversionError(
                    f"{error}. The server asks for a pause of {error.after:,.0f} s, but the "
                    f"limit here is {LONGEST:g} s; try again later"
                ) from error
            if failures == TRIES:
                raise ConversionError(f"{error}. Tried {TRIES} times; try again later") from error
            seconds = max(wait * 3 ** (failures - 1), error.after)
            print(f"{name}: {error}; next try in {seconds:g} s", file=sys.stderr, flush=True)
            time.sleep(seconds)


def may_pass(status: int) -> bool:
    """Return whether an HTTP status is temporary: the server is busy or out of order."""
    return status in (408, 429) or status >= 500


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the pause in seconds that a server asks for (Retry-After: a number or a date)."""
    from urllib3.exceptions import InvalidHeader  # not before a server refuses: it takes 30 ms
    from urllib3.util import Retry

    try:
        return Retry().parse_retry_after(headers.get("Retry-After") or "0")
    except InvalidHeader:
        return 0.0


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add ``--wait``, the pause before the second try."""
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT,
        metavar="SECONDS",
        help="the pause before the second try after a temporary failure; it triples with each try "
        "(default: %(default)g)",
    )
