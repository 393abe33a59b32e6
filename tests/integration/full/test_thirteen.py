"""The rehearsal's thirteen full-size folders, each loaded in a fresh process that knows only them.

`make test-full` runs the rehearsal first. The process has transformers and torch but none of this
project's code, and the figures are the authors' code's own.
"""

import json
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT

CONFIG = yaml.safe_load((ROOT / "rehearsal/config.yaml").read_text())
MODELS = ROOT / "rehearsal/results/models"
TOLERANCE = 1e-4

PROGRAM = """
import json, sys
import numpy as np, torch, transformers

folder = sys.argv[1]
config = transformers.AutoConfig.from_pretrained(folder)
loader = getattr(transformers, config.architectures[0])
model = loader.from_pretrained(folder).eval()
t, y, x, c = np.ogrid[:16, :224, :224, :3]
clip = ((3 * x + 5 * y + 7 * t * (c + 1) + (x * y) // 16) % 256).astype(np.uint8)
processor = transformers.AutoImageProcessor.from_pretrained(folder)
half = [0.5, 0.5, 0.5]
inputs = processor(list(clip), return_tensors="pt", image_mean=half, image_std=half)
if loader is transformers.VideoMAEForPreTraining:
    frame = np.zeros(196, dtype=bool)
    frame[np.random.default_rng(1).permutation(196)[: int(0.9 * 196)]] = True
    inputs["bool_masked_pos"] = torch.from_numpy(np.tile(frame, 8)).unsqueeze(0)
with torch.no_grad():
    output = model(**inputs)
    first = output.logits[0, :8] if "bool_masked_pos" not in inputs else output.logits[0, :3, :8]
print(json.dumps({"shape": list(output.logits.shape), "logits": first.tolist(),
                  "loss": output.loss.item() if output.loss is not None else None}))
"""


@pytest.mark.full
@pytest.mark.parametrize("variant", CONFIG["models"])
def test_folder_gives_the_authors_outputs(variant: str) -> None:
    expected = CONFIG["variants"][variant]["recorded"]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(MODELS / variant)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert found["shape"] == expected["shape"]
    flat, wanted = _flat(found["logits"]), _flat(expected["logits"])
    assert max(abs(a - b) for a, b in zip(flat, wanted, strict=True)) < TOLERANCE
    if "loss" in expected:
        assert found["loss"] == pytest.approx(expected["loss"]["norm_pix"], abs=TOLERANCE)


def _flat(values: list[float] | list[list[float]]) -> list[float]:
    return [x for v in values for x in (v if isinstance(v, list) else [v])]
