"""The settings with which the authors fine-tune, one row for each of their scripts.

Source: scripts/*/*/finetune.sh of MCG-NJU/VideoMAE at 14ef8d8, with the defaults of
run_class_finetuning.py. Learning rates are those that reach the optimizer: the option times the
total batch / 256. No script is for HMDB51.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from videomae.model.networks import NETWORKS

SOURCE = "https://github.com/MCG-NJU/VideoMAE/tree/14ef8d8/scripts"
IN_ALL = (
    "AdamW (betas 0.9 and 0.999, weight decay 0.05), 5 epochs of warm-up from 0, then a cosine; "
    "label smoothing 0.1, mixup 0.8, cutmix 1.0, RandAugment (magnitude 7, 4 operations), random "
    "erasing 0.25"
)


class Recipe(NamedTuple):
    """One script: a data set's title, a network's size, epochs of pre-training, and settings.

    ``repeated`` is how often each clip is in a batch, differently augmented.
    """

    data_set: str
    size: str
    pretrained: int
    batch: int
    repeated: int
    rate: str
    layer_decay: float
    epochs: int
    drop_path: float
    head_dropout: float


RECIPES = (
    Recipe("Kinetics-400", "small", 1600, 384, 2, "7.5e-4", 0.75, 150, 0.1, 0),
    Recipe("Kinetics-400", "base", 800, 512, 1, "2e-3", 0.75, 100, 0.1, 0),
    Recipe("Kinetics-400", "base", 1600, 384, 2, "7.5e-4", 0.75, 75, 0.1, 0),
    Recipe("Kinetics-400", "large", 1600, 128, 2, "1e-3", 0.75, 35, 0.1, 0),
    Recipe("Kinetics-400", "huge", 1600, 512, 2, "2e-3", 0.75, 50, 0.2, 0.5),
    Recipe("Something-Something V2", "small", 2400, 384, 2, "1.5e-3", 0.7, 40, 0.1, 0),
    Recipe("Something-Something V2", "base", 800, 512, 1, "1e-3", 0.75, 50, 0.1, 0),
    Recipe("Something-Something V2", "base", 2400, 384, 2, "7.5e-4", 0.75, 30, 0.1, 0),
    Recipe("UCF101", "base", 3200, 128, 2, "2.5e-4", 0.7, 100, 0.2, 0.5),
)


def recipes(config: Mapping[str, Any]) -> list[Recipe]:
    """Return the settings for networks of this size; none for a size that no script is for."""
    sizes = [
        size
        for size, network in NETWORKS.items()
        if network.hidden_size == config["hidden_size"]
        and network.num_hidden_layers == config["num_hidden_layers"]
    ]
    return [recipe for recipe in RECIPES if recipe.size in sizes]
