"""What would loading a pickle take?  Told from its opcodes, before one of them is followed.

A few bytes can ask for gigabytes or for hours: a value kept under a number so high that the list up
to it fills the memory, or tuples of tuples as a key, whose hash visits what they hold again and
again. No program that saves a network writes such things.
"""

import pickle
import pickletools
from typing import Any, BinaryIO

DEEPEST = 100  # tuples in tuples
MOST = 1_000_000  # tuples in one, each counted as often as it stands there
LONGEST_INTEGER = 8_000  # bits; Python refuses to write out more than 4,300 digits

MARK = None  # stands on the stack where one does
Nesting = tuple[int, int]  # how deep, and how many; of what is no tuple nothing
FLAT: Nesting = (0, 0)


def check(file: BinaryIO) -> None:
    """Read one pickle's opcodes and return to where it begins; refuse what no pickler writes.

    Raises `pickle.UnpicklingError`, as unpickling does.
    """
    start = file.tell()
    stack: list[Nesting | None] = []
    memo: dict[int, Nesting] = {}
    for opcode, argument, place in pickletools.genops(file):
        position = (place or start) - start
        if "PUT" in opcode.name or opcode.name == "MEMOIZE":
            number: int = len(memo) if argument is None else argument
            if not 0 <= number <= position:
                raise pickle.UnpicklingError(f"value number {number} in {position} bytes")
            memo[number] = (stack[-1] if stack else None) or FLAT
        elif "GET" in opcode.name:
            stack.append(memo.get(argument or 0, FLAT))
        elif opcode.name == "DUP":
            stack += stack[-1:]
        else:
            _follow(opcode, argument, stack)
    file.seek(start)


def _follow(opcode: pickletools.OpcodeInfo, argument: Any, stack: list[Nesting | None]) -> None:
    """Take from the stack and put on it what an opcode does."""
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
            raise pickle.UnpicklingError(f"{made[1]:,} tuples in one, {made[0]} deep")
    stack += [made] * len(opcode.stack_after)
