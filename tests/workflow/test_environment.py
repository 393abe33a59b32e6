"""What a user's environment may hold or lack: a notebook's settings, a home, memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from videomae import memory

from tests.conftest import CLI, GIVEN, ROOT, Workflow, command, given
from tests.standins import poor_mount

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def bare(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with nothing in its environment but what is given."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


@pytest.mark.full
def test_run_of_an_unknown_user_in_a_plain_locale_with_a_notebooks_settings(
    checkpoints: dict[str, Path], workflow: Workflow, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = ROOT / "tests/standins/nobody.c"
    library = poor_mount.build(tmp_path_factory.mktemp("library"), source)
    path = workflow.folder / "Läuf.pth"
    path.write_bytes(checkpoints["tiny-finetuned"].read_bytes())
    workflow.configure({"own": {"checkpoint": path.name, "config": GIVEN["tiny-finetuned"]}})
    ended = bare(
        *("-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", 2, "all", "pages"),
        cwd=workflow.folder,
        LD_PRELOAD=str(library),
        HOME=str(workflow.folder / "home"),  # Snakemake itself needs both of an unknown user
        USER="somebody",
        LC_ALL="C",
        NO_COLOR="1",
        MPLBACKEND="nonsense",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "verified" in ended.stdout
    assert "\x1b" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_plots_do_not_read_a_notebooks_backend(backend: str, tmp_path: Path) -> None:
    code = (
        "from videomae.cli.main import main\n"
        "try:\n    main(['report-overview', '--help'])\n"
        "except SystemExit:\n    from videomae.report import plots\n"
        "    print(plots.layers({'embeddings': 1e-7}, 1e-5))"
    )
    ended = bare("-c", code, cwd=tmp_path, MPLBACKEND=backend, HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "<svg" in ended.stdout


def test_command_without_home_and_in_a_plain_locale(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "Läuf.pth"
    path.write_bytes(checkpoints["tiny-finetuned"].read_bytes())
    options = given("tiny-finetuned")
    ended = bare(*CLI, "convert", path, tmp_path / "it", *options, cwd=tmp_path, LC_ALL="C")
    assert ended.returncode == 0, ended.stderr
    assert command("convert", path, tmp_path / "other", *options).code == 0
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "it" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


# -- memory ----------------------------------------------------------------------------------------


def limited(root: Path, groups: str, limits: dict[str, str]) -> Path:
    """Make a system's files with these groups of this process, and limits by path."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for path, limit in limits.items():
        file = root / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{limit}\n")
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "104857600"}, 100),
        ("0::/\n", {"memory.max": "max"}, MACHINE),
        ("0::/\n", {}, MACHINE),
        # The least of a group's and its parents'.
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "209715200"}, 200),
        ("0::/a/b\n", {"a/b/memory.max": "104857600", "a/memory.max": "209715200"}, 100),
        # Version 1, in a container that sees the host's path; another controller's is none.
        (
            "9:cpu,memory:/docker/1f\n1:cpuset:/x\n0::/\n",
            {"memory/memory.limit_in_bytes": "104857600", "cpuset/x/memory.max": "1"},
            100,
        ),
        ("9:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
    ],
)
def test_jobs_share_what_the_container_may_take(
    groups: str, limits: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert memory.megabytes(limited(tmp_path, groups, limits)) == expected


def test_without_linux_jobs_share_the_machines_memory(tmp_path: Path) -> None:
    assert memory.megabytes(tmp_path) == MACHINE


def test_profile_shares_that_memory() -> None:
    text = (ROOT / "profiles/default/config.yaml").read_text()
    assert '- ?f"mem_mb={memory.megabytes()}"' in text
