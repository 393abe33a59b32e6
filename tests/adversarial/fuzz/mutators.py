"""Changes of bytes, of texts, of the tensors in a checkpoint and of the archives around them."""

import argparse
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from random import Random
from typing import Any

import torch
from torch import Tensor

from tests.adversarial.fuzz import pickles
from tests.adversarial.fuzz.runner import CANARY

Bytes = Callable[[Random, bytes], bytes]
Contents = dict[str, Any]

# -- of bytes --------------------------------------------------------------------------------------


def flip(random: Random, whole: bytes) -> bytes:
    changed = bytearray(whole)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def flip_early(random: Random, whole: bytes) -> bytes:
    """Where headers and pickles are."""
    part = 1 + random.randrange(min(len(whole), 4096))
    return flip(random, whole[:part]) + whole[part:]


def flip_late(random: Random, whole: bytes) -> bytes:
    """Where an archive has its directory."""
    part = 1 + random.randrange(min(len(whole), 4096))
    return whole[:-part] + flip(random, whole[-part:])


def cut(random: Random, whole: bytes) -> bytes:
    return whole[: random.randrange(len(whole))]


def cut_out(random: Random, whole: bytes) -> bytes:
    start, length = random.randrange(len(whole)), random.choice((1, 7, 8, 64, 1000))
    return whole[:start] + whole[start + length :]


def insert(random: Random, whole: bytes) -> bytes:
    start = random.randrange(len(whole))
    return whole[:start] + random.randbytes(random.choice((1, 8, 64, 1000))) + whole[start:]


def overwrite(random: Random, whole: bytes) -> bytes:
    """Put zeros, ones or noise over a part."""
    start, length = random.randrange(len(whole)), random.choice((4, 8, 64, 4096))
    new = random.choice((bytes(length), b"\xff" * length, random.randbytes(length)))
    return whole[:start] + new + whole[start + length :]


def append(random: Random, whole: bytes) -> bytes:
    return whole + random.choice((b"\0", b"\n", whole, random.randbytes(1000)))


def prepend(random: Random, whole: bytes) -> bytes:
    return random.choice((b"\0", b"\xef\xbb\xbf", b"\x80\x02", b"PK\x03\x04")) + whole


def exchange(random: Random, whole: bytes) -> bytes:
    middle = random.randrange(len(whole))
    return whole[middle:] + whole[:middle]


def empty(_random: Random, _whole: bytes) -> bytes:
    return b""


def noise(random: Random, whole: bytes) -> bytes:
    return random.randbytes(random.randrange(1, len(whole) + 1))


BYTES: dict[str, Bytes] = {
    "bytes flipped": flip,
    "bytes flipped, early": flip_early,
    "bytes flipped, late": flip_late,
    "cut short": cut,
    "a part cut out": cut_out,
    "bytes inserted": insert,
    "bytes overwritten": overwrite,
    "bytes appended": append,
    "bytes before it": prepend,
    "parts exchanged": exchange,
    "empty": empty,
    "noise": noise,
}

# -- of texts --------------------------------------------------------------------------------------

STRANGE = (
    *(
        "\0",
        "\x1b[2J",
        "\r",
        "\u2028",
        "\ufeff",
        "\\ud800",
        "🎥",
        "é",
        '"',
        "'",
        "{",
        "}",
        "[",
        "]",
    ),
    *(
        ",",
        ":",
        "\t",
        "&a ",
        "*a",
        "!!python/object/apply:os.system ['touch ../canary']",
        "- ",
        "#",
    ),
    *(
        "null",
        "true",
        "NaN",
        "-1",
        "1e999",
        "9" * 5000,
        "0",
        "x" * 100_000,
        "|",
        ">",
        "%",
        "@",
        "`",
    ),
    *(
        "~",
        "<<",
        "? ",
        "__use_yte__: true\n",
        "2026-01-01",
        "0o17",
        "1_0",
        "../../x",
        "/etc/passwd",
    ),
)


def type_strange(random: Random, whole: bytes) -> bytes:
    start = random.randrange(len(whole) + 1)
    return whole[:start] + random.choice(STRANGE).encode() + whole[start:]


def replace_number(random: Random, whole: bytes) -> bytes:
    """Put another value where a number stands."""
    places = [place for place, byte in enumerate(whole) if chr(byte).isdigit()]
    if not places:
        return whole
    place = random.choice(places)
    return whole[:place] + random.choice(STRANGE).encode() + whole[place + 1 :]


