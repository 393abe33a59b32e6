"""Each supported version of Python: the locked packages install, and the tests pass.

`make test-pythons`. A version without an interpreter here is skipped; none is downloaded.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.full

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
CLAIMED = [
    words.rpartition(" ")[2]
    for words in PROJECT["classifiers"]
    if words.startswith("Programming Language :: Python :: 3.")
]
# The rest of the environment is this one's: what a version may change is in the package.
TESTS = ("tests/unit", "tests/proof")


def interpreter(version: str) -> str | None:
    """Return a working interpreter of a version: on the path, or one that pyenv has."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}")]
    found += map(str, sorted(root.glob(f"versions/{version}.*/bin/python")))
    for path in filter(None, found):
        tried = subprocess.run([path, "-c", "import ssl, venv"], check=False, capture_output=True)
        if tried.returncode == 0:  # and not a shim of a version that isn't chosen
            return path
    return None


@pytest.mark.parametrize("version", [one for one in CLAIMED if one != OWN])
def test_locked_packages_install_and_tests_pass(version: str, tmp_path: Path) -> None:
    if not (path := interpreter(version)):
        pytest.skip(f"there is no Python {version} here, on the path or of pyenv")
    subprocess.run([path, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv/bin/python")
    install = (python, "-m", "pip", "install", "--quiet")
    lock = str(ROOT / "envs/requirements.lock")
    subprocess.run([*install, "--require-hashes", "--requirement", lock], check=True)
    subprocess.run([*install, f"{ROOT}[score,report,development]"], check=True)
    ran = subprocess.run([python, "-m", "pytest", "-n", "2", *TESTS], cwd=ROOT, check=False)
    assert ran.returncode == 0
