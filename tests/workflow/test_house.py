"""The house: rooms and arrows, no patches, and what of Snakemake is read though undocumented."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from videomae.cli.main import COMMANDS
from videomae.workflow import code

from tests.conftest import ROOT, Workflow, process

PACKAGE = ROOT / "scripts/videomae"
IMPORTS = grimp.build_graph("videomae")
MODULES = sorted(PACKAGE.rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]


# What is set as those who made it document: where this process prints, and full float32 on a GPU.
SETTINGS = {
    "options.py": {"sys.stdout", "sys.stderr"},
    "comparison.py": {
        "torch.backends.cudnn.allow_tf32",
        "torch.backends.cuda.matmul.allow_tf32",
    },
}


# -- no patches ------------------------------------------------------------------------------------


def patches(text: str) -> Iterator[str]:
    """Give the assignments to attributes of what a module imports from elsewhere, or of classes."""
    tree = ast.parse(text)
    foreign: set[str] = set()
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            module = getattr(node, "module", None) or ""
            (own if module.startswith("videomae") else foreign).update(names)
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []
        for target in (each for one in targets for each in ast.walk(one)):
            if isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store):
                root = target.value
                while isinstance(root, ast.Attribute):
                    root = root.value
                if target.attr == "__class__" or (
                    isinstance(root, ast.Name) and root.id in foreign | own
                ):
                    yield ast.unparse(target)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "setattr"
            and ast.unparse(node.args[0]).partition(".")[0] in foreign | own
        ):
            yield ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_of_other_libraries_is_assigned_to(path: Path) -> None:
    assert set(patches(path.read_text())) <= SETTINGS.get(path.name, set())


@pytest.mark.parametrize(
    "text",
    [
        "import transformers\ntransformers.models.videomae.f = 1",
        "from snakemake.jobs import Job\nJob.log_info = print",
        "from snakemake import common as c\nc.cached = 1",
        "import torch\nsetattr(torch.nn, 'Linear', 1)",
        "it = 1\nit.__class__ = int",
        "import sys\nsys.modules, sys.path = 1, 2",
    ],
)
def test_each_way_to_patch_is_seen(text: str) -> None:
    assert list(patches(text))


# -- the engine's documented parts -----------------------------------------------------------------

# What the documentation names, or our own code defines.
DOCUMENTED = {"source_path"}


def test_only_one_module_reads_what_snakemake_does_not_document() -> None:
    for path in RULES:
        read = set(re.findall(r"\bworkflow\.(\w+)", path.read_text()))
        assert read - DOCUMENTED <= {"rst"}, path
    for path in MODULES:
        if path.name != "engine.py":
            assert not re.search(r"\bworkflow\.\w+_settings|import snakemake", path.read_text())


@pytest.mark.full
def test_snakemake_still_has_what_is_read(workflow: Workflow) -> None:
    """Read by a Snakefile that prints what each of the four functions gives."""
    code = """
from videomae.workflow import engine
print("DEPLOYED", *engine.software_deployment(workflow), file=sys.stderr)
print("GIVEN", engine.config_is_given(workflow), engine.is_imported(workflow), file=sys.stderr)
print("RESULTS", engine.results_address(workflow), file=sys.stderr)
def asked(wildcards):
    print("REPORT", engine.reports_only(workflow), file=sys.stderr)
    return []
rule all:
    input: asked
    shell: "true"
"""
    (workflow.folder / "used.smk").write_text("import sys\n" + code)
    (workflow.folder / "host.smk").write_text(
        'module used:\n    snakefile: "used.smk"\n    config: {"a": 1}\n    prefix: "theirs"\n'
        "use rule * from used as used_*\n"
    )

    def read(snakefile: str, *options: str) -> dict[str, str]:
        run = ("-m", "snakemake", "--snakefile", snakefile, "--cores", "1", *options)
        said = process(*run, cwd=workflow.folder).output
        return dict(re.findall(r"^(DEPLOYED|GIVEN|RESULTS|REPORT) ?(.*)$", said, re.MULTILINE))

    alone = {"DEPLOYED": "", "GIVEN": "False False", "RESULTS": "results", "REPORT": "False"}
    assert read("used.smk") == alone
    assert read("used.smk", "--sdm", "conda", "--dry-run")["DEPLOYED"] == "conda"
    assert read("used.smk", "--report", "it.html")["REPORT"] == "True"
    assert read("host.smk") == {**alone, "GIVEN": "True True", "RESULTS": "theirs/results"}


def test_storage_is_read_from_the_options(workflow: Workflow) -> None:
    variant = {"checkpoint": "synthetic:tiny-finetuned", "config": {}}
    workflow.configure({"it": variant})
    options = ("--default-storage-provider", "fs", "--default-storage-prefix", "fs://x")
    assert "storage" in workflow.run(*options, "--dry-run").output


# -- rooms and arrows ------------------------------------------------------------------------------


def test_arrows_between_rooms_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("command", code.ROOMS)
def test_digest_covers_every_module_that_a_step_imports(command: str) -> None:
    imported = IMPORTS.find_upstream_modules(f"videomae.cli.{command.replace('-', '_')}")
    covered = {str(path.relative_to(PACKAGE)) for path in code.files(command)}
    needed = {f"{name.removeprefix('videomae.').replace('.', '/')}.py" for name in imported}
    others = {name for name in needed - covered if not name.startswith("network/")}
    assert others == {"workflow/run_lock.py"} - covered or others == set()
    assert {"cli/options.py", "errors.py"} <= covered


def test_every_command_has_a_module_with_its_options() -> None:
    named = {f"{name.replace('-', '_')}.py" for name in COMMANDS}
    found = {path.name for path in (PACKAGE / "cli").glob("*.py")}
    assert found - {"__init__.py", "main.py", "options.py"} == named