def line_away(random: Random, whole: bytes) -> bytes:
    lines = whole.splitlines(keepends=True)
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


def line_twice(random: Random, whole: bytes) -> bytes:
    lines = whole.splitlines(keepends=True)
    lines.insert(random.randrange(len(lines)), random.choice(lines))
    return b"".join(lines)


def lines_exchanged(random: Random, whole: bytes) -> bytes:
    lines = whole.splitlines(keepends=True)
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def not_utf8(random: Random, whole: bytes) -> bytes:
    return random.choice((whole.decode().encode("utf-16"), b"\xff" + whole, whole + b"\xc3("))


def nested_brackets(random: Random, _whole: bytes) -> bytes:
    depth = 100_000 + random.randrange(1000)
    return random.choice((b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth))


TEXTS: dict[str, Bytes] = {
    "something strange typed": type_strange,
    "number replaced": replace_number,
    "line away": line_away,
    "line twice": line_twice,
    "lines exchanged": lines_exchanged,
    "not UTF-8": not_utf8,
    "nested brackets": nested_brackets,
}

# -- of JSON ---------------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 10**6, 10**9, 2**31, 2**63, 10**30, 0.5, 1e-12, 1e300),
    *(float("nan"), float("inf"), "", "x", "3", "../../x", "\ud800", "a\nb", "x" * 50_000, [], {}),
    *([1], [[1]], ["x"], [1, 2], {"a": 1}, {"0": "x"}, [None] * 3, [0.5, 0.5, 0.5]),
)


def change_value(random: Random, whole: bytes) -> bytes:
    """Give one value of a JSON object, at the top or within, another."""
    content = json.loads(whole)
    held: Any = content
    key = random.choice(list(held))
    while isinstance(held[key], dict) and held[key] and random.random() < 0.5:
        held = held[key]
        key = random.choice(list(held))
    held[key] = random.choice(VALUES)
    return json.dumps(content).encode()


def drop_key(random: Random, whole: bytes) -> bytes:
    content = json.loads(whole)
    del content[random.choice(list(content))]
    return json.dumps(content).encode()


def add_key(random: Random, whole: bytes) -> bytes:
    strange = ("num_labels", "auto_map", "x", "_name_or_path", "quantization_config", "hidden_size")
    more = ("model_type", "architectures", "dtype", "torch_dtype", "return_dict", "head_dim")
    content = json.loads(whole) | {random.choice(strange + more): random.choice(VALUES)}
    return json.dumps(content).encode()


JSON: dict[str, Bytes] = {
    "value changed": change_value,
    "key dropped": drop_key,
    "key added": add_key,
}

# -- of safetensors --------------------------------------------------------------------------------


def with_header(whole: bytes, change: Callable[[Any], Any]) -> bytes:
    """Change the header of a safetensors file, which stays as long as it says."""
    length = int.from_bytes(whole[:8], "little")
    header = json.dumps(change(json.loads(whole[8 : 8 + length]))).encode()
    return struct.pack("<Q", len(header)) + header + whole[8 + length :]


def header_length(random: Random, whole: bytes) -> bytes:
    lengths = (0, 1, 2**31, 2**60, 2**63, 2**64 - 1, len(whole), len(whole) - 8, len(whole) - 9)
    return struct.pack("<Q", random.choice(lengths)) + whole[8:]


def header_entry(random: Random, whole: bytes) -> bytes:
    """Say another shape, dtype or place of a tensor."""
    extreme = (-1, 0, 1, 3, 2**31, 2**60, 2**63, 2**64, 10**30, 1.5, "x", None)

    def change(header: Any) -> Any:
        entry = header[random.choice([name for name in header if name != "__metadata__"])]
        key = random.choice(("shape", "data_offsets", "dtype"))
        dtypes = ("F64", "F16", "BF16", "I32", "U8", "F8_E4M3", "F4", "BOOL", "C64", "X", 3)
        places = entry["shape"] if key == "shape" else entry["data_offsets"]
        if key == "dtype":
            entry["dtype"] = random.choice(dtypes)
        elif places and random.random() < 0.7:
            places[random.randrange(len(places))] = random.choice(extreme)
        else:
            entry[key] = [random.choice(extreme) for _ in range(random.randrange(5))]
        return header

    return with_header(whole, change)


