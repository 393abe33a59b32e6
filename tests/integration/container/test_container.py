"""What envs/Containerfile installs, in a virtual environment of its own (`make test-container`)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from videomae import __version__

from tests.conftest import ROOT, given
from tests.workflow.test_environments import extra, instructions, locked, pins

pytestmark = pytest.mark.full

LIMIT = 900.0  # seconds for a command; most goes to downloads
HOME = "/opt/videomae"  # what the image has of its own


class Image:
    """A virtual environment in place of the image's Python, and a folder in that of its own one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.python = folder, folder / "bin/python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=LIMIT)
        # No settings of this machine's pip but how it reaches an index.
        kept = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**kept, "PIP_CONFIG_FILE": os.devnull, "PATH": path}

    def build(self) -> None:
        """Do what the Containerfile says, but for users."""
        for instruction, rest in instructions():
            words = rest.replace(HOME, str(self.folder / "own"))
            match instruction:
                case "COPY":
                    *sources, target = words.split()
                    Path(target).mkdir(parents=True, exist_ok=True)
                    for source in sources:
                        if (ROOT / source).is_dir():
                            shutil.copytree(ROOT / source, target, dirs_exist_ok=True)
                        else:
                            shutil.copy(ROOT / source, target)
                case "RUN" if "pip" in words:
                    self.run(words)
                case "ENV":
                    self.environment |= dict(pair.split("=", 1) for pair in words.split())

    def run(self, line: str) -> str:
        """Run a shell line as in the image, and give what it says."""
        ended = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    try:
        made = Image(folder)
        made.build()
        yield made
    finally:
        shutil.rmtree(folder)  # gigabytes, which pytest would keep


def test_image_holds_what_the_locks_say_and_nothing_else(image: Image, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(image.run("pip list --format=freeze --exclude pip"))
    expected = {**locked("requirements.lock"), **locked("kubernetes.lock")}
    installed = pins((tmp_path / "list").read_text())
    assert installed.pop("videomae") == __version__
    assert installed == expected
    image.run("pip check")


def test_image_converts_and_proves_a_checkpoint(
    image: Image, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    checkpoint, folder = checkpoints["tiny-finetuned"], tmp_path / "folder"
    options = " ".join(given("tiny-finetuned"))
    image.run(f"videomae convert '{checkpoint}' '{folder}' {options}")
    passed = f"--passed '{tmp_path / 'passed.json'}'"
    image.run(f"videomae verify '{checkpoint}' '{folder}' {passed} {options}")
    assert (tmp_path / "passed.json").is_file()


def test_pod_gets_the_storage_plugin_from_the_image_alone(image: Image, tmp_path: Path) -> None:
    # As Snakemake begins each pod's job; an index would be refused.
    plugin = "snakemake-storage-plugin-s3"
    image.run(f"PIP_INDEX_URL=http://127.0.0.1:1 pip install --target '{tmp_path}' {plugin}")
    [installed] = tmp_path.glob("snakemake_storage_plugin_s3-*.dist-info")
    assert extra("storage")[plugin] in installed.name
