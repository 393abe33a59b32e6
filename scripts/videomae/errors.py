"""The one exception whose text is meant for people."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class ConversionError(Exception):
    """Something a person can mend: the text says what is wrong, where, and what to do."""


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Put the file or variant in question before the text of an error that doesn't name it yet."""
    try:
        yield
    except ConversionError as error:
        text = str(error)
        if text.startswith(f"{subject}: "):
            raise
        raise ConversionError(f"{subject}: {text}") from error


def listing(names: Iterable[str], most: int = 6) -> str:
    """Join names for a message, the first few of them and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
