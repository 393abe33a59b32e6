"""Options that several subcommands share."""

import argparse
import io
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import yaml

from videomae.checkpoint.selection import ENCODER, Selection
from videomae.convert.model_folder import DTYPES
from videomae.model import labels
from videomae.model.architecture import GIVABLE
from videomae.workflow import run_lock

DEVICES = ("cpu", "cuda", "auto")
CHANNELS = 3
WORDS: dict[type, str] = {list: "three numbers, as [0.5, 0.5, 0.5]", float: "a number above 0"}
CHECKPOINT = (
    "the checkpoint: a file, DeepSpeed's folder, or a folder with config.json and model.safetensors"
)


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add ``--log FILE``, which copies the output to a file."""
    parser.add_argument(
        "--log", type=_copy_to, metavar="FILE", help="a file for a copy of the output"
    )


def add_given(parser: argparse.ArgumentParser) -> None:
    """Add ``--config NAME=VALUE …`` for values that the checkpoint does not contain."""
    parser.add_argument(
        "--config",
        nargs="*",
        type=_given,
        default=[],
        metavar="NAME=VALUE",
        help="values that the checkpoint does not contain, such as num_attention_heads=6 or "
        f"'image_mean=[0.5, 0.5, 0.5]'; names: {', '.join(GIVABLE)}",
    )


def add_last_step(parser: argparse.ArgumentParser) -> None:
    """Add ``--last-step``, the step after the verification."""
    parser.add_argument(
        "--last-step",
        choices=("push", "push_plan"),
        help="the step after the verification, if any: %(choices)s (a dry run of a push)",
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a state dict, and what to convert of it: see `selection`."""
    parser.add_argument(
        "--weights",
        metavar="NAME",
        help="the state dict to use, such as model_ema, or the network in it with this prefix "
        "(default: the one of the authors' loader)",
    )
    parser.add_argument(
        "--part",
        choices=(ENCODER,),
        help="encoder: convert the encoder alone, without a decoder, a head or a detector beside "
        "it in the file",
    )
    parser.add_argument(
        "--leave-behind",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="tensors in the file that do not belong to the network, such as 'teacher_head.*'",
    )


def selection(arguments: argparse.Namespace) -> Selection:
    """Return which part of a file a command line asks for."""
    return Selection(arguments.weights, arguments.part, tuple(arguments.leave_behind))


def add_dtype(parser: argparse.ArgumentParser, read: bool = False) -> None:
    """Add ``--dtype``, the precision of the weights; with ``read`` the default is the folder's."""
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default=None if read else DTYPES[0],
        help="precision of the folder's weights: %(choices)s "
        f"(default: {'that of its config.json and weights' if read else '%(default)s'})",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=DEVICES[0],
        help="the device, with full float32: %(choices)s (default: %(default)s)",
    )


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add ``--overwrite``."""
    parser.add_argument("--overwrite", action="store_true", help="replace existing output")


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a comparison of a folder with its checkpoint, and of the report."""
    parser.add_argument("checkpoint", type=Path, help=CHECKPOINT)
    parser.add_argument("folder", type=Path, help="the transformers folder made from it")
    add_given(parser)
    add_selection(parser)
    add_dtype(parser, read=True)
    labels.add_option(parser, without="labels are not compared")
    parser.add_argument("--variant", help="the name in the report (default: the folder's name)")
    parser.add_argument("--report", type=Path, help="the report to write, passed or not (JSON)")
    parser.add_argument(
        "--passed", type=Path, help="a second copy, written only if all checks pass"
    )


class Copied(io.TextIOBase):
    """A stream that writes to another stream and to a log."""

    def __init__(self, stream: IO[str], log: IO[str]) -> None:
        self.streams = (stream, log)

    def write(self, text: str) -> int:
        """Write to both and flush, so that both are complete if this process is killed."""
        for stream in self.streams:
            stream.write(text)
            stream.flush()
        return len(text)


def _copy_to(path: str) -> None:
    # Opened while options are read, so that errors in other options are in the log too.
    log = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 (until this process ends)
    run_lock.hold_log(log)
    sys.stdout, sys.stderr = Copied(sys.stdout, log), Copied(sys.stderr, log)


def _given(text: str) -> tuple[str, Any]:
    """Return a name and its value; floats as float, of which YAML reads 1e-5 as text."""
    name, _, value = text.partition("=")
    kind = GIVABLE.get(name)
    with suppress(ValueError, TypeError, yaml.YAMLError):
        parsed = yaml.safe_load(value)
        if kind is float and not isinstance(parsed, bool) and 0 < float(parsed) < math.inf:
            return name, float(parsed)
        if kind is list and len(parsed) == CHANNELS and bool not in map(type, parsed):
            return name, [float(number) for number in parsed]
        if kind in (int, bool) and type(parsed) is kind:
            return name, parsed
    allowed = ", ".join(
        f"{key} ({WORDS.get(kind, kind.__name__)})" for key, kind in GIVABLE.items()
    )
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with one of {allowed}")