def header_names(random: Random, whole: bytes) -> bytes:
    """Rename, drop or repeat a tensor."""

    def change(header: Any) -> Any:
        name = random.choice([name for name in header if name != "__metadata__"])
        new = random.choice(("x", "", "../../x", "a\nb", "x" * 50_000, "\x1b[2J", name + "2"))
        entry = header.pop(name) if random.random() < 0.7 else dict(header[name])
        return header | random.choice(({new: entry}, {}))

    return with_header(whole, change)


def header_metadata(random: Random, whole: bytes) -> bytes:
    values: tuple[Any, ...] = (
        None,
        3,
        {"format": "tf"},
        {"format": 3},
        {"x": "x" * 10**6},
        [],
        {"format": "pt"},
    )
    return with_header(whole, lambda header: header | {"__metadata__": random.choice(values)})


def header_nested(random: Random, whole: bytes) -> bytes:
    header = random.choice((b'{"a":', b"{" + b"[", b'{"a":[')) * 50_000
    return struct.pack("<Q", len(header)) + header + whole[-1000:]


SAFETENSORS: dict[str, Bytes] = {
    "header's length": header_length,
    "header: an entry changed": header_entry,
    "header: a name changed": header_names,
    "header: metadata changed": header_metadata,
    "header nested deeply": header_nested,
}

# -- of a checkpoint's contents --------------------------------------------------------------------


def state_of(content: Contents) -> dict[Any, Any]:
    found: dict[Any, Any] = content["model" if "model" in content else "module"]
    return found


def rename_tensor(random: Random, content: Contents) -> None:
    state = state_of(content)
    name = random.choice(list(state))
    other = random.choice(list(state))
    new = ("x", "", "a\nerror: b", "../../x", f"module.{name}", other, "x" * 50_000, "\ud800")
    state[random.choice((*new, 3, None, "\x1b[2J", "blocks.99.x", ("a", 1), name.upper()))] = (
        state.pop(name)
    )


def drop_tensor(random: Random, content: Contents) -> None:
    state = state_of(content)
    for name in random.sample(list(state), random.choice((1, 1, 5))):
        del state[name]


def change_shape(random: Random, content: Contents) -> None:
    state = state_of(content)
    name = random.choice(list(state))
    tensor = state[name]
    shapes: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda t: t[:-1].clone(),
        lambda t: torch.cat([t, t]),
        lambda t: t.reshape(-1),
        lambda t: t.unsqueeze(0),
        lambda t: t.transpose(0, -1),
        lambda t: t[:0].clone(),
        lambda t: t.reshape(-1)[0].clone(),
        lambda t: torch.ones(1).expand(2**40, *t.shape[1:]),
        lambda t: torch.ones(1).expand(10**8, *t.shape[1:]),
    )
    state[name] = random.choice(shapes)(tensor)


def huge_classes(random: Random, content: Contents) -> None:
    """Let a head say more classes than memory holds, with one value behind all of them."""
    state = state_of(content)
    size = random.choice((10**7, 10**9, 2**40))
    name = "head" if "head.weight" in state else "decoder.head"
    for part in ("weight", "bias"):
        tensor = state[f"{name}.{part}"]
        state[f"{name}.{part}"] = torch.ones(1).expand(size, *tensor.shape[1:])


def change_dtype(random: Random, content: Contents) -> None:
    state = state_of(content)
    kinds = (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.complex64)
    dtype = random.choice((*kinds, torch.float8_e4m3fn))
    chosen = random.choice((list(state), [random.choice(list(state))]))
    state.update({name: state[name].to(dtype) for name in chosen})


def change_kind(random: Random, content: Contents) -> None:
    """Give a tensor back in one of the forms that torch has besides the plain one."""
    state = state_of(content)
    name = random.choice(list(state))
    tensor = state[name]
    forms: tuple[Callable[[Tensor], Any], ...] = (
        torch._neg_view,
        lambda t: t.conj(),
        lambda t: torch.nn.Parameter(t),
        lambda t: t.clone().requires_grad_(),
        lambda t: t.to_sparse(),
        lambda t: t.to("meta"),
        lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
        lambda t: t.numpy(),
        lambda t: t.tolist(),
        lambda t: torch.nn.Parameter(t)[0],
        lambda t: t.untyped_storage(),
        lambda t: torch.stack([t, t], -1)[..., 0],
        lambda _: None,
        lambda _: "x",
        lambda _: {"a": 1},
    )
    state[name] = random.choice(forms)(tensor)


