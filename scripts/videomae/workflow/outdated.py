"""Finds results that differ from their records or from config.yaml, while a run is planned.

Snakemake compares file times, and everything else with its own notes. It misses an input that was
replaced by a file with an older time, and any edit after its notes are lost. Receipts, records of
conversions and reports state what they were made from, so this module compares those.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from videomae import results_location
from videomae.config.variant import Variant
from videomae.convert import model_folder, provenance
from videomae.download import manual_files, receipts
from videomae.errors import ConversionError, listing, one_line
from videomae.file_state import Stat, hashed, stat
from videomae.files import appearing, sha256
from videomae.model import labels
from videomae.workflow.states import STEPS

# A file among the results: an input of the step, written when the step must run again.
MARK = "again/{step}/{variant}.txt"
# A file among the results: the options and the checkpoint of a conversion.
CONVERSION = "logs/convert/{}.json"
# A file among the results: the report of a verification, passed or not.
FINDINGS = "logs/verify/{}.json"
Say = Callable[[str], object]


@dataclass(frozen=True)
class Requested:
    """The options of a variant in config.yaml: for the conversion, and for the verification.

    Files are given by their SHA-256, except those that are not downloaded yet.
    """

    convert: Mapping[str, Any]
    verify: Mapping[str, Any]


def requested(variant: Variant, recorded_outputs: str) -> Requested:
    """Return the options of a variant."""
    entry = variant.entry
    convert = provenance.conversion(entry.config.given, entry.dtype, entry.selection, None)
    outputs = None if variant.truth else json.loads(variant.recorded_option)
    verify = provenance.recorded(outputs, recorded_outputs)
    lists = dict(zip(["labels"], map(_listed, variant.labels), strict=False))
    files = {"truth": variant.truth} if variant.truth else variant.recorded_files
    files = files if recorded_outputs != "skip" else {}
    return Requested(
        _with_hashes(convert, lists, variant.results), _with_hashes(verify, files, variant.results)
    )


def _listed(name: str) -> str:
    """Return the path of a list of labels that config.yaml names."""
    return str(labels.SHIPPED.get(name, name))


def _with_hashes(
    options: Mapping[str, Any], files: Mapping[str, str], results: Path
) -> dict[str, Any]:
    """Return options with the hashes of files; missing files are left out."""
    downloaded = f"{results_location.HERE}/"
    places = {
        key: results_location.place(path, results) if path.startswith(downloaded) else Path(path)
        for key, path in files.items()
    }
    hashes = {key: _sha256(place) for key, place in places.items() if place.exists()}
    return {key: value for key, value in options.items() if key not in files} | hashes


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a small file, cached: many variants may use the same file."""
    found = path.stat()
    key = (found.st_size, found.st_mtime, getattr(found, "st_ctime_ns", 0))
    return _sha256_of(path, key)


@cache
def _sha256_of(path: Path, _stat: tuple[Any, ...]) -> str:
    return sha256(path)


# -- what is to be done again ----------------------------------------------------------------------


def steps(
    variant: Variant, request: Requested, results: Path, say: Say = lambda _: None
) -> dict[str, str]:
    """Return the steps of a variant with outdated results, each with the reason in one line.

    ``say`` is called with a line before a file is hashed.
    """
    found = _reasons(variant, request, results, say)
    return {step: one_line(why, most=600) for step, why in found}


def marks(step: str, variant: str, why: str | None, results: Path) -> list[Path]:
    """Return the mark file of an outdated step; it is written again if there is a reason.

    The mark is an input that is younger than the step's output, so Snakemake runs the step again.
    It stays afterwards, because a changed set of inputs would cause another run.
    """
    path = results / MARK.format(step=step, variant=variant)
    if why is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # New content each time: Snakemake ignores a younger file with the same content.
        path.write_text(f"{why}\n{time.time_ns()}\n", encoding="utf-8")
    return [path] if path.exists() else []


def _reasons(
    variant: Variant, request: Requested, results: Path, say: Say
) -> Iterator[tuple[str, str]]:
    if results_location.are_here(results) and (why := _source(variant)):
        yield "download", why
    receipt = variant.place.with_suffix(".json")
    known = receipts.read(receipt) if receipt.exists() else None
    if known and (why := _receipt(variant, receipt, known, say)):
        yield "receipt", why
    path = results / STEPS["verify"].format(variant.name)
    report = _read(path)
    model = results / f"models/{variant.name}"
    if not (model / model_folder.WEIGHTS).exists():
        return
    made = _read(results / CONVERSION.format(variant.name)) or report
    made = made or _read(results / FINDINGS.format(variant.name))
    if why := _conversion(request, made, known):
        yield "convert", why
    if report is None:
        return
    if differing := _differing(report.get("asked", {}), request.verify):
        yield "verify", f"verified with {differing}"
    if results_location.are_here(results) and (why := _folder(model, path, report, say)):
        yield "verify", why


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return model_folder.read_json(path) if path.exists() else None
    except ConversionError as error:
        raise ConversionError(f"{error}; remove the file, and the run makes it again") from error


