"""Runs a program with torchvision's operators declared: ``with_stubs.py [-m] PROGRAM ARGUMENTS``.

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
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
