"""What git keeps is what somebody wrote."""

import subprocess

from tests.conftest import ROOT

# The report as a picture in the README, checkpoints as the authors' scripts and others' write them,
# and films.
BINARY = (
    *("docs/report.png", "tests/data/trained/", "tests/data/relatives/"),
    "tests/data/videos/",
)


def test_nothing_binary_is_kept_but_what_is_named_here() -> None:
    """A crashed daemon's 20 MB of core were once committed."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")[:-1]
    found = [
        name
        for name in names
        if not name.startswith(BINARY) and b"\0" in (ROOT / name).read_bytes()
    ]
    assert len(names) > 100
    assert found == []
