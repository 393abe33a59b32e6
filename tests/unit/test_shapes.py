"""Networks of every shape: any size, patch, tubelet, depth and class count is converted, proven."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from videomae.model.architecture import Architecture, Kind, tensor_shapes

from tests.conftest import command

PLAIN = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "patch_size": 16,
    "tubelet_size": 2,
    "num_channels": 3,
    "num_frames": 4,
    "image_size": 32,
    "qv_bias": True,
}
DECODER = {
    "decoder_hidden_size": 16,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 48,
    "norm_pix_loss": True,
    "use_mean_pooling": False,
}
# What no tensor tells.
UNTOLD = ("num_attention_heads", "decoder_num_attention_heads", "num_frames", "image_size")


def saved(path: Path, kind: Kind, config: dict[str, Any], labels: int | None) -> list[str]:
    """Save random weights of such a network; give the options that its file needs."""
    generator = np.random.default_rng(0)
    architecture = Architecture(kind, config, {}, labels)
    tensors = {
        name: torch.from_numpy(0.1 * generator.standard_normal(shape, dtype=np.float32))
        for name, shape in tensor_shapes(architecture).items()
    }
    torch.save({"model": tensors}, path)
    return ["--config", *(f"{name}={config[name]}" for name in UNTOLD if name in config)]


def converts_and_verifies(path: Path, given: list[str]) -> None:
    folder = path.with_suffix("")
    for step in ("convert", "verify"):
        outcome = command(step, path, folder, *given)
        assert outcome.code == 0, outcome.output


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"num_frames": 8}, 2),
        ({"num_frames": 32}, 1),
        ({"image_size": 48}, 1001),
        ({"patch_size": 14, "image_size": 28}, 3),
        ({"patch_size": 8}, 3),
        ({"tubelet_size": 1}, 3),
        ({"tubelet_size": 4}, 3),
        ({"num_hidden_layers": 1, "intermediate_size": 40, "num_attention_heads": 1}, 3),
        ({"num_hidden_layers": 11}, 3),
        ({"qv_bias": False}, 3),
        ({"use_mean_pooling": False}, 3),
        # As the giant's, whose layers are not four times as wide inside.
        ({"hidden_size": 44, "intermediate_size": 192, "patch_size": 14, "image_size": 28}, 3),
    ],
)
def test_classifier_of_any_shape(changes: dict[str, Any], labels: int, tmp_path: Path) -> None:
    config = {**PLAIN, "use_mean_pooling": True, **changes}
    path = tmp_path / "it.pth"
    given = saved(path, "classifier", config, labels)
    # Without it, a head that follows norm may be an action detector's.
    pooling = [] if config["use_mean_pooling"] else ["use_mean_pooling=false"]
    converts_and_verifies(path, [*given, *pooling])


@pytest.mark.parametrize(
    "changes",
    [
        {"num_frames": 8},
        {"decoder_num_hidden_layers": 3},
        {"decoder_hidden_size": 24, "decoder_num_attention_heads": 3},
        {"patch_size": 8, "tubelet_size": 1},
        {"qv_bias": False},
    ],
)
def test_pretraining_of_any_shape(changes: dict[str, Any], tmp_path: Path) -> None:
    config = {**PLAIN, "image_size": 64, **DECODER, **changes}
    path = tmp_path / "it.pth"
    converts_and_verifies(path, saved(path, "pretraining", config, None))
