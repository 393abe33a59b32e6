"""What does scoring a video take, a view, beside transformers' pipeline in a plain loop?"""

import shutil
import sys
from pathlib import Path

import transformers

from tests import filmed
from tests.bench.measuring import clock
from tests.conftest import CLI, process

VIDEOS = {"cpu": 2, "cuda": 24}  # on an accelerator two are lost in what the start varies by
PLAIN = 3  # views that the loop makes of each; more would take as long each
VIEWS = 15

# The width and depth of the authors' small model, with weights at random.
SMALL = {
    **{"hidden_size": 384, "num_attention_heads": 6, "num_hidden_layers": 12},
    **{"intermediate_size": 1536, "num_labels": 400},
}


class Scoring:
    """Videos of so many frames, in the size of Kinetics', and a model on a device."""

    def __init__(self, folder: Path, frames: int, device: str) -> None:
        self.folder, self.model, self.device = folder, folder / "model", device
        self.rate = min(4, frames // 16)  # of a shorter video the pipeline takes too few, and fails
        self.videos = [folder / f"{number}.mp4" for number in range(VIDEOS[device])]
        for number, path in enumerate(self.videos):
            filmed.film(path, 340, 256, frames, "libx264", "yuv420p", first=number)
        lines = [f"{path.name} {number}" for number, path in enumerate(self.videos)]
        (folder / "list.csv").write_text("\n".join(lines))
        config = transformers.VideoMAEConfig(**SMALL)
        transformers.VideoMAEForVideoClassification(config).save_pretrained(self.model)
        transformers.VideoMAEImageProcessor().save_pretrained(self.model)

    def plain(self) -> float:
        """Give the seconds a view takes as a call of the pipeline, once that is loaded."""
        classify = transformers.pipeline(
            "video-classification", model=str(self.model), device=self.device
        )
        classify(str(self.videos[0]), frame_sampling_rate=self.rate)

        def loop() -> None:
            for path in self.videos:
                for _ in range(PLAIN):
                    classify(str(path), frame_sampling_rate=self.rate)

        return clock(loop) / (len(self.videos) * PLAIN)

    def ours(self) -> float:
        """Give the seconds a view takes by the command, its start left out by a run of nothing."""
        shutil.rmtree(self.folder / "scores", ignore_errors=True)
        whole = clock(self._score)
        (kept,) = (self.folder / "scores/.model.views").iterdir()
        lines = kept.read_text().splitlines(keepends=True)
        kept.write_text("".join(lines[: 1 - len(self.videos)]))
        return (whole - clock(self._score)) / (VIEWS * (len(self.videos) - 1))

    def _score(self) -> None:
        arguments = [self.model, "list.csv", "--protocol", "kinetics400", "--device", self.device]
        outcome = process(*CLI, "score", *arguments, cwd=self.folder)
        if outcome.code:
            sys.exit(outcome.output)
