"""The one exception whose text is meant for people."""

from collections.abc import Iterable


class ConversionError(Exception):
    """Something a person can mend: the text says what is wrong, where, and what to do."""


def listing(names: Iterable[str], most: int = 6) -> str:
    """Join names for a message, the first few of them and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
