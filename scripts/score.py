"""Score a transformers folder on labelled videos, as the authors test."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scoring import lists, results
from scoring.kept import Kept, Record
from scoring.lists import Entry
from scoring.models import Model
from scoring.protocols import PROTOCOLS, Protocol, custom, refuse_untestable
from scoring.working import Progress, work
from videomae.command import add_device, run
from videomae.errors import ConversionError, listing
from videomae.files import appearing, sha256

NETWORK_SETTINGS = ("frames", "short_side")  # without them those of the folder are taken
SETTINGS = ("clips", "crops", "rate", *NETWORK_SETTINGS)


def main() -> None:
    """Read the command line, compute what is missing, merge, report."""
    arguments = _parser().parse_args()
    model = Model(arguments.folder, arguments.device, arguments.batch)
    protocol = _protocol(arguments, model)
    entries = lists.read(arguments.list, len(model.labels))
    _check_files(entries, arguments)
    kept = Kept(
        arguments.output / f".{model.name}.views",
        {"network": model.sha256, "protocol": _pixels_of(protocol)},
    )
    print(f"{model.name} on {len(entries):,} videos, {protocol}")
    part = entries
    if arguments.shard:
        number, of = arguments.shard
        part = entries[number - 1 :: of]
    if not arguments.merge:
        _compute(part, arguments, protocol, model, kept)
    records = _records(part, arguments, kept)
    if arguments.shard:
        _finish_shard(arguments, part, records)
    else:
        _report(arguments, entries, records, protocol, model)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the transformers folder")
    parser.add_argument("list", type=Path, help="a video and its class a line: PATH LABEL")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True, help="how it is tested")
    for name in SETTINGS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, metavar="N", help="in place of the protocol's")
    parser.add_argument(
        "--as-authors", action="store_true", help="merge as their code does, traps included"
    )
    parser.add_argument(
        "--root", type=Path, default=Path(), help="what paths are relative to (default: here)"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="count missing files as unreadable"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("scores"),
        help="where results go (default: %(default)s)",
    )
    parser.add_argument(
        "--shard", type=_shard, metavar="I/N", help="compute the I-th part of N only"
    )
    parser.add_argument("--merge", action="store_true", help="compute nothing, merge what is there")
    parser.add_argument("--done", type=Path, help="what to write when a shard is done")
    parser.add_argument("--published", type=json.loads, help="the accuracy that the authors state")
    parser.add_argument("--batch", type=_positive, metavar="N", help="views at once")
    parser.add_argument(
        "--threads",
        type=_positive,
        default=2,
        metavar="N",
        help="that decode (default: %(default)s)",
    )
    add_device(parser)
    parser.set_defaults(device="auto")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N")
    return int(match[1]), int(match[2])


def _protocol(arguments: argparse.Namespace, model: Model) -> Protocol:
    """Give the protocol with what was given, and what the network takes; refuse what it doesn't."""
    takes = {"frames": model.frames, "short_side": model.side}
    given = {name: getattr(arguments, name) for name in SETTINGS}
    for name in NETWORK_SETTINGS:
        if given[name] not in (None, takes[name]):
            raise ConversionError(
                f"--{name.replace('_', '-')} {given[name]}: {arguments.folder} takes views of "
                f"{model.frames} frames of {model.side} x {model.side} pixels"
            )
    protocol = custom(PROTOCOLS[arguments.protocol], {**given, **takes})
    if arguments.as_authors:
        refuse_untestable(protocol)
    return protocol


def _pixels_of(protocol: Protocol) -> dict[str, Any]:
    """Give what the pixels of views depend on: all but the protocol's name."""
    return {name: value for name, value in vars(protocol).items() if name != "name"}


def _check_files(entries: Sequence[Entry], arguments: argparse.Namespace) -> None:
    """Name all files that are missing, before any work."""
    gone = lists.missing(entries, arguments.root)
    if not gone:
        return
    print("\n".join([f"missing, of {arguments.list}:", *lists.table(gone)]))
    if not arguments.allow_missing:
        raise ConversionError(
            f"{arguments.list}: {len(gone)} of {len(entries)} videos are not there (named above; "
            f"looked for from {arguments.root.absolute()}); bring them, give --root, or count them "
            "as unreadable by --allow-missing"
        )


def _compute(
    part: Sequence[Entry],
    arguments: argparse.Namespace,
    protocol: Protocol,
    model: Model,
    kept: Kept,
) -> None:
    """Compute the logits of the videos that have none yet."""
    there = kept.read(arguments.root, (entry.path for entry in part))
    left = [entry for entry in part if entry.path not in there]
    if there:
        print(f"{len(there):,} of {len(part):,} videos have their logits from before")
    if not left:
        return
    number, of = arguments.shard or (1, 1)
    progress = Progress(model.name, len(there), len(part))
    with kept.adding(f"{number}of{of}") as lines:
        work(left, arguments.root, protocol, model, lines, progress, arguments.threads)


def _records(part: Sequence[Entry], arguments: argparse.Namespace, kept: Kept) -> dict[str, Record]:
    """Give the records of all videos, which all have one now, unless files were changed."""
    records = kept.read(arguments.root, (entry.path for entry in part))
    if changed := [entry.path for entry in part if entry.path not in records]:
        raise ConversionError(
            f"{listing(changed)}: not scored, or changed since; start again without --merge, what "
            "is done is kept"
        )
    return records


def _finish_shard(
    arguments: argparse.Namespace, part: Sequence[Entry], records: dict[str, Record]
) -> None:
    unreadable = sum(record.logits is None for record in records.values())
    print(
        f"{len(part):,} videos, {unreadable:,} of them unreadable; without --shard all are merged"
    )
    if arguments.done:
        with appearing(arguments.done) as new:
            new.write_text(json.dumps({"videos": len(part), "unreadable": unreadable}) + "\n")


def _report(
    arguments: argparse.Namespace,
    entries: Sequence[Entry],
    records: dict[str, Record],
    protocol: Protocol,
    model: Model,
) -> None:
    outcome = results.merge(entries, records, protocol, model.labels, arguments.as_authors)
    facts = {
        "model": model.name,
        "network_sha256": model.sha256,
        "list": arguments.list.name,
        "list_sha256": sha256(arguments.list),
        "videos": len(entries),
        "published": arguments.published,
    }
    files = [arguments.output / f"{model.name}.{kind}" for kind in ("json", "csv")]
    results.save(outcome, facts, *files)
    print(results.table(outcome, arguments.published))
    print(f"\n{' and '.join(map(str, files))}")


if __name__ == "__main__":
    run(main)