def not_finite(random: Random, content: Contents) -> None:
    values = (float("nan"), float("inf"), float("-inf"), 3e38, -0.0, 1e-45)
    state = state_of(content)
    tensor = state[random.choice(list(state))].reshape(-1)
    tensor[random.randrange(len(tensor))] = random.choice(values)


def other_values(random: Random, content: Contents) -> None:
    state = state_of(content)
    name = random.choice(list(state))
    state[name] = state[name] * random.choice((0, -1, 1e-3, 5, 1e20))


ARGUMENTS = (
    *("model", "num_frames", "num_segments", "input_size", "tubelet_size", "use_mean_pooling"),
    *("decoder_depth", "normlize_target", "nb_classes", "data_set", "epoch", "synthetic", "args"),
)
NESTED = argparse.Namespace(a=[1, {"b": (2,)}])


def change_options(random: Random, content: Contents) -> None:
    """Give training options, or what stands beside them, values of every kind."""
    values = (*VALUES, torch.ones(2), torch.ones(()), NESTED, (), (32, 32), 10**5000, b"x", {1: 2})
    args = content.setdefault("args", argparse.Namespace())
    name, value = random.choice(ARGUMENTS), random.choice(values)
    if random.random() < 0.7 and isinstance(args, argparse.Namespace):
        setattr(args, name, value)
    else:
        content[name] = value


def change_container(random: Random, content: Contents) -> None:
    """Put the state dict elsewhere, or something in its place."""
    name = "model" if "model" in content else "module"
    state = content.pop(name)
    other: Any = random.choice(
        ("state_dict", "model_ema", "weights", "x" * 50_000, "a\nb", "\ud800", 3)
    )
    odd: tuple[Any, ...] = (3, 10**5000, "x", None, list(state.values()), {}, [state], ("a",))
    content[random.choice((name, other))] = random.choice((state, *odd))


CONTENTS: dict[str, Callable[[Random, Contents], None]] = {
    "a tensor renamed": rename_tensor,
    "tensors dropped": drop_tensor,
    "a shape changed": change_shape,
    "classes beyond memory": huge_classes,
    "dtype changed": change_dtype,
    "a tensor of another kind": change_kind,
    "NaN and the like": not_finite,
    "other values": other_values,
    "options changed": change_options,
    "container changed": change_container,
}


def of_contents(change: Callable[[Random, Contents], None], zipped: bool) -> Bytes:
    """Load, change and save a checkpoint."""

    def changed(random: Random, whole: bytes) -> bytes:
        content = torch.load(BytesIO(whole), weights_only=False)
        change(random, content)
        file = BytesIO()
        torch.save(content, file, _use_new_zipfile_serialization=zipped)
        return file.getvalue()

    return changed


# -- of archives -----------------------------------------------------------------------------------

Entries = dict[str, bytes]


