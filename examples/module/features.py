"""Compute the features that a VideoMAE folder gives of a clip."""

import sys

import numpy as np
import torch
from transformers import VideoMAEImageProcessor, VideoMAEModel

folder, output = sys.argv[1:]
model = VideoMAEModel.from_pretrained(folder)
frames = np.random.default_rng(0).integers(256, size=(model.config.num_frames, 64, 64, 3))
clip = VideoMAEImageProcessor.from_pretrained(folder)(
    list(frames.astype("uint8")), return_tensors="pt"
)
with torch.inference_mode():
    np.save(output, model(**clip).last_hidden_state.mean(dim=1))
