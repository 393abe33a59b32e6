"""Checks a pickle's opcodes for excessive memory or time before it is loaded.

A few bytes can ask for gigabytes or for hours: a memo number so high that the list up to it fills
the memory, or nested tuples as a key, whose hash visits the same contents again and again. No
program that saves a network writes such pickles.
"""

import pickle
import pickletools
from typing import Any, BinaryIO

DEEPEST = 100  # levels of nested tuples
MOST = 1_000_000  # tuples within one, each counted as often as it appears
LONGEST_INTEGER = 8_000  # bits; Python refuses to write out more than 4,300 digits

MARK = None  # the mark on the pickle's stack
Nesting = tuple[int, int]  # depth and number of tuples; (0, 0) for other values
FLAT: Nesting = (0, 0)


def check(file: BinaryIO) -> None:
    """Read one pickle's opcodes, then seek back to its beginning.

    Raises `pickle.UnpicklingError`, as unpickling does, for opcodes that no pickler writes.
    """
    start = file.tell()
    stack: list[Nesting | None] = []
    memo: dict[int, Nesting] = {}
    for opcode, argument, place in pickletools.genops(file):
        position = (place or start) - start
        if "PUT" in opcode.name or opcode.name == "MEMOIZE":
            number: int = len(memo) if argument is None else argument
            if not 0 <= number <= position:
                raise pickle.UnpicklingError(f"memo number {number} in {position} bytes")
            memo[number] = (stack[-1] if stack else None) or FLAT
        elif "GET" in opcode.name:
            stack.append(memo.get(argument or 0, FLAT))
        elif opcode.name == "DUP":
            stack += stack[-1:]
        else:
            _follow(opcode, argument, stack)
    file.seek(start)


def _follow(opcode: pickletools.OpcodeInfo, argument: Any, stack: list[Nesting | None]) -> None:
    """Apply an opcode to the stack."""
    if isinstance(argument, int) and argument.bit_length() > LONGEST_INTEGER:
        raise pickle.UnpicklingError(f"an integer of {argument.bit_length():,} bits")
    if opcode.name == "MARK":
        stack.append(MARK)
        return
    before = list(opcode.stack_before)
    taken: list[Nesting] = []
    if pickletools.markobject in before or (opcode.name == "POP" and stack[-1:] == [MARK]):
        while stack and (top := stack.pop()) is not MARK:
            taken.append(top)
        before = before[: before.index(pickletools.markobject)] if before[1:] else []
    taken += [stack.pop() or FLAT for _ in before if stack]
    made = FLAT
    if "TUPLE" in opcode.name or opcode.name == "FROZENSET":
        made = 1 + max((depth for depth, _ in taken), default=0), 1 + sum(n for _, n in taken)
        if made[0] > DEEPEST or made[1] > MOST:
            raise pickle.UnpicklingError(f"{made[1]:,} nested tuples, {made[0]} levels deep")
    stack += [made] * len(opcode.stack_after)
