"""The exception whose text is meant for users, and helpers that write such texts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path


class ConversionError(Exception):
    """A problem that the user can solve: the text says what is wrong, where, and what to do."""


class PassingError(ConversionError):
    """A problem that may go away when the same thing is tried again.

    ``kept`` is the number of bytes that the next try can continue from, ``after`` the number of
    seconds that a server asks to wait.
    """

    def __init__(self, text: str, kept: int = 0, after: float = 0.0) -> None:
        super().__init__(text)
        self.kept = kept
        self.after = after


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Put the file or variant before the text of an error that doesn't name it yet."""
    try:
        yield
    except (ConversionError, OSError) as error:
        text = said(error)
        if text.startswith(f"{subject}: "):
            raise
        raise ConversionError(f"{subject}: {text}") from error


def said(error: Exception) -> str:
    """Return an error's text; for an `OSError` with the name of the file."""
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def one_line(text: str, most: int = 1000) -> str:
    """Return a text as one short line without control characters, safe for terminals and logs.

    Names inside a file may hold line breaks, control characters or megabytes of text.
    """
    half = most // 2
    text = text if len(text) <= most else f"{text[:half]} … {text[-half:]}"
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)


def printable(text: str) -> str:
    """Return a text of several lines without control characters, safe for terminals."""
    return "\n".join(one_line(line, most=100_000) for line in text.split("\n"))


def listing(names: Iterable[str], most: int = 6) -> str:
    """Join the first few names for a message, with the number of the others."""
    names = [one_line(name, most=120) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean WORD?)" for a misspelt word; empty if no known word is similar."""
    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def last_words(log: Path) -> str | None:
    """Return the reason for a failure at the end of a log, or None if there is none.

    The reason is the last ``error:`` line or the last line of a traceback, without control
    characters.
    """
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    if errors:
        return one_line(errors[-1].removeprefix("error: "), most=2000)
    return one_line(lines[-1], most=2000) if "Traceback (most recent call last)" in text else None
