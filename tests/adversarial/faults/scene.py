"""A workflow of tiny variants, from Drive, the hub and a file to the hub, with its right end."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import CLI, DATA, ROOT
from tests.standins.drive import DriveStandIn, slow
from tests.standins.hub import Account, HubStandIn

DRIVE_ID = "A_file_on_the_stand_in"
VARIANTS: dict[str, Any] = {
    "one": {"checkpoint": f"gdrive:{DRIVE_ID}", "config": {"num_attention_heads": 4}},
    "two": {
        "checkpoint": "hub:them/zoo/it.pth",
        "config": {"num_attention_heads": 3, "decoder_num_attention_heads": 3},
    },
    "three": {"checkpoint": str(DATA / "trained/v1-cls.pth"), "config": {"num_attention_heads": 4}},
}
# What a finished run leaves for people. Logs, benchmarks and Snakemake's notes are not compared.
KEPT = ("checkpoints", "models", "verification", "pushed")
LIMIT = 300  # seconds for one run
OF_THIS_RUN = re.compile(rb'"(mtime_ns|ctime_ns|inode)": \d+')


@dataclass
class Scene:
    """A folder with a config.yaml, the services it needs, and the ways to run it."""

    folder: Path
    hub: HubStandIn
    environment: dict[str, str]

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command in a process group of its own; its output goes to a file."""
        with (self.folder / "output.txt").open("a") as output:
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def snakemake(self) -> subprocess.Popen[str]:
        """Start the workflow as a user does."""
        return self.start("-m", "snakemake", *self.options())

    def resume(self) -> subprocess.Popen[str]:
        """Start the one documented command after a crash."""
        return self.start(*CLI, "resume", *self.options())

    def options(self) -> list[str]:
        """Give what both commands are given."""
        return ["--snakefile", str(ROOT / "Snakefile"), "--cores", "2", "--nocolor"]

    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def read(self, path: Path) -> bytes:
        """Read a file, without the port that the hub has in this scene, and times and inodes."""
        content = path.read_bytes().replace(self.hub.endpoint.encode(), b"HUB")
        return content if path.suffix != ".json" else OF_THIS_RUN.sub(rb'"\1": 0', content)

    def kept(self) -> dict[str, bytes]:
        """Read every file that is kept, temporary ones too, by its path in results/."""
        return {
            str(path.relative_to(self.results)): self.read(path)
            for part in KEPT
            for path in sorted((self.results / part).rglob("*"))
            if path.is_file()
        }

    def processes(self) -> list[int]:
        """Find the living processes that work in the folder (Linux)."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX" and (process / "cwd").readlink() == self.folder:
                    found.append(int(process.name))
            except OSError:  # it ended meanwhile, or is another user's
                continue
        return found

    def end(self) -> None:
        """Leave no process behind, whatever happened."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Make the folder, and serve what it needs while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    push = {"enabled": True, "namespace": "lab"}
    (folder / "config.yaml").write_text(yaml.safe_dump({"variants": VARIANTS, "push": push}))
    account = Account("alice", orgs=["lab"], can_write=True)
    with DriveStandIn(folder) as drive, HubStandIn(tokens={"hf_good": account}) as hub:
        # So slow that a download too is hit, and goes on from what came.
        classifier, pretrained = (
            (DATA / f"trained/{name}.pth").read_bytes() for name in ("v1-cls", "v1-pretrained")
        )
        drive.add(DRIVE_ID, classifier, behaviour=slow(len(classifier) // 2, stall=1.0))
        hub.add_file("model", "them/zoo", "it.pth", pretrained)
        environment = {
            **drive.environment,
            "HOME": str(folder / "home"),
            "HF_HOME": str(folder / "hf"),
            "HF_ENDPOINT": hub.endpoint,
            "HF_TOKEN": "hf_good",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1",  # so that sums are the same in every run
        }
        made = Scene(folder, hub, environment)
        try:
            yield made
        finally:
            made.end()


@dataclass
class Watch:
    """Looks at the final names all the time, and notes each content that is not the right one."""

    scene: Scene
    right: dict[str, bytes]
    wrong: list[str] = field(default_factory=list)
    _seen: dict[Path, tuple[int, int, int]] = field(default_factory=dict)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look as long as the block runs, and once more."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self.look()
        self.look()

    def look(self) -> None:
        """Read each file that is new or has changed since the last look."""
        for name, right in self.right.items():
            path = self.scene.results / name
            try:
                stat = path.stat()
                if self._seen.get(path) == (stat.st_ino, stat.st_size, stat.st_mtime_ns):
                    continue
                found = self.scene.read(path)
            except OSError:  # it isn't there (yet)
                continue
            self._seen[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if found != right:
                self.wrong.append(
                    f"{name}: {len(found):,} bytes, not the {len(right):,} right ones"
                )


def undisturbed(folder: Path) -> tuple[dict[str, bytes], float]:
    """Run the workflow once in peace; give all that it kept, and the seconds it took."""
    with scene(folder) as made:
        began = time.monotonic()
        code = made.snakemake().wait(LIMIT)
        seconds = time.monotonic() - began
        if code:
            sys.exit(f"the undisturbed run failed:\n{made.output()}")
        return made.kept(), seconds
