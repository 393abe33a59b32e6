"""Finds the files of a hub repository, or of a copy of one: config.json beside model.safetensors.

VideoMAE V2's authors publish networks so. Their config.json has what no tensor tells. A download
packs both into one safetensors file, with config.json in its metadata, so that one checksum covers
all that is read.
"""

import json
import re
from pathlib import Path
from typing import Any

from videomae.errors import ConversionError, about, listing

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors", re.ASCII)


def is_repository(path: Path) -> bool:
    """Return whether a path is a folder with config.json and weights, which may be shards."""
    weights = any((path / name).is_file() for name in (WEIGHTS, INDEX))
    return weights and (path / CONFIG).is_file()


def weight_files(folder: Path) -> list[Path]:
    """Return the files with the tensors; raises `ConversionError` for a faulty index."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    shards = sorted(set(weight_map(folder).values()))
    if absent := [shard for shard in shards if not (folder / shard).is_file()]:
        raise ConversionError(
            f"{folder}: {len(absent)} of {len(shards)} files that {INDEX} names are missing: "
            f"{listing(absent)}; download them too"
        )
    return [folder / shard for shard in shards]


def weight_map(folder: Path) -> dict[str, str]:
    """Return the file of each tensor by an index of shards; empty without one."""
    if (folder / WEIGHTS).is_file():
        return {}
    with about(folder / INDEX):
        found = parse((folder / INDEX).read_bytes()).get("weight_map")
        if not isinstance(found, dict) or not found:
            raise ConversionError("the file must have a weight_map of tensors and files")
        for name, shard in found.items():
            if not isinstance(shard, str) or not SHARD.fullmatch(shard):
                raise ConversionError(
                    f"weight_map has {shard!r} for {name}, which is not a .safetensors file beside "
                    "it"
                )
        return found


def files(folder: Path) -> list[Path]:
    """Return all files of a repository that are read; config.json is the first."""
    index = [] if (folder / WEIGHTS).is_file() else [folder / INDEX]
    return [folder / CONFIG, *index, *weight_files(folder)]


def parse(text: bytes | str) -> dict[str, Any]:
    """Return the JSON object in a text; raises `ConversionError` for anything else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConversionError("the file must hold a JSON object")
    return content
