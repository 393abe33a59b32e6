"""Prove that a converted folder computes what the authors' network computes on its checkpoint."""

import argparse
import json
from pathlib import Path
from typing import Any

from videomae import labels, magic, provenance
from videomae.command import (
    add_device,
    add_dtype,
    add_given,
    add_reports,
    add_weights,
    run,
)
from videomae.errors import about, one_line, printable
from videomae.files import sha256
from videomae.recorded import Recorded
from videomae.verification import Verification


def main() -> None:
    """Read the command line, verify, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the .pth file")
    parser.add_argument("folder", type=Path, help="the transformers folder made from it")
    add_given(parser)
    add_weights(parser)
    add_dtype(parser, read=True)
    add_device(parser)
    add_reports(parser)
    provenance.add_provenance(parser)
    labels.add_option(parser, without="they are not compared")
    parser.add_argument(
        "--recorded",
        type=_recorded,
        metavar="TRUTH.npz",
        help="what your training code's own network gives, as docs/verification-truth.md writes "
        "it; or recorded outputs as in config.yaml (JSON)",
    )
    parser.add_argument(
        "--recorded-files",
        nargs="*",
        default=[],
        metavar="KIND=PATH",
        help="where the clip and the mask are that the recorded outputs name",
    )
    parser.add_argument(
        "--recorded-outputs",
        choices=("require", "warn", "skip"),
        default="require",
        help="what a difference from the recorded outputs means (default: %(default)s)",
    )
    arguments = parser.parse_args()
    recorded = arguments.recorded
    files: dict[str, str] = {}
    if isinstance(recorded, dict):
        files = dict(pair.split("=", 1) for pair in arguments.recorded_files)
        recorded = Recorded.parse({**recorded, **files})
    elif recorded and arguments.recorded_outputs != "skip":
        files = {"truth": str(recorded)}
    listed = None if arguments.labels == labels.NONE else arguments.labels
    with about(arguments.checkpoint):
        path = magic.located(arguments.checkpoint)
        print(one_line(f"hashing {path} and {arguments.folder}"))
        read = provenance.watch(path, arguments.sha256, arguments.receipt)
        held = provenance.watch_folder(arguments.folder)
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
            arguments.weights,
            compare_labels=arguments.labels is not None,
        )
        report = verification.run(lambda said: print(printable(str(said))))
        provenance.refuse_changed(read, verification.checkpoint.entries)
        report.checks.append(provenance.unchanged(held, report.facts["sha256"]))
        print(report.checks[-1])
    report.facts["checkpoint"] = provenance.describe(read, path)
    report.facts["files"] = {file.name: stat._asdict() for file, (stat, _) in held.found.items()}
    report.facts["asked"] = {
        **provenance.conversion(
            dict(arguments.config),
            verification.dtype,
            arguments.weights,
            sha256(listed) if listed else None,
        ),
        **provenance.recorded(arguments.recorded, arguments.recorded_outputs),
        **{kind: sha256(Path(file)) for kind, file in files.items()},
    }
    mend = "if it was edited since, remove it and convert again"
    failing = f"{arguments.folder} failed verification ({mend})"
    report.deliver(arguments.report, arguments.passed, failing)
    print(f"{arguments.folder}: {report.status}; {report.said()}")


def _recorded(text: str) -> dict[str, Any] | Path | None:
    """Give recorded outputs, of which ``null`` says that there are none, or the path of a file."""
    try:
        parsed = json.loads(text)
    except ValueError:
        if text.lstrip().startswith(("{", "[")):
            raise argparse.ArgumentTypeError(f"{text!r} is no JSON") from None
        return Path(text)
    if parsed is None or isinstance(parsed, dict):
        return parsed or None
    raise argparse.ArgumentTypeError(f"{text!r} is neither an .npz file nor a mapping in JSON")


if __name__ == "__main__":
    run(main)
