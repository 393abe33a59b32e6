"""What do the commands have in common?  How they report errors, and the ``--config`` they take."""

import argparse
import io
import sys
from pathlib import Path
from typing import IO

import yaml

from videomae.checkpoint.selection import ENCODER, Selection
from videomae.convert.model_folder import DTYPES
from videomae.model import labels
from videomae.model.architecture import GIVABLE
from videomae.workflow import run_lock

DEVICES = ("cpu", "cuda", "auto")


def add_log(parser: argparse.ArgumentParser) -> None:
    """Let a command copy what it says to a log: ``--log FILE``."""
    parser.add_argument("--log", type=_copy_to, metavar="FILE", help="copy what is said here too")


def add_given(parser: argparse.ArgumentParser) -> None:
    """Let a command take what the checkpoint can't tell: ``--config NAME=VALUE …``."""
    parser.add_argument(
        "--config",
        nargs="*",
        type=_given,
        default=[],
        metavar="NAME=VALUE",
        help="VideoMAEConfig values that the checkpoint can't tell, such as num_attention_heads=6",
    )


def add_last_step(parser: argparse.ArgumentParser) -> None:
    """Let a command take how variants end where that is not with verifying."""
    parser.add_argument(
        "--last-step", choices=("push", "push_plan"), help="what comes after verifying, if anything"
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Let a command choose among several state dicts, and what to take of it: see `selection`."""
    parser.add_argument(
        "--weights",
        metavar="NAME",
        help="which state dict of the file, such as model_ema, or which network in it by its "
        "prefix (default: as the authors' loader)",
    )
    parser.add_argument(
        "--part",
        choices=(ENCODER,),
        help="take the encoder alone, and leave out what stands beside it, such as another "
        "decoder or a detector's head",
    )
    parser.add_argument(
        "--leave-behind",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="names of tensors that are no part of the network, such as 'teacher_head.*'",
    )


def selection(arguments: argparse.Namespace) -> Selection:
    """Give what a command line asks to take of a file."""
    return Selection(arguments.weights, arguments.part, tuple(arguments.leave_behind))


def add_dtype(parser: argparse.ArgumentParser, read: bool = False) -> None:
    """Let a command take the precision of the folder's weights, or ``read`` it from the folder."""
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default=None if read else DTYPES[0],
        help="precision of the folder's weights "
        f"(default: {'as its config.json and its weights say' if read else '%(default)s'})",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Let a command take where it computes."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=DEVICES[0],
        help="where to compute, in full float32 (default: %(default)s)",
    )


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Let a command replace what stands where it writes."""
    parser.add_argument("--overwrite", action="store_true", help="replace what is there already")


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """Let a command compare a folder with its checkpoint, and write a report of that."""
    parser.add_argument("checkpoint", type=Path, help="the .pth file")
    parser.add_argument("folder", type=Path, help="the transformers folder made from it")
    add_given(parser)
    add_selection(parser)
    add_dtype(parser, read=True)
    labels.add_option(parser, without="they are not compared")
    parser.add_argument("--variant", help="the name in the report (default: the folder's)")
    parser.add_argument("--report", type=Path, help="where the report goes, passed or not")
    parser.add_argument("--passed", type=Path, help="where it goes too if everything passed")


class Copied(io.TextIOBase):
    """A stream that is written to another and to a log, line by line."""

    def __init__(self, stream: IO[str], log: IO[str]) -> None:
        self.streams = (stream, log)

    def write(self, text: str) -> int:
        """Write to both at once, so that neither lags behind if this process is killed."""
        for stream in self.streams:
            stream.write(text)
            stream.flush()
        return len(text)


def _copy_to(path: str) -> None:
    # While the options are read, so that what is wrong with the others is in the log too.
    log = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 (until this process ends)
    run_lock.hold_log(log)
    sys.stdout, sys.stderr = Copied(sys.stdout, log), Copied(sys.stderr, log)


def _given(text: str) -> tuple[str, int | bool]:
    name, _, value = text.partition("=")
    parsed = yaml.safe_load(value)
    if not isinstance(parsed, int) or type(parsed) is not GIVABLE.get(name):
        allowed = ", ".join(f"{key} ({kind.__name__})" for key, kind in GIVABLE.items())
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE of {allowed}")
    return name, parsed
