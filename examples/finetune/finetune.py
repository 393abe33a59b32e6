"""Fine-tune a converted pre-training folder by a plain loop, with layer-wise learning rates.

``finetune.py FOLDER LIST OUTPUT LABEL LABEL …``. LIST has a line ``PATH NUMBER`` for each video;
paths begin at the list. Take it as a start: there is no augmentation, mixup or warm-up here.
"""

import argparse
from pathlib import Path

import av
import numpy as np
import torch
from transformers import AutoImageProcessor, VideoMAEForVideoClassification


def parameter_groups(model, rate, decay=0.75, weight_decay=0.05):
    """Give each layer its learning rate, as the authors do: the nearer to the pixels, the smaller.

    Neither biases nor norms decay.
    """
    depth, groups = model.config.num_hidden_layers, []
    for name, parameter in model.named_parameters():
        layer = depth + 1  # fc_norm and the head
        if name.startswith("videomae.embeddings."):
            layer = 0
        elif name.startswith("videomae.encoder.layer."):
            layer = int(name.split(".")[3]) + 1
        decays = 0.0 if parameter.ndim == 1 else weight_decay
        scaled = rate * decay ** (depth + 1 - layer)
        groups.append({"params": [parameter], "lr": scaled, "weight_decay": decays})
    return groups


def clip(path, number, processor):
    """Read frames that are evenly spread over a video, as (1, frames, channels, height, width)."""
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    chosen = np.linspace(0, len(frames) - 1, number).round().astype(int)
    return processor([frames[n] for n in chosen], return_tensors="pt")["pixel_values"]


def main():
    """Read the command line, train, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("list", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("labels", nargs="+")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    options = parser.parse_args()
    torch.manual_seed(0)
    processor = AutoImageProcessor.from_pretrained(options.folder)
    model = VideoMAEForVideoClassification.from_pretrained(
        options.folder,
        use_mean_pooling=True,  # without it the head reads the first token alone
        id2label=dict(enumerate(options.labels)),
        label2id={label: number for number, label in enumerate(options.labels)},
    )
    lines = [line.rsplit(maxsplit=1) for line in options.list.read_text().splitlines()]
    frames = model.config.num_frames
    pixels = torch.cat([clip(options.list.parent / path, frames, processor) for path, _ in lines])
    classes = torch.tensor([int(number) for _, number in lines])
    optimizer = torch.optim.AdamW(parameter_groups(model, options.rate))
    model.train()
    for epoch in range(options.epochs):
        losses = []
        for batch in torch.randperm(len(classes)).split(options.batch):
            loss = model(pixels[batch], labels=classes[batch]).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}", flush=True)
    model.save_pretrained(options.output)
    processor.save_pretrained(options.output)


if __name__ == "__main__":
    main()