def _source(variant: Variant) -> str | None:
    """Return a reason if the checkpoint was downloaded from another source; else None."""
    place = variant.place
    known = None if place.is_symlink() or not place.exists() else manual_files.fetched(place)
    if known is None or known.source in (str(variant.source), variant.brought_from):
        return None
    return f"the checkpoint was downloaded from {known.source}, not from {variant.source}"


def _receipt(variant: Variant, receipt: Path, known: receipts.Receipt, say: Say) -> str | None:
    """Return a reason if a receipt disagrees with the checkpoint or the expected SHA-256."""
    file = _file(variant)
    # Snakemake notices a younger file.
    if file and file.stat().st_mtime <= receipt.stat().st_mtime and known.file != stat(file):
        say(f"hashing {file}, because its size, times or inode differ from its receipt")
        if found := receipts.describes(known, file):
            return f"{file} has {found}, but its receipt says {known.content}"
        _quietly(lambda: receipts.refresh(receipt, stat(file)), receipt)
    if variant.source.packed and results_location.are_here(variant.place):
        # Snakemake does not notice an older file that was moved to the place of one.
        since = receipt.stat().st_mtime_ns
        changed = [one for one in variant.existing_file if Path(one).stat().st_ctime_ns > since]
        if changed:
            return f"{listing(changed)} changed after {variant.source} was packed into one file"
    if variant.contradicted:
        return f"its receipt says {known.content}, but another SHA-256 is expected"
    return None


def _file(variant: Variant) -> Path | None:
    """Return the local file of a checkpoint, or what its link or copy is of; None without one."""
    place = variant.place
    if results_location.are_here(place) and not (
        variant.existing_file and manual_files.is_copy(place)
    ):
        return place if place.exists() else None
    if not variant.existing_file or variant.source.packed:
        return None
    return Path(variant.existing_file[0])


def _conversion(
    request: Requested, made: Mapping[str, Any] | None, known: receipts.Receipt | None
) -> str | None:
    """Return a reason if a folder has other options or another checkpoint than requested."""
    if made is None:
        return "there is no record of how its folder was made"
    if differing := _differing(made.get("asked", {}), request.convert):
        return f"converted with {differing}"
    was = made.get("checkpoint", {}).get("sha256")
    if known and was != known.content.sha256:
        return f"converted from a checkpoint with SHA-256 {was}, not {known.content.sha256}"
    return None


def _differing(found: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Return the options that differ, with the old and the new value; empty if none does."""
    return listing(
        f"{key} {json.dumps(found.get(key))}, not {json.dumps(value)}"
        for key, value in request.items()
        if found.get(key) != value
    )


def _folder(model: Path, path: Path, report: Mapping[str, Any], say: Say) -> str | None:
    """Return a reason if a file of a folder is not the verified one; else None."""
    noted, since = report.get("files", {}), path.stat().st_mtime
    fresh: dict[str, Stat] = {}
    for name in model_folder.CONVERTED:
        file = model / name
        if not file.exists() or file.stat().st_mtime > since:  # which Snakemake sees
            return None
        if noted.get(name) != stat(file)._asdict():
            say(f"hashing {file}, because its times or inode differ from those in the report")
            now, found = hashed(file)
            if found != report["sha256"].get(name):
                return f"{file} changed after it was verified"
            fresh[name] = now
    if fresh:
        _quietly(lambda: _refresh(path, report, fresh), path)
    return None


def _refresh(path: Path, report: Mapping[str, Any], fresh: Mapping[str, Stat]) -> None:
    """Record the stats of verified files in a report, without changing the report's time."""
    before = path.stat()
    files = {**report.get("files", {}), **{name: one._asdict() for name, one in fresh.items()}}
    with appearing(path) as new:
        new.write_text(json.dumps({**report, "files": files}, indent=2) + "\n")
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))


def _quietly(note: Callable[[], object], path: Path) -> None:
    """Update a record so that the next plan need not hash again, if the folder is writable."""
    if results_location.are_here(path) and os.access(path.parent, os.W_OK):
        note()
