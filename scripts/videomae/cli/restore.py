"""Convert a transformers folder back to a checkpoint of the authors' code.

Example:
  videomae restore out/ restored.pth
"""

import argparse
from pathlib import Path

from videomae.atomic_replace import refuse_existing
from videomae.cli.options import add_overwrite
from videomae.convert import checkpoint_writer, folder_reader, model_folder
from videomae.errors import about, printable
from videomae.model.architecture import LAYER_NORM_EPS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", type=Path, help="the transformers folder")
    parser.add_argument("checkpoint", type=Path, help="the .pth file to write")
    add_overwrite(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and restore."""
    if not arguments.checkpoint.is_dir():  # a folder gets another message
        refuse_existing(arguments.checkpoint, arguments.overwrite)
    with about(arguments.folder):
        restore(arguments.folder, arguments.checkpoint)


def restore(source: Path, destination: Path) -> None:
    """Restore one folder; if it can't, raises `ConversionError` and writes nothing."""
    config = folder_reader.read_config(source)
    architecture = folder_reader.read_architecture(config)
    print(printable("\n".join(architecture.describe())))
    tensors, left_behind = folder_reader.without_key_biases(folder_reader.read_weights(source))
    if left_behind:
        print(printable(left_behind))
    note = checkpoint_writer.write(
        destination, tensors, architecture, config.get(model_folder.SYNTHETIC)
    )
    print(
        f"{destination}: read back, its {len(tensors)} tensors equal those of {source} bit by bit"
    )
    if config["layer_norm_eps"] != LAYER_NORM_EPS:
        print(f"layer_norm_eps is {config['layer_norm_eps']}, but the authors' is {LAYER_NORM_EPS}")
    if note:
        print(note)
