#!/usr/bin/env bash
# From a pre-training checkpoint to a fine-tuned folder, its accuracy, and back to a .pth: `run.sh FOLDER`.
# With a checkpoint of your own, begin with `videomae convert`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1"

python "$here/make_videos.py" videos
videomae fetch synthetic:tiny-pretraining pretrained.pth
videomae convert pretrained.pth pretrained \
    --config num_attention_heads=3 decoder_num_attention_heads=3

python "$here/finetune.py" pretrained videos/train.csv tuned vertical horizontal
videomae score tuned videos/test.csv --root videos --protocol ucf101 --clips 1 --crops 1 --output scores

videomae restore tuned restored.pth
videomae load restored.pth tuned --config num_attention_heads=3  # outputs of the folder as it was saved
videomae convert restored.pth again --config num_attention_heads=3
videomae verify restored.pth again --config num_attention_heads=3
