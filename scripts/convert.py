"""Convert one checkpoint by the authors' code into a transformers folder."""

import argparse
from pathlib import Path

from videomae import (
    checkpoint,
    folder,
    folding,
    labels,
    magic,
    provenance,
    renaming,
    safetensors_file,
)
from videomae.architecture import read_architecture
from videomae.command import add_dtype, add_given, add_overwrite, add_weights, run
from videomae.errors import about, one_line, printable
from videomae.replacing import refuse_existing
from videomae.transfers import Progress
from videomae.unchanged import Watched


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the .pth file")
    parser.add_argument("folder", type=Path, help="the folder to write; it appears when complete")
    add_given(parser)
    add_weights(parser)
    add_dtype(parser)
    labels.add_option(parser, without=labels.NONE)
    provenance.add_provenance(parser)
    add_overwrite(parser)
    arguments = parser.parse_args()
    folder.refuse_strangers(arguments.folder)
    refuse_existing(arguments.folder, arguments.overwrite)
    with about(arguments.checkpoint):
        path = magic.located(arguments.checkpoint)
        print(f"reading {one_line(str(path))}")
        watched = provenance.watch(path, arguments.sha256, arguments.receipt, hashing=False)
        convert(
            path,
            arguments.folder,
            dict(arguments.config),
            None if arguments.labels == labels.NONE else arguments.labels,
            arguments.dtype,
            arguments.weights,
            watched,
        )


def convert(
    path: Path,
    destination: Path,
    given: dict[str, int | bool],
    label_list: Path | None,
    dtype: str,
    chosen: str | None,
    watched: Watched,
) -> None:
    """Convert one checkpoint; raises `ConversionError`, and writes nothing, where it can't."""
    opened = checkpoint.open_checkpoint(path, chosen)
    print(*opened.describe(), sep="\n")
    architecture = read_architecture(opened.shapes, opened.args, given)
    print(printable("\n".join(architecture.describe())))
    if architecture.kind == "encoder":
        print("encoder alone: the file has no head and no decoder, so it becomes a VideoMAEModel")
    names = labels.id2label(architecture.num_labels or 0, label_list)
    if label_list is None and names:
        print(f"no labels given: LABEL_0 … LABEL_{len(names) - 1}")
    folded = folding.fold(opened.entries, architecture)
    for note in folded.notes:
        print(printable(note))
    rounded = checkpoint.cast(folded.entries, dtype)
    converted = renaming.convert(rounded, architecture)
    try:
        folder.write_folder(
            destination,
            folder.model_config(architecture, names, opened.synthetic, dtype),
            folder.processor_config(architecture),
            converted,
            Progress(f"writing {destination}"),
            lambda: provenance.refuse_changed(watched, opened.entries),
        )
    except safetensors_file.NotFiniteError:
        for entries in (opened.entries, rounded):  # what it is that isn't finite, by name
            checkpoint.check_finite(entries)
        raise
    print(f"{destination}: {len(converted)} tensors written")


if __name__ == "__main__":
    run(main)
