"""With torchvision: the card's program gives the same, verify passes, pixels differ by little."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from videomae.files import sha256
from videomae.model import imagenet

from tests.conftest import ROOT, SEVEN_LABELS, Outcome, command, given, process, snippets
from tests.unit.test_card import write_video

pytestmark = pytest.mark.full

# Height and width of frames: as the model has them, landscape, portrait, odd, to be enlarged,
# and, at a distance from all that films are, very long.
SIZES = [
    *((32, 32), (32, 47), (120, 160), (160, 120), (243, 327), (331, 225), (33, 31)),
    *((20, 30), (17, 13), (1080, 1920), (9, 143)),
]
PIXELS = """
import json, sys
import numpy as np
from transformers import AutoImageProcessor

folder, sizes, output = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
processor = AutoImageProcessor.from_pretrained(folder)
random = np.random.default_rng(0)
pixels = []
for height, width in sizes:
    t, y, x, c = np.ogrid[:2, :height, :width, :3]
    pattern = (3 * x + 5 * y + 7 * t * (c + 1) + x * y // 16) % 256
    waves = 127 + 100 * np.sin(9 * x / width + t + c) * np.cos(7 * y / height)
    noise = random.integers(0, 256, (2, height, width, 3))
    clip = np.concatenate([pattern, waves, noise]).astype(np.uint8)
    pixels.append(processor(list(clip), return_tensors="pt")["pixel_values"].numpy())
np.save(output, np.concatenate(pixels))
print(type(processor).__name__)
"""
PIPELINE = """
import sys
from transformers import AutoVideoProcessor, pipeline
from transformers.video_utils import VideoMetadata

film = VideoMetadata(total_num_frames=40, fps=25)
print(list(AutoVideoProcessor.from_pretrained(sys.argv[1]).sample_frames(film, num_frames=4)))
pipeline("video-classification", model=sys.argv[1])("video.mp4", frame_sampling_rate=4)
"""

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def torchvision(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a way to run a program with torchvision, which is installed apart from all else."""
    place = tmp_path_factory.mktemp("torchvision")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--target", str(place), "--requirement", str(ROOT / "envs/torchvision.txt")),
        ],
        check=True,
    )
    environment = {"PYTHONPATH": str(place)}
    loads = process("-c", "import torchvision", environment=environment).code == 0
    stubs = [] if loads else [ROOT / "tests/integration/torchvision/with_stubs.py"]

    def run(*arguments: object, cwd: Path = ROOT) -> Outcome:
        return process(*stubs, *arguments, environment=environment, cwd=cwd)

    return run


@pytest.fixture(scope="module")
def folder(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a tiny classifier's folder with labels and a card."""
    place = tmp_path_factory.mktemp("folder")
    labels, path = place / "labels.txt", checkpoints["tiny-finetuned"]
    labels.write_text(SEVEN_LABELS)
    options = [*given("tiny-finetuned"), "--labels", labels]
    assert command("convert", path, place / "model", *options).code == 0
    report = ("--passed", place / "report.json")
    assert command("verify", path, place / "model", *options, *report).code == 0
    receipt = {"source": "a.pth", "sha256": sha256(path)}
    (place / "receipt.json").write_text(json.dumps(receipt))
    files = (place / "report.json", place / "receipt.json", place / "model/README.md")
    assert command("card", *files).code == 0
    return place / "model"


@pytest.mark.parametrize(("side", "tolerance"), [(32, 0.0), (240, 2e-3)])
def test_program_of_the_card_gives_the_same_with_torchvision(
    side: int, tolerance: float, folder: Path, tmp_path: Path, torchvision: Run
) -> None:
    _, program, _ = snippets((folder / "README.md").read_text())
    place = tmp_path / "program.py"
    place.write_text(program)
    (tmp_path / "model").symlink_to(folder)  # as the program names it
    write_video(tmp_path / "video.mp4", frames=40, side=side)
    printed = []
    for outcome in (process(place, cwd=tmp_path), torchvision(place, cwd=tmp_path)):
        assert outcome.code == 0, outcome.output
        lines = [line for line in outcome.output.splitlines() if " label " in line]
        printed.append([line.split(" ", 1) for line in lines])
    assert len(printed[0]) == 5
    assert [label for _, label in printed[0]] == [label for _, label in printed[1]]
    scores = [[float(score) for score, _ in lines] for lines in printed]
    assert scores[0] == pytest.approx(scores[1], abs=tolerance, rel=0)


def test_pixels_differ_by_one_grey_level_where_frames_are_resized_and_else_not(
    folder: Path, tmp_path: Path, torchvision: Run
) -> None:
    program = tmp_path / "pixels.py"
    program.write_text(PIXELS)
    outputs = [tmp_path / f"{number}.npy" for number in range(2)]
    for run, output, name in (
        (process, outputs[0], "VideoMAEImageProcessorPil"),
        (torchvision, outputs[1], "VideoMAEImageProcessor"),
    ):
        outcome = run(program, folder, json.dumps(SIZES), output)
        assert outcome.output.splitlines()[-1] == name, outcome.output
    differences = np.load(outputs[0]) - np.load(outputs[1])
    assert np.abs(differences[:2]).max() < 1e-6  # of frames that are not resized
    levels = np.abs(differences) * 255 * np.array(imagenet.STD).reshape(1, 1, 3, 1, 1)
    of_films, of_strips = levels[:-1], levels[-1]
    assert of_films.max() < 1.01
    assert of_films.mean(axis=(1, 2, 3, 4)).max() < 0.05
    assert of_strips.max() < 2.01


def test_folder_is_verified_and_loads_with_torchvision(
    folder: Path, checkpoints: dict[str, Path], torchvision: Run
) -> None:
    for script in ("verify", "load"):
        outcome = torchvision(
            *("-m", "videomae.cli.main", script),
            *(checkpoints["tiny-finetuned"], folder, *given("tiny-finetuned")),
        )
        assert outcome.code == 0, outcome.output
        assert "FAILED" not in outcome.output


def test_pipeline_does_what_the_card_says(folder: Path, tmp_path: Path, torchvision: Run) -> None:
    """If this fails, transformers' pipeline has changed, and the card's sentences are to be too."""
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    write_video(tmp_path / "video.mp4", frames=40)
    outcome = torchvision(tmp_path / "pipeline.py", folder, cwd=tmp_path)
    assert "[0, 10, 20, 30]" in outcome.output.replace("np.int64(", "").replace(")", "")
    assert "`torchcodec` is not installed" in outcome.output
    assert outcome.code == 1
