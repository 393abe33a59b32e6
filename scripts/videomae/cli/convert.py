"""Convert one checkpoint of the authors' code into a transformers folder.

Example:
  videomae convert best.pth out/ --config num_attention_heads=12
  videomae convert best.pth out/ --labels kinetics400 --dtype float16
"""

import argparse
import json
from pathlib import Path
from typing import Any

from videomae.atomic_replace import refuse_existing
from videomae.checkpoint import formats, reader, safetensors_file
from videomae.checkpoint.selection import Selection
from videomae.cli.options import (
    CHECKPOINT,
    add_dtype,
    add_given,
    add_overwrite,
    add_selection,
    selection,
)
from videomae.convert import folding, model_folder, provenance, weight_mapping
from videomae.errors import about, one_line, printable
from videomae.file_state import Watched
from videomae.files import appearing, sha256
from videomae.model import labels
from videomae.network.progress import Progress
from videomae.recognition.recognize import read_architecture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("checkpoint", type=Path, help=CHECKPOINT)
    parser.add_argument("folder", type=Path, help="the folder to write; it appears when complete")
    add_given(parser)
    add_selection(parser)
    add_dtype(parser)
    labels.add_option(parser, without=labels.NONE)
    provenance.add_provenance(parser)
    parser.add_argument(
        "--record", type=Path, help="a file to write: the checkpoint and the options used (JSON)"
    )
    add_overwrite(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and convert."""
    model_folder.refuse_strangers(arguments.folder)
    refuse_existing(arguments.folder, arguments.overwrite)
    with about(arguments.checkpoint):
        path = formats.located(arguments.checkpoint)
        print(f"reading {one_line(str(path))}")
        watched = provenance.watch(path, arguments.sha256, arguments.receipt, hashing=False)
        given, dtype = dict(arguments.config), arguments.dtype
        chosen = selection(arguments)
        listed = labels.chosen(arguments.labels)
        # Hashed before the list is read, so that a change in between is noticed later.
        hashed = sha256(listed) if listed else None
        asked = provenance.conversion(given, dtype, chosen, hashed)
        convert(path, arguments.folder, given, listed, dtype, chosen, watched)
        if arguments.record:
            made = {"checkpoint": provenance.describe(watched, path), "asked": asked}
            with appearing(arguments.record) as new:
                new.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


def convert(
    path: Path,
    destination: Path,
    given: dict[str, Any],
    label_list: Path | None,
    dtype: str,
    chosen: Selection,
    watched: Watched,
) -> None:
    """Convert one checkpoint; if it can't, raises `ConversionError` and writes nothing."""
    opened = reader.open_checkpoint(path, chosen)
    print(*opened.describe(), sep="\n")
    architecture = read_architecture(opened.shapes, opened.args, given)
    print(printable("\n".join(architecture.describe())))
    if architecture.kind == "encoder":
        print("encoder alone: no head and no decoder, so the model is a VideoMAEModel")
    names = labels.id2label(architecture.num_labels or 0, label_list)
    if label_list is None and names:
        print(f"no labels given: LABEL_0 … LABEL_{len(names) - 1}")
    folded = folding.fold(opened.entries, architecture)
    for note in folded.notes:
        print(printable(note))
    rounded = reader.cast(folded.entries, dtype)
    converted = weight_mapping.convert(rounded, architecture)
    try:
        model_folder.write_folder(
            destination,
            model_folder.model_config(architecture, names, opened.synthetic, dtype),
            model_folder.processor_config(architecture),
            converted,
            Progress(f"writing {destination}"),
            lambda: provenance.refuse_changed(watched, opened.entries),
        )
    except safetensors_file.NotFiniteError:
        for entries in (opened.entries, rounded):  # to name the tensors
            reader.check_finite(entries)
        raise
    print(f"{destination}: {len(converted)} tensors written")
