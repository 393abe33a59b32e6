"""Which results are no longer what their notes, or config.yaml, say?  Found as a run is planned.

Snakemake compares times with those of its outputs, and all else with what it noted itself. So it
sees neither a file with an older time in another's place, nor an edit once its notes are lost or
not asked for. Receipts and reports tell what they were made of, so they are compared here. What
Snakemake sees too is left to it.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videomae import folder, placed, provenance, receipts, remote
from videomae.errors import ConversionError, listing, one_line
from videomae.files import appearing
from videomae.progress import STEPS
from videomae.provenance import digest
from videomae.settings import Variant
from videomae.unchanged import Stat, hashed, stat

# Among the results: an input of the step, written when that has to be done again, and kept.
MARK = "again/{step}/{variant}.txt"
Key = tuple[str, str]  # a step and a variant


@dataclass(frozen=True)
class Asked:
    """What config.yaml asks of a variant: how to convert it, and beside that how to verify it.

    Files are there by their SHA-256, but for those that are yet to be brought. The digests are what
    Snakemake compares; in them a file from the hub stands by its address.
    """

    convert: Mapping[str, Any]
    verify: Mapping[str, Any]
    convert_digest: str
    verify_digest: str


def asked(variant: Variant, shipped: Mapping[str, str], recorded_outputs: str) -> Asked:
    """Give what is asked of a variant; ``shipped`` are the paths of the label lists of ours."""
    entry = variant.entry
    convert = provenance.conversion(entry["config"], entry["dtype"], entry.get("weights"), None)
    outputs = None if variant.truth else json.loads(variant.recorded_option)
    verify = provenance.recorded(outputs, recorded_outputs)
    lists = dict(
        zip(["labels"], [shipped.get(name, name) for name in variant.labels], strict=False)
    )
    files = {"truth": variant.truth} if variant.truth else variant.recorded_files
    files = files if recorded_outputs != "skip" else {}
    return Asked(
        _with_hashes(convert, lists, variant.results),
        _with_hashes(verify, files, variant.results),
        digest([convert, _steady(lists)]),
        digest([convert, _steady(lists), verify, _steady(files)]),
    )


def _with_hashes(
    options: Mapping[str, Any], files: Mapping[str, str], results: Path
) -> dict[str, Any]:
    """Add the hashes of files; those that are not there yet are not known and left out."""
    places = {
        key: remote.place(path, results) if _is_brought(path) else Path(path)
        for key, path in files.items()
    }
    hashes = {key: _sha256(place) for key, place in places.items() if place.exists()}
    return {key: value for key, value in options.items() if key not in files} | hashes


def _steady(files: Mapping[str, str]) -> dict[str, str]:
    """Give what stands for files before they are brought and after."""
    return {
        key: path if _is_brought(path) or not Path(path).exists() else _sha256(Path(path))
        for key, path in files.items()
    }


def _is_brought(path: str) -> bool:
    return path.startswith(f"{remote.HERE}/")


def _sha256(path: Path) -> str:
    """Hash a small file; the same list or clip may be asked for by a thousand variants."""
    found = path.stat()
    key = (str(path), found.st_size, found.st_mtime, getattr(found, "st_ctime_ns", 0))
    if key not in _HASHES:
        _HASHES[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _HASHES[key]


_HASHES: dict[tuple[Any, ...], str] = {}


# -- what is to be done again ----------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What a run that is planned has to go by.

    ``compares_params`` tells whether Snakemake is to compare the params that it noted; ``say`` is
    called with a line where a file is to be hashed, and where a step is to be done again.
    """

    results: Path
    compares_params: bool
    say: Callable[[str], object] = lambda _: None

    def sees(self, output: Path, digest: str) -> bool:
        """Tell whether Snakemake will make an output again since a param has another digest."""
        noted = self.noted(output)
        return self.compares_params and bool(noted) and digest not in noted

    def noted(self, output: Path) -> str:
        """Give what Snakemake noted of an output, which holds its params; empty without a note."""
        note = placed.note("metadata", output)
        return note.read_text(encoding="utf-8") if note.exists() else ""


def reasons(
    variants: Mapping[str, Variant], wishes: Mapping[str, Asked], plan: Plan
) -> dict[Key, str]:
    """Say which steps are to be done again, and why; of a variant only the first one."""
    found: dict[Key, str] = {}
    for name, variant in variants.items():
        for step, why in _reasons(variant, wishes[name], plan):
            found[step, name] = one_line(why, most=600)
            plan.say(f"{name}: {step} is done again: {found[step, name]}")
            break
    return found


