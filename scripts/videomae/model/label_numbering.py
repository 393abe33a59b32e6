"""Separates class ids from class names in handwritten lists of labels.

A line has a number if it begins or ends with one that a separator sets off: ``3 walk``,
``3,walk``, ``3. walk``, ``(3) walk``, ``class 3: walk``, ``walk 3``, ``"walk", 3``, ``walk (3)``,
``walk_3``. Without a separator there is none: ``mp3`` and ``4x100 relay`` are names.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from videomae.errors import ConversionError, listing

# For lines whose white space is single spaces. Repetitions are bounded, so that no line takes long.
QUOTES = "\"'`“”‘’"
BETWEEN = r" ,;:.|=/_<>→–—#\-"
OPENING, CLOSING = rf"[{QUOTES}#(\[{{<]{{0,3}}", rf"[{QUOTES})\]}}>]{{0,3}}"
WORD = r"(?:(?:class|category|label|id|index|idx|number|no|nr)[ :#.=_-]{0,3})?"
NUMBER = r"(?P<number>-?\d{1,9}(?:\.\d{1,9})?)"
SIDES = {
    "begin": re.compile(
        rf"(?P<before>(?:- )?{OPENING}{WORD}){NUMBER}"
        rf"(?P<after>(?=[{QUOTES}]?[{BETWEEN})\]}}]){CLOSING}[{BETWEEN}]{{0,9}})"
        rf"(?P<name>[^{BETWEEN}].*)",
        re.IGNORECASE,
    ),
    "end": re.compile(
        rf"(?P<name>.*?[^{BETWEEN}(\[{{])(?P<before>[{BETWEEN}(\[{{]{{1,9}}?[{QUOTES}]?{WORD})"
        rf"{NUMBER}(?P<after>{CLOSING}[:.]?)",
        re.IGNORECASE,
    ),
}
# A number that nothing sets off from a code or a name: c000 Holding a book, A1. drink water, walk3.
JOINED = (
    re.compile(
        rf"(?P<before>[A-Za-z]{{1,2}}){NUMBER}(?P<after>[{BETWEEN})]{{1,9}})(?P<name>[^{BETWEEN}].*)"
    ),
    re.compile(rf"(?P<before>)(?P<name>.*[^\W\d]){NUMBER}(?P<after>)"),
)
HEADER = re.compile(
    r"(?:class|category|action|label|id|idx|index|number|no|nr|name|[\W_])+", re.IGNORECASE
)
JSON = 'or, if the numbers are part of the names, write JSON, {"0": "NAME", …}'
REMEDY = f'write "NUMBER NAME" in every line; {JSON}'


class Reading(NamedTuple):
    """The parts of a line; ``form`` is the line without number, name and quotes."""

    form: str
    number: str
    name: str


def rows(lines: Sequence[str]) -> list[tuple[str, str]] | None:
    """Return the (id, name) of each line of a list; None if the lines are names without ids.

    The list is numbered if every line after the header has a number on the same side and in the
    same form. If only most lines have one, or in different forms, the meaning is unclear: raises
    `ConversionError`. If few lines have one, such as ``2 people``, the numbers are part of the
    names. So they are if they alone distinguish the lines and count them, as in ``class 0``,
    ``class 1`` …
    """
    first = 2 if HEADER.fullmatch(lines[0]) and _whole(lines[1:], SIDES.values()) else 1
    body = lines[first - 1 :]
    whole = {side: found[0] for side, one in SIDES.items() if (found := _whole(body, [one]))}
    if not whole:
        for side in SIDES:
            _refuse_most(side, body, first)
    if not whole or _only_count(whole.get("end", [])):
        return None
    for side, readings in whole.items():
        _refuse_other_forms(side, readings, body, first)
    # With a number on both sides, ids are those that count the lines.
    ids = [side for side, found in whole.items() if _numbers(found) == {*range(len(body))}]
    if len(whole) > 1 and len(ids) != 1:
        raise ConversionError(
            f"every line begins and ends with a number (line {first}: {lines[first - 1]!r}), and "
            f"{'either' if ids else 'neither'} may be its id; {REMEDY}"
        )
    chosen = whole[ids[0]] if ids else next(iter(whole.values()))
    return [(reading.number, reading.name) for reading in chosen]


def refuse_numbered(labels: Sequence[str]) -> None:
    """Raise `ConversionError` if labels still contain class ids that count from 0 or 1.

    Numbers without a separator may stay if they count the classes in their order.
    """
    apart = _whole(labels, SIDES.values())
    counting = [[*range(first, first + len(labels))] for first in (0, 1)]
    for readings in apart + _whole(labels, JOINED):
        numbers = [float(reading.number) for reading in readings]
        if (
            sorted(numbers) in counting
            and len({reading.form for reading in readings}) == 1
            and len({reading.name for reading in readings}) > 1
            and not (numbers in counting and readings not in apart)
        ):
            raise ConversionError(
                f"every label contains a number, such as {labels[0]!r}, and the numbers are ids of "
                f'{len(labels)} classes; separate ids and names in JSON, {{"0": "NAME", …}}'
            )


def unquoted(text: str) -> str:
    """Return a name without the quotes around it; doubled quotes inside become single ones."""
    closing = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}
    if len(text) > 1 and closing.get(text[0]) == text[-1]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _reading(line: str, pattern: re.Pattern[str]) -> Reading | None:
    text = " ".join(line.split()).rstrip(",;")
    if text[:1] == "(" and text.find(")") == len(text) - 1:  # a pair as Python writes it
        text = text[1:-1]
    match = pattern.fullmatch(text)
    if match is None:
        return None
    form = re.sub(rf"[\s{QUOTES}]", "", f"{match['before']}N{match['after']}").lower()
    return Reading(form, match["number"], unquoted(match["name"]))


def _whole(lines: Sequence[str], patterns: Iterable[re.Pattern[str]]) -> list[list[Reading]]:
    """Return the readings by each pattern that matches every line; none if there are no lines."""
    read = [[_reading(line, pattern) for line in lines] for pattern in patterns]
    found = [[one for one in readings if one] for readings in read]
    return [some for some in found if some and len(some) == len(lines)]


def _numbers(readings: Iterable[Reading]) -> set[float]:
    return {float(reading.number) for reading in readings}


def _only_count(readings: Sequence[Reading]) -> bool:
    """Return whether the lines differ only in their numbers, which count them from 0."""
    names = {reading.name for reading in readings}
    numbers = [float(reading.number) for reading in readings]
    return len(names) == 1 < len(numbers) and numbers == [*range(len(numbers))]


def _refuse_other_forms(
    side: str, readings: Sequence[Reading], lines: Sequence[str], first: int
) -> None:
    for number, (reading, line) in enumerate(zip(readings, lines, strict=True), first):
        if reading.form != readings[0].form:
            raise ConversionError(
                f"every line {side}s with a number, but line {number}, {line!r}, has another form "
                f"than line {first}, {lines[0]!r}; {REMEDY}"
            )


def _refuse_most(side: str, lines: Sequence[str], first: int) -> None:
    read = [_reading(line, SIDES[side]) for line in lines]
    others = [
        f"{number}, {line!r}"
        for number, (reading, line) in enumerate(zip(read, lines, strict=True), first)
        if reading is None
    ]
    if len(others) * 2 < len(lines):
        numbered = len(lines) - len(others)
        raise ConversionError(
            f"{numbered} of {len(lines)} lines {side} with a number that looks like an id, but not "
            f"line {listing(others, most=2)}; {REMEDY}"
        )