def entries(whole: bytes) -> Entries:
    with zipfile.ZipFile(BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(held: Entries, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in held.items():
            made.writestr(name, content)
    return file.getvalue()


def pickled(held: Entries) -> str:
    return next(name for name in held if name.endswith("/data.pkl"))


def in_pickle(change: Bytes) -> Bytes:
    """Change the pickle in an archive, whose checksums stay right."""

    def changed(random: Random, whole: bytes) -> bytes:
        held = entries(whole)
        held[pickled(held)] = change(random, held[pickled(held)])
        return archive(held)

    return changed


def traverse(random: Random, whole: bytes) -> bytes:
    """Name an archive's entries so that unpacking them would write elsewhere."""
    held = entries(whole)
    root = pickled(held).rpartition("/")[0]
    elsewhere = random.choice(("../..", "..", "/tmp/..", "a/../../..", "..\\..", "C:", "", "~"))
    if random.random() < 0.5:
        return archive({f"{elsewhere}{name.removeprefix(root)}": c for name, c in held.items()})
    return archive(held | {f"{elsewhere}/{CANARY}": b"x", f"{root}/{elsewhere}/{CANARY}": b"x"})


def compress(_random: Random, whole: bytes) -> bytes:
    return archive(entries(whole), zipfile.ZIP_DEFLATED)


BOMB = 5 * 2**29  # bytes: more than a file may take, less than what would hurt this machine


def zeros(random: Random, whole: bytes) -> bytes:
    """Put an entry of gigabytes of zeros into an archive that has megabytes: deflated."""
    held = entries(whole)
    root = pickled(held).rpartition("/")[0]
    target = f"{root}/{random.choice(('data.pkl', 'data/0', 'version', 'byteorder'))}"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(2**24)
    packed = b"".join(packer.compress(block) for _ in range(BOMB // len(block))) + packer.flush()
    marker = b"\xa5" * 64
    made = archive({**held, target: marker})
    return _as_bomb(made, target.encode(), marker, packed)


def _as_bomb(made: bytes, name: bytes, marker: bytes, packed: bytes) -> bytes:
    """Replace a stored entry's content by deflated zeros, here and in the directory."""
    sizes = struct.pack("<II", len(packed), BOMB)
    content = made.index(marker)
    header = content - len(name) - 30
    assert made[header : header + 4] == b"PK\x03\x04"
    local = made[header : header + 8] + struct.pack("<H", 8) + made[header + 10 : header + 18]
    local += sizes + made[header + 26 : content]
    grown = len(packed) - len(marker)
    start = made.index(b"PK\x01\x02")
    directory, end = bytearray(made[start:-22]), bytearray(made[-22:])
    place = 0
    while place < len(directory):
        length = struct.unpack_from("<H", directory, place + 28)[0]
        offset = struct.unpack_from("<I", directory, place + 42)[0]
        if offset == header:
            struct.pack_into("<H", directory, place + 10, 8)
            directory[place + 20 : place + 28] = sizes
        elif offset > header:
            struct.pack_into("<I", directory, place + 42, offset + grown)
        place += 46 + length
    struct.pack_into("<I", end, 16, start + grown)
    rest = made[content + len(marker) : start]
    return made[:header] + local + packed + rest + bytes(directory) + bytes(end)


def declare(random: Random, whole: bytes) -> bytes:
    """Say other sizes and places in an archive's directory."""
    made = bytearray(archive(entries(whole)))
    start = made.index(b"PK\x01\x02")
    places = [p for p in range(start, len(made)) if made[p : p + 4] == b"PK\x01\x02"]
    field = random.choice(places) + random.choice((10, 16, 20, 24, 28, 30, 32, 42))
    struct.pack_into("<I", made, field, random.choice((0, 1, 2**31 - 1, 2**32 - 1, 0x7FFF)))
    return bytes(made)


def drop_entry(random: Random, whole: bytes) -> bytes:
    held = entries(whole)
    del held[random.choice(list(held))]
    return archive(held)


def change_entry(random: Random, whole: bytes) -> bytes:
    """Change the content of one entry, mostly the small ones."""
    held = entries(whole)
    name = random.choice(sorted(held, key=lambda name: len(held[name]))[:8])
    change = random.choice((flip, cut, append, noise)) if held[name] else append
    held[name] = change(random, held[name])
    return archive(held)


def twice(random: Random, whole: bytes) -> bytes:
    """Let two entries have one name."""
    held = entries(whole)
    name = pickled(held) if random.random() < 0.5 else random.choice(list(held))
    other = name[:-1] + "!"
    return archive({**held, other: random.choice((b"x", held[name]))}).replace(
        other.encode(), name.encode()
    )


ARCHIVES: dict[str, Bytes] = {
    "path traversal in names": traverse,
    "entries compressed": compress,
    "zip bomb": zeros,
    "sizes declared": declare,
    "an entry dropped": drop_entry,
    "an entry changed": change_entry,
    "a name twice": twice,
}

# -- of pickles ------------------------------------------------------------------------------------


def calling(random: Random, pickle: bytes) -> bytes:
    return pickles.inserted(pickle, "more", pickles.call(random))


def rebuilding(random: Random, pickle: bytes) -> bytes:
    return pickles.inserted(pickle, "more", pickles.tensor(random))


def costing(random: Random, pickle: bytes) -> bytes:
    key = random.choice(("more", "args", "epoch", "optimizer", "synthetic", "model", "model_ema"))
    return pickles.inserted(pickle, key, random.choice(list(pickles.COSTLY.values()))(random))


def costing_key(random: Random, pickle: bytes) -> bytes:
    """As a key, at the top or among the tensors."""
    value = random.choice(
        (pickles.long_integer(random), pickles.text("x" * 10**6), pickles.text("\ud800"))
    )
    start = pickle.index(b"(") + 1
    if random.random() < 0.5:
        start = pickle.index(
            b"(", pickle.index(b"OrderedDict") if b"OrderedDict" in pickle else start
        )
        start += 1
    return pickle[:start] + value + b"N" + pickle[start:]


def opcodes(random: Random, pickle: bytes) -> bytes:
    """Exchange single bytes for opcodes."""
    changed = bytearray(pickle)
    for _ in range(random.choice((1, 1, 3, 10))):
        changed[random.randrange(len(changed))] = random.choice(
            b"()]}tldsuaeb0123RQPcioNjhrq\x81\x85\x93."
        )
    return bytes(changed)


PICKLES: dict[str, Bytes] = {
    "pickle: calls something": calling,
    "pickle: tensors that are none": rebuilding,
    "pickle: takes memory or time": costing,
    "pickle: a strange key": costing_key,
    "pickle: other opcodes": opcodes,
    "pickle: bytes flipped": flip,
}


def legacy_parts(whole: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut a file from before the zip format: what stands before its main pickle, that, the rest."""
    import pickletools

    file = BytesIO(whole)
    for _ in range(3):
        list(pickletools.genops(file))
    start = file.tell()
    list(pickletools.genops(file))
    return whole[:start], whole[start : file.tell()], whole[file.tell() :]


def in_legacy_pickle(change: Bytes) -> Bytes:
    def changed(random: Random, whole: bytes) -> bytes:
        before, pickle, rest = legacy_parts(whole)
        return before + change(random, pickle) + rest

    return changed


def legacy_rest(random: Random, whole: bytes) -> bytes:
    """Change the list of storages, or the sizes that stand before each."""
    before, pickle, rest = legacy_parts(whole)
    return before + pickle + flip_early(random, rest[:2000]) + rest[2000:]


def legacy_sizes(random: Random, whole: bytes) -> bytes:
    before, pickle, rest = legacy_parts(whole)
    place = rest.index(b".") + 1
    size = struct.pack("<Q", random.choice((0, 1, 2**31, 2**40, 2**63, 2**64 - 1)))
    return before + pickle + rest[:place] + size + rest[place + 8 :]


def tar(random: Random, whole: bytes) -> bytes:
    """Make the oldest container, a tar, that begins as a pickle does and names strange places."""
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as made:
        kinds = (tarfile.FIFOTYPE, tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.DIRTYPE)
        for name in ("\x02", "storages", "tensors", "pickle", f"../../{CANARY}"):
            entry = tarfile.TarInfo(name)
            entry.type = random.choice(kinds)
            entry.linkname = random.choice(("/dev/zero", "../../x", "/etc/passwd"))
            entry.size = len(whole) if entry.type == tarfile.REGTYPE else 0
            made.addfile(entry, BytesIO(whole))
    plain = bytearray(file.getvalue())
    plain[0:2] = b"\x80\x02"
    plain[148:156] = b" " * 8
    plain[148:156] = f"{sum(plain[:512]):06o}\0 ".encode()
    return bytes(plain)


LEGACY: dict[str, Bytes] = {
    "list of storages changed": legacy_rest,
    "sizes of storages declared": legacy_sizes,
    "a tar": tar,
}

# -- of arrays and masks ---------------------------------------------------------------------------


def array_header(random: Random, whole: bytes) -> bytes:
    """Say another shape or dtype in an .npy, in as many bytes."""
    shapes = ("(10**15,)", "(1000000000000000, 3)", "(4, 32, 32, 3, 1)", "(-1, 32, 32, 3)", "(0,)")
    more = (
        "(4, 32, 32, 4)",
        "(3, 32, 32, 3)",
        "(3000000000, 1, 1, 3)",
        "()",
        "[4]",
        "(2, 64, 32, 3)",
    )
    dtypes = ("|u1", "<f4", "|O", "<U9", "|V8", "<M8[s]", "x", "<u8")
    said = (
        f"{{'descr': '{random.choice(dtypes) if random.random() < 0.5 else '|u1'}', "
        f"'fortran_order': {random.choice(('False', 'False', 'True', '3'))}, "
        f"'shape': {random.choice(shapes + more)}, }}"
    )
    return whole[:10] + said.ljust(117).encode() + b"\n" + whole[128:]


def array_nested(random: Random, whole: bytes) -> bytes:
    header = random.choice((b"(" * 60000, b"{" * 60000, b"-" * 60000, b"9" * 60000))
    return whole[:6] + b"\x01\x00" + struct.pack("<H", len(header)) + header + whole[128:]


def array_archive(_random: Random, whole: bytes) -> bytes:
    return archive({"x.npy": whole}, zipfile.ZIP_DEFLATED)


def array_pickled(random: Random, whole: bytes) -> bytes:
    """Put a pickle, which numpy would load if it were let, behind the header or alone."""
    pickle = b"\x80\x02" + pickles.call(random) + b"."
    return random.choice((pickle, whole[:128].replace(b"'|u1'", b"'|O' ") + pickle))


ARRAYS: dict[str, Bytes] = {
    "header: shape or dtype": array_header,
    "header nested deeply": array_nested,
    "an archive": array_archive,
    "a pickle": array_pickled,
}


def mask(random: Random, _whole: bytes) -> bytes:
    right = torch.tensor([[True, False, True, False] * 2])
    masks: tuple[Any, ...] = (
        *(
            right[0],
            right.int(),
            right.float(),
            right[:, :-1].clone(),
            ~right,
            right.new_zeros(1, 8),
        ),
        *(right.new_ones(1, 8), torch.ones(1).expand(2**33), torch.ones(1).expand(2**40), [True]),
        *({"mask": right}, torch.full((8,), float("nan")), right.to_sparse(), None, NESTED),
    )
    file = BytesIO()
    torch.save(random.choice(masks), file)
    return file.getvalue()


# -- of config.yaml --------------------------------------------------------------------------------


def yaml_lines(random: Random, whole: bytes) -> bytes:
    """Give a line's key another value."""
    lines = whole.decode().splitlines()
    values = (
        "",
        "3",
        "-1",
        "true",
        "null",
        "[1, 2]",
        "{a: b}",
        "'x'",
        "1e999",
        ".nan",
        "[[]]",
        "''",
    )
    number = random.choice([n for n, line in enumerate(lines) if ":" in line])
    lines[number] = lines[number].split(":")[0] + f": {random.choice(values)}"
    return "\n".join(lines).encode()


def yaml_aliases(random: Random, whole: bytes) -> bytes:
    """Double a list many times by aliases."""
    lines = ["a0: &a0 [x]"]
    depth = random.choice((3, 30, 60))
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, depth)]
    target = random.choice(("models", "releases", "license", "more"))
    kept = [line for line in whole.decode().splitlines() if not line.startswith(target)]
    return "\n".join([*lines, *kept, f"{target}: *a{depth - 1}"]).encode()


def yaml_aliases_inside(random: Random, whole: bytes) -> bytes:
    """Double a list many times where the schema lets anything stand."""
    nested = "&a0 [0.5]"
    for number in range(1, random.choice((3, 30, 50))):
        nested = f"&a{number} [{nested}, *a{number - 1}]"
    entry = f"recorded: {{under: script, shape: [1], logits: {nested}}}"
    return whole + f"  three:\n    checkpoint: x\n    {entry}\n".encode()


def yaml_tags(random: Random, whole: bytes) -> bytes:
    """Ask for Python objects, or for a template's code."""
    canary = f"../{CANARY}"
    hostile = (
        f"license: !!python/object/apply:os.system ['touch {canary}']\n",
        f"license: !!python/object/new:os.system ['touch {canary}']\n",
        "license: !!python/name:os.system\n",
        f"__use_yte__: true\n__definitions__:\n  - import os\n  - os.system('touch {canary}')\n",
        f"__use_yte__: true\nlicense: ?open('{canary}', 'w').name\n",
        "license: !!binary aGk=\n",
        "license: !x y\n",
    )
    kept = b"".join(x for x in whole.splitlines(True) if not x.startswith(b"license"))
    return random.choice(hostile).encode() + kept


def yaml_itself(_random: Random, whole: bytes) -> bytes:
    return whole.replace(b"models:", b"models: &m\n- *m\n#", 1)


YAML: dict[str, Bytes] = {
    "a value changed": yaml_lines,
    "another value changed": yaml_lines,
    "aliases doubled": yaml_aliases,
    "aliases doubled, inside": yaml_aliases_inside,
    "tags and templates": yaml_tags,
    "a list in itself": yaml_itself,
}
