"""Measure the accuracy of a transformers folder on labelled videos, as the authors test.

Example:
  videomae score out/ val.csv --protocol kinetics400
  videomae score out/ val.csv --protocol kinetics400 --root videos/ --shard 2/8
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from videomae.cli.options import add_device
from videomae.errors import ConversionError, one_line, printable
from videomae.files import appearing, sha256
from videomae.score import compare, examples, results, video_list
from videomae.score.compute import Work
from videomae.score.logit_store import Record
from videomae.score.model import Model
from videomae.score.preprocessing import Authors, Transformers
from videomae.score.protocols import PROTOCOLS, Protocol, custom, refuse_untestable
from videomae.score.video_list import Entry

NETWORK_SETTINGS = ("frames", "short_side")  # without them those of the folder are taken
SETTINGS = ("clips", "crops", "rate", *NETWORK_SETTINGS)
HELP = {
    "clips": "clips of a video (default: the protocol's)",
    "crops": "crops of a clip (default: the protocol's)",
    "rate": "distance between a clip's frames (default: the protocol's)",
    "frames": "frames of a clip (default: the folder's)",
    "short_side": "shorter side of a frame in pixels (default: the folder's)",
}


def run(arguments: argparse.Namespace) -> None:
    """Compute what is missing, merge, report."""
    _refuse_combinations(arguments)
    model = Model(arguments.folder, arguments.device, arguments.batch)
    protocol = _protocol(arguments, model)
    entries = video_list.read(arguments.list, len(model.labels))
    _check_files(entries, arguments)
    print(one_line(f"{model.name} on {len(entries):,} videos, {protocol}"))
    if arguments.shard:
        number, of = arguments.shard
        entries = entries[number - 1 :: of]
    work = Work(arguments.root, arguments.output, arguments.threads, arguments.shard or (1, 1))
    way = Authors(protocol)
    if not arguments.merge:
        work.compute(entries, model, way)
    records = work.records(entries, model, way)
    if arguments.shard:
        _finish_shard(arguments, records)
        return
    _report(arguments, entries, records, protocol, model)
    if arguments.compare:
        _compare(arguments, entries, protocol, work, model)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", type=Path, help="the transformers folder")
    parser.add_argument("list", type=Path, help="the list of videos: PATH LABEL on each line")
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, required=True, help="the test protocol: %(choices)s"
    )
    for name in SETTINGS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, metavar="N", help=HELP[name])
    parser.add_argument(
        "--as-authors", action="store_true", help="merge views as their code does, with its faults"
    )
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the folder of relative paths (default: this one)"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="count missing files as unreadable videos"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("scores"),
        help="the folder for results (default: %(default)s)",
    )
    parser.add_argument(
        "--compare", action="store_true", help="also score with transformers' usual preprocessing"
    )
    parser.add_argument("--other", type=Path, help="with --compare: a second transformers folder")
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="compute only part I of N")
    parser.add_argument("--merge", action="store_true", help="only merge logits computed before")
    parser.add_argument("--done", type=Path, help="a file to write when the shard is done (JSON)")
    parser.add_argument("--published", type=json.loads, help="the authors' own accuracy (JSON)")
    parser.add_argument("--batch", type=_positive, metavar="N", help="views in one batch")
    parser.add_argument(
        "--threads",
        type=_positive,
        default=2,
        metavar="N",
        help="threads that decode videos (default: %(default)s)",
    )
    add_device(parser)
    parser.set_defaults(device="auto", usage_error=parser.error)


def _refuse_combinations(arguments: argparse.Namespace) -> None:
    """End with exit code 2 for options that can't be combined."""
    if arguments.other and not arguments.compare:
        arguments.usage_error("--other is a second folder for --compare")
    if arguments.shard and (arguments.compare or arguments.merge):
        arguments.usage_error(
            "--shard computes a part, but --merge and --compare need the whole list"
        )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N")
    return int(match[1]), int(match[2])


def _protocol(arguments: argparse.Namespace, model: Model) -> Protocol:
    """Return the protocol with the given settings; raises `ConversionError` for impossible ones."""
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


def _check_files(entries: Sequence[Entry], arguments: argparse.Namespace) -> None:
    """Raise `ConversionError` with all missing files, before any work."""
    gone = video_list.missing(entries, arguments.root)
    if not gone:
        return
    print(printable("\n".join([f"missing from {arguments.list}:", *video_list.table(gone)])))
    if not arguments.allow_missing:
        raise ConversionError(
            f"{arguments.list}: {len(gone)} of {len(entries)} videos are missing (listed above; "
            f"looked in {arguments.root.absolute()}); add them, give --root, or count them as "
            "unreadable with --allow-missing"
        )


def _finish_shard(arguments: argparse.Namespace, records: dict[str, Record]) -> None:
    unreadable = sum(record.logits is None for record in records.values())
    print(f"{len(records):,} videos, {unreadable:,} unreadable; without --shard all are merged")
    if arguments.done:
        with appearing(arguments.done) as new:
            new.write_text(json.dumps({"videos": len(records), "unreadable": unreadable}) + "\n")


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
        "sha256": model.files_sha256,
        "list": arguments.list.name,
        "list_sha256": sha256(arguments.list),
        "videos": len(entries),
        "published": arguments.published,
    }
    files = [arguments.output / f"{model.name}.{kind}" for kind in ("json", "csv")]
    results.save(outcome, facts, *files)
    shown = list(examples.content(outcome, examples.choose(outcome), arguments.root))
    with appearing(arguments.output / f"examples/{model.name}.json") as new:
        new.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    print(printable(results.table(outcome, arguments.published)))
    print(f"\n{one_line(' and '.join(map(str, files)))}")


def _compare(
    arguments: argparse.Namespace,
    entries: Sequence[Entry],
    protocol: Protocol,
    work: Work,
    model: Model,
) -> None:
    """Print the effect of each difference between the authors' preprocessing and transformers'."""
    models = [model]
    if arguments.other:
        models.append(Model(arguments.other, arguments.device, arguments.batch))
        if _protocol(arguments, models[1]) != protocol:
            raise ConversionError(f"{arguments.other} needs other views than {arguments.folder}")
        if len(models[1].labels) != len(model.labels):
            raise ConversionError(
                f"{arguments.other} has {len(models[1].labels)} classes, {arguments.folder} "
                f"{len(model.labels)}; one list can't score both"
            )
    compared = {}
    for each in models:
        ways = (Authors(protocol), Transformers(protocol, each.path))
        for way in ways:
            work.compute(entries, each, way)
        records = [work.records(entries, each, way) for way in ways]
        name = each.name if each.name not in compared else str(each.path)
        compared[name] = compare.compare(entries, protocol, *records)
    path = arguments.output / f"{model.name}.compared.json"
    with appearing(path) as new:
        found = {name: compare.content(steps) for name, steps in compared.items()}
        new.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    print(f"\nwhat each choice changes:\n\n{compare.table(compared)}\n\n{one_line(str(path))}")
