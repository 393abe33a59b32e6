"""Which results are no longer what their records, or config.yaml, say?  Found as a run is planned.

Snakemake compares times with those of its outputs, and all else with its own notes. So it sees
neither a file with an older time in another's place, nor an edit once its notes are lost or not
asked for. Receipts, the record of a conversion and reports tell what they were made of, so they are
compared here.
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

# Among the results: an input of the step, written when that has to be done again, and kept.
MARK = "again/{step}/{variant}.txt"
# Among the results: by which options the folder was made, and of which checkpoint.
CONVERSION = "logs/convert/{}.json"
# Among the results: what a verification found, passed or not.
FINDINGS = "logs/verify/{}.json"
Say = Callable[[str], object]


@dataclass(frozen=True)
class Requested:
    """What config.yaml asks of a variant: how to convert it, and beside that how to verify it.

    Files are there by their SHA-256, but for those that are yet to be downloaded.
    """

    convert: Mapping[str, Any]
    verify: Mapping[str, Any]


def requested(variant: Variant, recorded_outputs: str) -> Requested:
    """Return what is asked of a variant."""
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
    """Add the hashes of files; those that are not there yet are not known and left out."""
    downloaded = f"{results_location.HERE}/"
    places = {
        key: results_location.place(path, results) if path.startswith(downloaded) else Path(path)
        for key, path in files.items()
    }
    hashes = {key: _sha256(place) for key, place in places.items() if place.exists()}
    return {key: value for key, value in options.items() if key not in files} | hashes


def _sha256(path: Path) -> str:
    """Hash a small file; a thousand variants may ask for the same list or clip."""
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
    """Return the steps of a variant whose results are outdated, each with the reason in a line.

    ``say`` is called with a line where a file is hashed.
    """
    found = _reasons(variant, request, results, say)
    return {step: one_line(why, most=600) for step, why in found}


def marks(step: str, variant: str, why: str | None, results: Path) -> list[Path]:
    """Return the mark of a step that is, or was, to be done again; written anew if there is a reason.

    As an input that is younger than what the step made it has Snakemake do that again, whatever it
    has noted. So it stays, or the step would have another set of inputs.
    """
    path = results / MARK.format(step=step, variant=variant)
    if why is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another content each time, since Snakemake takes a younger file for the same by that.
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
        raise ConversionError(f"{error}; remove it, and it is made again") from error


def _source(variant: Variant) -> str | None:
    """Say from where else the checkpoint was downloaded, if it was."""
    place = variant.place
    known = None if place.is_symlink() or not place.exists() else manual_files.fetched(place)
    if known is None or known.source == str(variant.source):
        return None
    return f"it was downloaded from {known.source}, not from {variant.source}"


def _receipt(variant: Variant, receipt: Path, known: receipts.Receipt, say: Say) -> str | None:
    """Say what is wrong with the receipt of a checkpoint: its file, or what that should be."""
    file = _file(variant)
    # A file that is younger is seen by Snakemake.
    if file and file.stat().st_mtime <= receipt.stat().st_mtime and known.file != stat(file):
        say(f"hashing {file}, whose size, times or inode are not those of its receipt")
        if found := receipts.describes(known, file):
            return f"{file} has {found}, but its receipt says {known.content}"
        _quietly(lambda: receipts.refresh(receipt, stat(file)), receipt)
    if variant.contradicted:
        return f"its receipt says {known.content}, which is not what is pinned or recorded"
    return None


def _file(variant: Variant) -> Path | None:
    """Return the file of this machine that a checkpoint is, or is a link to; None without one."""
    place = variant.place
    if results_location.are_here(place):
        return place if place.exists() else None
    return Path(variant.existing_file[0]) if variant.existing_file else None


def _conversion(
    request: Requested, made: Mapping[str, Any] | None, known: receipts.Receipt | None
) -> str | None:
    """Say in what a folder is not what config.yaml asks for, or of another checkpoint."""
    if made is None:
        return "nothing tells how its folder was made"
    if differing := _differing(made.get("asked", {}), request.convert):
        return f"converted with {differing}"
    was = made.get("checkpoint", {}).get("sha256")
    if known and was != known.content.sha256:
        return f"converted from a checkpoint of SHA-256 {was}, not {known.content.sha256}"
    return None


def _differing(found: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Name what differs, with what it was and what it is to be; empty if nothing does."""
    return listing(
        f"{key} {json.dumps(found.get(key))}, not {json.dumps(value)}"
        for key, value in request.items()
        if found.get(key) != value
    )


def _folder(model: Path, path: Path, report: Mapping[str, Any], say: Say) -> str | None:
    """Say which of a folder's files are not those that were verified."""
    noted, since = report.get("files", {}), path.stat().st_mtime
    fresh: dict[str, Stat] = {}
    for name in model_folder.CONVERTED:
        file = model / name
        if not file.exists() or file.stat().st_mtime > since:  # which Snakemake sees
            return None
        if noted.get(name) != stat(file)._asdict():
            say(f"hashing {file}, which is not the one that was verified by its times or inode")
            now, found = hashed(file)
            if found != report["sha256"].get(name):
                return f"{file} is not the file that was verified"
            fresh[name] = now
    if fresh:
        _quietly(lambda: _refresh(path, report, fresh), path)
    return None


def _refresh(path: Path, report: Mapping[str, Any], fresh: Mapping[str, Stat]) -> None:
    """Note the files that a report is known to describe, in a report that is no younger for it."""
    before = path.stat()
    files = {**report.get("files", {}), **{name: one._asdict() for name, one in fresh.items()}}
    with appearing(path) as new:
        new.write_text(json.dumps({**report, "files": files}, indent=2) + "\n")
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))


def _quietly(note: Callable[[], object], path: Path) -> None:
    """Spare the next plan the hashing, where the results are ours to write."""
    if results_location.are_here(path) and os.access(path.parent, os.W_OK):
        note()
