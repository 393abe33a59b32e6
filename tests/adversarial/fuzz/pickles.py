"""Pickles that no pickler would write, put together by hand: each a value for a state dict's file.

Every one leaves one object on the unpickler's stack.
"""

import pickle
import struct
from random import Random

from tests.adversarial.fuzz.runner import CANARY

TOUCH = f"touch ../{CANARY}"
PYTHON = f"open('../{CANARY}', 'w')"


def text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


# -- that would run something ----------------------------------------------------------------------

CALLS = (
    ("posix", "system", (text(TOUCH),)),
    ("os", "system", (text(TOUCH),)),
    ("os", "popen", (text(TOUCH),)),
    ("subprocess", "getoutput", (text(TOUCH),)),
    ("subprocess", "Popen", (tuple_of(text("touch"), text(f"../{CANARY}")),)),
    ("commands", "getoutput", (text(TOUCH),)),
    ("builtins", "eval", (text(PYTHON),)),
    ("functools", "reduce", (b"cposix\nmkdir\n", tuple_of(text(f"../{CANARY}"), b"K\x01"))),
    ("builtins", "exec", (text(PYTHON),)),
    ("__builtin__", "eval", (text(PYTHON),)),
    ("builtins", "open", (text(f"../{CANARY}"), text("w"))),
    ("io", "open", (text(f"../{CANARY}"), text("w"))),
    ("_io", "FileIO", (text(f"../{CANARY}"), text("w"))),
    ("os", "mkdir", (text(f"../{CANARY}"),)),
    ("shutil", "copy", (text("."), text(f"../{CANARY}"))),
    ("logging", "FileHandler", (text(f"../{CANARY}"),)),
    ("timeit", "timeit", (text("0"), text(PYTHON))),
    ("numpy.testing._private.utils", "runstring", (text(PYTHON), b"}")),
    ("torch._utils", "_rebuild_tensor_v2.__globals__.__getitem__", (text("torch"),)),
    ("collections", "OrderedDict.__init__.__globals__", ()),
    ("videomae.files", "remove", (text("."),)),
    ("torch", "load", (text("file.pth"),)),
)


def call(random: Random) -> bytes:
    """Call a function in one of the ways that pickles have."""
    module, name, arguments = random.choice(CALLS)
    given, plainly = tuple_of(*arguments), f"c{module}\n{name}\n".encode()
    by_stack = text(module) + text(name) + b"\x93"
    ways = (
        plainly + given + b"R",
        by_stack + given + b"R",
        plainly + given + b"\x81",
        by_stack + given + b"}\x92",
        b"(" + plainly + b"".join(arguments) + b"o",
        b"(" + b"".join(arguments) + f"i{module}\n{name}\n".encode(),
        # A partial of it, as the state of another object, to be called there.
        b"cfunctools\npartial\n" + tuple_of(plainly, *arguments) + b"R" + b")R",
        b"ctorch._utils\n_rebuild_tensor\n" + tuple_of(plainly, given, b"}", b"}") + b"b)R",
        # As a method that unpickling itself calls.
        b"ccollections\nOrderedDict\n)R}" + text("__setstate__") + plainly + b"sb" + given + b"b",
    )
    return random.choice(ways)


# -- that would take the machine's memory or time --------------------------------------------------


def memo_of_gigabytes(random: Random) -> bytes:
    """Keep a value under a number so high that the list up to it fills the memory."""
    return b"Nr" + struct.pack("<I", 2**27 + random.randrange(2**27))


def declared_length(random: Random) -> bytes:
    """Say that a text, or bytes, are longer than any file."""
    length = random.choice((2**31 - 1, 2**32 - 1, 2**31))
    longer = random.choice((2**40, 2**62, 2**63))
    short = random.choice((b"X", b"T", b"B", b"\x8b")) + struct.pack("<I", length)
    return random.choice(
        (short, random.choice((b"\x8d", b"\x8e", b"\x96")) + struct.pack("<Q", longer))
    )


def doubled(random: Random, opcode: bytes) -> bytes:
    """Double a tuple (or list) many times, each time twice the same: nothing until one looks."""
    depth = 30 + random.randrange(30)
    start = b")"
    return start + b"".join(b"2" + opcode for _ in range(depth))


def key_of_tuples(random: Random) -> bytes:
    """Hash doubled tuples: time beyond all measure."""
    return b"}" + doubled(random, b"\x86") + b"Ns"


def deep_key(random: Random) -> bytes:
    """Hash a tuple in a tuple in a tuple …: deeper than the machine's stack."""
    return b"}" + b")" + b"\x85" * (300_000 + random.randrange(10_000)) + b"Ns"


def deep_list(random: Random) -> bytes:
    """Put lists into lists."""
    depth = 100_000 + random.randrange(1000)
    return b"]" * depth + b"a" * (depth - 1)


def doubled_lists(random: Random) -> bytes:
    """A list that holds the one before twice, and so on: short, but its text is not."""
    memo = struct.Struct("<I")
    pieces = [b"]r" + memo.pack(100_000)]
    for number in range(30 + random.randrange(20)):
        last = b"j" + memo.pack(100_000 + number)
        pieces.append(b"](" + last + last + b"er" + memo.pack(100_001 + number))
    return b"".join(pieces)


def long_integer(random: Random) -> bytes:
    """Give an integer with more digits than Python turns into text."""
    digits = bytes(random.randrange(1, 100) for _ in range(4000))
    return b"\x8b" + struct.pack("<I", len(digits)) + digits


def list_in_itself(_: Random) -> bytes:
    return b"]r" + struct.pack("<I", 100_000) + b"j" + struct.pack("<I", 100_000) + b"a"


COSTLY = {
    "memo of gigabytes": memo_of_gigabytes,
    "declared length": declared_length,
    "key of doubled tuples": key_of_tuples,
    "key of deep tuples": deep_key,
    "deep list": deep_list,
    "doubled lists": doubled_lists,
    "long integer": long_integer,
    "list in itself": list_in_itself,
}


# -- tensors that are none -------------------------------------------------------------------------


def integer(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def tensor(random: Random) -> bytes:
    """Rebuild a tensor from sizes, strides, offsets or storages that can't be."""
    extreme = (-1, 0, 1, 2**31, 2**40, 2**62, 2**63 - 1, 2**70)
    kinds = ("FloatStorage", "ByteStorage", "NoStorage", "LongStorage", "UntypedStorage")
    places = ("cpu", "cuda:0", "meta", "nowhere", "../../x")
    storage = tuple_of(
        text("storage"),
        f"ctorch\n{random.choice(kinds)}\n".encode(),
        text(random.choice(("0", "1", "../../x", "/x", "999"))),
        text(random.choice(places)),
        integer(random.choice((*extreme, 12))),
    )
    size = tuple_of(*(integer(random.choice(extreme)) for _ in range(random.randrange(4))))
    stride = tuple_of(*(integer(random.choice(extreme)) for _ in range(random.randrange(4))))
    hooks = b"ccollections\nOrderedDict\n)R"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n"
        + tuple_of(storage + b"Q", integer(random.choice(extreme)), size, stride, b"\x89", hooks)
        + b"R"
    )


def inserted(pickled: bytes, key: str, value: bytes) -> bytes:
    """Put an entry into the dictionary that a pickle of torch.save is; the first one."""
    start = pickled.index(b"(") + 1
    return pickled[:start] + text(key) + value + pickled[start:]
