"""Runs a program with torchvision's operators declared: ``with_stubs.py PROGRAM ARGUMENTS``.

The operators of a build for CUDA don't load beside a torch without it, and importing torchvision
then fails, as it describes two of them further. Resizing needs neither.
"""

import runpy
import sys

import torch

for name in ("nms", "qnms"):
    torch.library.define(
        f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    )

if __name__ == "__main__":
    del sys.argv[0]
    sys.path[0] = "scripts"
    runpy.run_path(sys.argv[0], run_name="__main__")
