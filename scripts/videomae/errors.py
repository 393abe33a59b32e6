"""The one exception whose text is meant for people, and where they find it again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path


class ConversionError(Exception):
    """Something a person can mend: the text says what is wrong, where, and what to do."""


class PassingError(ConversionError):
    """Something that another try may mend.

    ``kept`` is how many bytes that has to go on from, ``after`` the seconds a server asks to wait.
    """

    def __init__(self, text: str, kept: int = 0, after: float = 0.0) -> None:
        super().__init__(text)
        self.kept = kept
        self.after = after


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Put the file or variant in question before the text of an error that doesn't name it yet."""
    try:
        yield
    except (ConversionError, OSError) as error:
        text = said(error)
        if text.startswith(f"{subject}: "):
            raise
        raise ConversionError(f"{subject}: {text}") from error


def said(error: Exception) -> str:
    """Give an error's text, of a failing file with its name."""
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def one_line(text: str, most: int = 1000) -> str:
    """Give a text that any terminal and log can hold: one line, and not long.

    What a file says in its names may be anything: other lines, control characters, megabytes.
    """
    half = most // 2
    text = text if len(text) <= most else f"{text[:half]} … {text[-half:]}"
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)


def printable(text: str) -> str:
    """Give a text of several lines that does nothing to a terminal but show itself."""
    return "\n".join(one_line(line, most=100_000) for line in text.split("\n"))


def listing(names: Iterable[str], most: int = 6) -> str:
    """Join names for a message, the first few of them and how many more there are."""
    names = [one_line(name, most=120) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give what a misspelt word may have been meant to be, for a message; empty if unknown."""
    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def last_words(log: Path) -> str | None:
    """Give the reason for a failure that a log ends with; None if it tells of none.

    That is its last ``error:`` line, or the last line of a traceback, without control characters.
    """
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    if errors:
        return one_line(errors[-1].removeprefix("error: "), most=2000)
    return one_line(lines[-1], most=2000) if "Traceback (most recent call last)" in text else None
