"""Which code does a step run?  So that its jobs run again when that is edited, and no others."""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

# The rooms and modules that a subcommand's results depend on. What is in no list (network, locks,
# cli.main) moves bytes and words but changes no result. tests/workflow/test_house.py compares this
# with what the modules import.
CHECKPOINT = ("model", "checkpoint", "recognition", "convert")
FOLDER = ("model", "checkpoint", "convert/model_folder.py")
NETWORK = ("verify/clips.py", "verify/comparison.py", "verify/reference.py")
PAGES = (
    *(*FOLDER, *NETWORK, "verify/summary.py", "compatibility/releases.py", "report"),
    "workflow/states.py",
)
ROOMS: dict[str, tuple[str, ...]] = {
    "convert": CHECKPOINT,
    "verify": (*CHECKPOINT, "verify"),
    "load": (*CHECKPOINT, "verify", "compatibility"),
    "card": (*FOLDER, "verify/summary.py", "compatibility/releases.py", "publish"),
    "push": (*FOLDER, "publish"),
    "score": (*FOLDER, *NETWORK, "score"),
    "report-page": PAGES,
    "report-overview": PAGES,
}


def files(command: str) -> list[Path]:
    """Return the files of the package that a subcommand's results depend on, sorted."""
    places = [f"cli/{command.replace('-', '_')}.py", "cli/options.py", *ROOMS[command]]
    found = [*PACKAGE.glob("*.py")]
    for place in map(PACKAGE.joinpath, places):
        found += [place] if place.suffix else place.rglob("*")
    return sorted(path for path in found if path.is_file() and path.suffix not in (".pyc", ".pyo"))


@cache
def digest(command: str) -> str:
    """Return what changes with any of those files; hexadecimal."""
    content = hashlib.sha256()
    for path in files(command):
        content.update(f"{path.relative_to(PACKAGE)}\0".encode())
        content.update(path.read_bytes())
    return content.hexdigest()
