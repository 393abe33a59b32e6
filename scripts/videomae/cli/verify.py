"""Check that a converted folder's outputs match the authors' network on the original checkpoint.

Give the same --config and --weights as for `videomae convert`.

Example:
  videomae verify best.pth out/ --config num_attention_heads=12 --report report.json
  videomae verify best.pth out/ --recorded truth.npz
"""

import argparse
import json
from pathlib import Path
from typing import Any

from videomae.checkpoint import formats
from videomae.cli.options import add_comparison, add_device, selection
from videomae.convert import provenance
from videomae.errors import about, listing, one_line, printable
from videomae.file_state import Watched
from videomae.model import labels
from videomae.verify.proof import Verification
from videomae.verify.recorded_outputs import Recorded
from videomae.verify.report import Check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_comparison(parser)
    add_device(parser)
    provenance.add_provenance(parser)
    parser.add_argument(
        "--recorded",
        type=_recorded,
        metavar="TRUTH.npz",
        help="outputs of your training code's own network (docs/verification.md), or recorded "
        "outputs as in config.yaml (JSON)",
    )
    parser.add_argument(
        "--recorded-files",
        nargs="*",
        default=[],
        metavar="KIND=PATH",
        help="the files of the recorded outputs: clip=PATH and mask=PATH",
    )
    parser.add_argument(
        "--recorded-outputs",
        choices=("require", "warn", "skip"),
        default="require",
        help="what to do with recorded outputs: require fails if they differ, warn only reports "
        "it (an .npz file still fails), skip does not compare them (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Read the command line, verify, write the report."""
    recorded = arguments.recorded
    files: dict[str, str] = {}
    if isinstance(recorded, dict):
        files = dict(pair.split("=", 1) for pair in arguments.recorded_files)
        recorded = Recorded.parse({**recorded, **files})
    elif recorded and arguments.recorded_outputs != "skip":
        files = {"truth": str(recorded)}
    if isinstance(recorded, Recorded) and arguments.recorded_outputs != "skip":
        files = recorded.files
    listed, chosen = labels.chosen(arguments.labels), selection(arguments)
    with about(arguments.checkpoint):
        path = formats.located(arguments.checkpoint)
        print(one_line(f"hashing {path} and {arguments.folder}"))
        read = provenance.watch(path, arguments.sha256, arguments.receipt)
        held = provenance.watch_folder(arguments.folder)
        beside = provenance.watch_beside(*([listed] if listed else []), *map(Path, files.values()))
        print(one_line(f"reading {path}"))
        verification = Verification(
            arguments.variant or arguments.folder.resolve().name,
            path,
            arguments.folder,
            dict(arguments.config),
            listed,
            recorded,
            arguments.recorded_outputs,
            arguments.dtype,
            arguments.device,
            chosen,
            compare_labels=arguments.labels is not None,
        )
        report = verification.run(lambda said: print(printable(str(said))))
        provenance.refuse_changed(read, verification.checkpoint.entries)
        provenance.refuse_changed(beside)
        report.checks.append(_unchanged(held))
        print(report.checks[-1])
    report.facts["checkpoint"] = provenance.describe(read, path)
    report.facts["sha256"] = {file.name: sha256 for file, (_, sha256) in held.found.items()}
    report.facts["files"] = {file.name: stat._asdict() for file, (stat, _) in held.found.items()}
    report.facts["asked"] = {
        **provenance.conversion(
            dict(arguments.config),
            verification.dtype,
            chosen,
            beside.sha256(listed) if listed else None,
        ),
        **provenance.recorded(arguments.recorded, arguments.recorded_outputs),
        **{
            kind: beside.sha256(Path(file))
            for kind, file in files.items()
            if Path(file) in beside.found
        },
    }
    mend = "if you edited it, remove it and convert again"
    failing = f"{arguments.folder} failed verification ({mend})"
    report.deliver(arguments.report, arguments.passed, failing)
    print(f"{arguments.folder}: {report.status}; {report.said()}")


def _unchanged(watched: Watched) -> Check:
    """Return the check that the folder is what it was when it was hashed.

    The checks read it several times, also by transformers.
    """
    changed = watched.changed()
    message = f"{listing(changed)} changed during verification; run again once nothing writes to it"
    return Check("files unchanged", not changed, message=message if changed else "")


def _recorded(text: str) -> dict[str, Any] | Path | None:
    """Return recorded outputs or the path of an .npz file; None for ``null``."""
    try:
        parsed = json.loads(text)
    except ValueError:
        if text.lstrip().startswith(("{", "[")):
            raise argparse.ArgumentTypeError(f"{text!r} is not valid JSON") from None
        return Path(text)
    if parsed is None or isinstance(parsed, dict):
        return parsed or None
    raise argparse.ArgumentTypeError(f"{text!r} is neither an .npz file nor a JSON object")
