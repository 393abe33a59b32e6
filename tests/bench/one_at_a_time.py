"""Convert checkpoints one at a time, as scripts do it that one finds: what the workflow is held to.

``python -m tests.bench.one_at_a_time FOLDER CONFIG CHECKPOINT …``. Each checkpoint becomes a model
built by transformers, runs on the whole clip once, is compared with the outputs recorded in the
config and saved. Nothing is proven of the folder, and nothing goes on beside anything else.
"""

import sys
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from videomae.convert import model_folder, weight_mapping
from videomae.recognition.recognize import read_architecture
from videomae.verify import clips


@torch.no_grad()
def convert(path: Path, made: Path, recorded: dict[str, Any] | None) -> None:
    """Convert one checkpoint; ``recorded`` has the outputs and the conditions they came under."""
    contents = torch.load(path, map_location="cpu", weights_only=False)
    state = contents.get("model") or contents["module"]
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    network = read_architecture(shapes, vars(contents.get("args", object)), {})
    names = {number: f"LABEL_{number}" for number in range(network.num_labels or 0)}
    config = transformers.VideoMAEConfig(**model_folder.model_config(network, names, None))
    model = getattr(transformers, model_folder.CLASSES[network.kind])(config).eval()
    held = model.state_dict()
    renamed = weight_mapping.convert(state, network)
    model.load_state_dict({name: tensor for name, tensor in renamed.items() if name in held})
    processor = transformers.VideoMAEImageProcessor(**model_folder.processor_config(network))
    if recorded:
        compare(model, processor, recorded, path.stem)
    processor.save_pretrained(made)
    model.save_pretrained(made)


def compare(model: Any, processor: Any, recorded: dict[str, Any], name: str) -> None:
    """Run the whole clip and compare the outputs with the recorded ones."""
    clip = clips.synthetic_clip(model.config.num_frames, model.config.image_size)
    normalisation = {"image_mean": recorded["image_mean"], "image_std": recorded["image_std"]}
    pixels = processor(list(clip), return_tensors="pt", **normalisation)["pixel_values"]
    mask = {}
    if model.config.architectures == ["VideoMAEForPreTraining"]:
        mask = {"bool_masked_pos": clips.tube_mask(model.config.to_dict(), 0.9)}
    output = model(pixels, **mask)
    expected = torch.tensor(recorded["logits"])
    found = output.logits[0][tuple(slice(size) for size in expected.shape)]
    print(name, f"{(found - expected).abs().max().item():.1e}", flush=True)
    assert torch.allclose(found, expected, atol=1e-4), name


def main() -> None:
    """Convert all checkpoints of the command line."""
    destination, config, *paths = map(Path, sys.argv[1:])
    read = yaml.safe_load(config.read_text())
    for path in paths:
        recorded = read["variants"][path.stem].get("recorded")
        under = read["recorded_under"][recorded["under"]] if recorded else {}
        convert(path, destination / path.stem, {**under, **recorded} if recorded else None)


if __name__ == "__main__":
    main()