def _reasons(variant: Variant, wish: Asked, plan: Plan) -> Iterator[tuple[str, str]]:
    receipt = variant.place.with_suffix(".json")
    known = receipts.read(receipt) if receipt.exists() else None
    if known and (why := _receipt(variant, receipt, known, plan)):
        yield "receipt", why
    path = plan.results / STEPS["verify"].format(variant.name)
    report = _report(path)
    model = plan.results / f"models/{variant.name}"
    if not (model / folder.WEIGHTS).exists():
        return
    if report is None:  # only Snakemake may know what that folder is
        made = model / folder.CONFIG
        known_there = wish.convert_digest in plan.noted(made)
        if not known_there and not plan.sees(made, wish.convert_digest):
            yield "convert", "nothing tells how its folder was made"
        return
    why = _conversion(wish, report, known)
    if why and not plan.sees(model / folder.CONFIG, wish.convert_digest):
        yield "convert", why
    differing = _differing(report.get("asked", {}), wish.verify)
    if differing and not plan.sees(path, wish.verify_digest):
        yield "verify", f"verified with {differing}"
    if remote.are_here(plan.results) and (why := _folder(model, path, report, plan)):
        yield "verify", why


def _report(path: Path) -> dict[str, Any] | None:
    try:
        return folder.read_json(path) if path.exists() else None
    except ConversionError as error:
        raise ConversionError(f"{error}; remove it, and it is made again") from error


def _receipt(variant: Variant, receipt: Path, known: receipts.Receipt, plan: Plan) -> str | None:
    """Say what is wrong with the receipt of a checkpoint: its file, or what that should be."""
    file = _file(variant)
    # A file that is younger is seen by Snakemake.
    if file and file.stat().st_mtime <= receipt.stat().st_mtime and known.file != stat(file):
        plan.say(f"hashing {file}, whose size, times or inode are not those of its receipt")
        if found := receipts.describes(known, file):
            return f"{file} has {found}, but its receipt says {known.content}"
        _quietly(lambda: receipts.refresh(receipt, stat(file)), receipt)
    if variant.contradicted and not (plan.compares_params and plan.noted(receipt)):
        return f"its receipt says {known.content}, which is not what is pinned or recorded"
    return None


def _file(variant: Variant) -> Path | None:
    """Give the file of this machine that a checkpoint is, or is a link to; None without one."""
    place = variant.place
    if remote.are_here(place):
        return place if place.exists() else None
    return Path(variant.existing_file[0]) if variant.existing_file else None


def _conversion(
    wish: Asked, report: Mapping[str, Any], known: receipts.Receipt | None
) -> str | None:
    """Say in what a folder is not what config.yaml asks for, or of another checkpoint."""
    if differing := _differing(report.get("asked", {}), wish.convert):
        return f"converted with {differing}"
    was = report.get("checkpoint", {}).get("sha256")
    if known and was != known.content.sha256:
        return f"converted from a checkpoint of SHA-256 {was}, not {known.content.sha256}"
    return None


def _differing(found: Mapping[str, Any], wish: Mapping[str, Any]) -> str:
    """Name what differs, with what it was and what it is to be; empty if nothing does."""
    return listing(
        f"{key} {json.dumps(found.get(key))}, not {json.dumps(value)}"
        for key, value in wish.items()
        if found.get(key) != value
    )


def _folder(model: Path, path: Path, report: Mapping[str, Any], plan: Plan) -> str | None:
    """Say which of a folder's files are not those that were verified."""
    noted, since = report.get("files", {}), path.stat().st_mtime
    fresh: dict[str, Stat] = {}
    for name in folder.CONVERTED:
        file = model / name
        if not file.exists() or file.stat().st_mtime > since:  # which Snakemake sees
            return None
        if noted.get(name) != stat(file)._asdict():
            plan.say(
                f"hashing {file}, which is not the one that was verified by its times or inode"
            )
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
    if remote.are_here(path) and os.access(path.parent, os.W_OK):
        note()


# -- by which Snakemake does it again --------------------------------------------------------------


def mark(results: Path, why: Mapping[Key, str]) -> dict[Key, list[str]]:
    """Write a mark for each step that is to be done again; give those of all that ever were.

    As an input that is younger than what the step made it has Snakemake do that again, whatever it
    has noted. So it stays, or the step would have another set of inputs.
    """
    for (step, variant), said in why.items():
        path = results / MARK.format(step=step, variant=variant)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another content each time, since Snakemake takes a younger file for the same by that.
        path.write_text(f"{said}\n{time.time_ns()}\n", encoding="utf-8")
    place = results / "again"
    marks = place.glob("*/*.txt") if place.exists() else ()
    return {(path.parent.name, path.stem): remote.names([path], results) for path in marks}
