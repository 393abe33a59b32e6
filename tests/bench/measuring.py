"""How are things measured?  Alternated, as medians; memory by what the kernel says of processes."""

import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil
from videomae.cli.main import COMMANDS

Seconds = dict[str, list[float]]


def alternate(tasks: dict[str, Callable[[], float]], repeats: int) -> Seconds:
    """Run each task in turn, so many times over; each returns its seconds."""
    taken: Seconds = {name: [] for name in tasks}
    for turn in range(repeats):
        for name, task in tasks.items():
            taken[name].append(task())
            print(f"  {turn + 1}/{repeats} {name}: {taken[name][-1]:.2f} s", flush=True)
    return taken


def clock(work: Callable[[], object]) -> float:
    """Give the seconds that something takes, with what it wrote on the disk."""
    os.sync()
    began = time.perf_counter()
    work()
    os.sync()
    return time.perf_counter() - began


def rows(taken: Seconds, base: str, goals: dict[str, str]) -> list[list[str]]:
    """Give for each task its median, least and most, the ratio of medians to the base's, a goal."""
    middle = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return [
        [
            name,
            f"{middle[name]:.2f}",
            f"{min(seconds):.2f}-{max(seconds):.2f}",
            f"{middle[name] / middle[base]:.2f}",
            goals.get(name, ""),
        ]
        for name, seconds in taken.items()
    ]


@dataclass
class Memory:
    """The most memory that any process of a kind took, in megabytes."""

    resident: dict[str, float] = field(default_factory=dict)
    anonymous: dict[str, float] = field(default_factory=dict)

    def see(self, kind: str, process: psutil.Process) -> None:
        """Note what the kernel says of a process; its peak, and what is not of files now."""
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            held = {line.partition(":")[0]: line.split()[1:2] for line in status.splitlines()}
            for name, most in (("VmHWM", self.resident), ("RssAnon", self.anonymous)):
                if held.get(name):
                    most[kind] = max(most.get(kind, 0.0), int(held[name][0]) / 1024)


def watched(command: Sequence[str], folder: Path, memory: Memory, **environment: str) -> float:
    """Run a command to its end and note its processes' memory, by the scripts that they run.

    Raises `CalledProcessError`, with what it said, if it fails.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), memory, ended))
    watcher.start()
    output, _ = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return time.perf_counter() - began


def _watch(root: psutil.Process, memory: Memory, ended: threading.Event) -> None:
    # At 0.02 the looking took a tenth of a core, of which the workflow has none to spare.
    while not ended.wait(0.2):
        with suppress(psutil.Error):
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.Error, IndexError):
                    words = process.cmdline()
                    known = [word for word in words if word in COMMANDS or word.endswith(".py")]
                    memory.see(Path(known[0]).stem if known else process.name(), process)


def machine() -> str:
    """Say what this was measured on."""
    packages = ("torch", "transformers", "snakemake", "safetensors", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    memory = psutil.virtual_memory().total / 1e9
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )
