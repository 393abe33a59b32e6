"""The workflow as a module of somebody else's, as examples/module imports it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT, Workflow, jobs, process

EXAMPLE = ROOT / "examples/module"


@pytest.fixture
def example(tmp_path: Path) -> Workflow:
    """Give a copy of the example that imports this project, and a folder to run it in."""
    copy, folder = tmp_path / "example", tmp_path / "elsewhere"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".snakemake", "results"))
    text = (copy / "Snakefile").read_text()
    assert '"../../Snakefile"' in text
    (copy / "Snakefile").write_text(text.replace("../../Snakefile", str(ROOT / "Snakefile")))
    folder.mkdir()
    (copy / "config.yaml").rename(folder / "config.yaml")
    return Workflow(folder, copy / "Snakefile")


def test_config_that_holds_what_ours_may_not_is_none_of_ours(example: Workflow) -> None:
    with (example.folder / "config.yaml").open("a") as file:
        file.write("of its own: {a: 1, a: 2}\n")
    outcome = example.run("--dry-run")
    assert outcome.code == 0, outcome.output
    assert "localrules directive" not in outcome.output  # which would name rules by other names


@pytest.mark.full
@pytest.mark.parametrize(
    ("moved", "results"),
    [
        ("", "results"),
        ('prefix: "theirs"', "theirs/results"),
        ('replace_prefix: {"results/": "theirs/"}', "theirs"),
    ],
)
def test_verified_folder_is_input_of_anothers_rule(
    moved: str, results: str, example: Workflow
) -> None:
    text = example.snakefile.read_text()
    example.snakefile.write_text(text.replace("    config:\n", f"    {moved}\n    config:\n", 1))
    outcome = example.run()
    assert outcome.code == 0, outcome.output
    steps = [f"videomae_{step} tiny-finetuned" for step in ("convert", "download", "receipt")]
    assert jobs(outcome) == ["features tiny-finetuned", *steps, "videomae_verify tiny-finetuned"]
    assert np.load(example.folder / "features/tiny-finetuned.npy").shape == (1, 48)
    assert (example.folder / results / "verification/tiny-finetuned.json").exists()
    assert "Nothing to be done" in example.run().output
    drawn = example.run("videomae_pages")
    assert drawn.code == 0, drawn.output
    page = (example.folder / results / "report/variants/tiny-finetuned.html").read_text()
    assert "data:image/jpeg;base64," in page


@pytest.mark.full
def test_folder_that_is_not_verified_is_not_used(example: Workflow) -> None:
    config = yaml.safe_load((example.folder / "config.yaml").read_text())
    del config["videomae"]["variants"]["tiny-finetuned"]["config"]
    (example.folder / "config.yaml").write_text(yaml.safe_dump(config))
    outcome = example.run()
    assert outcome.code == 1
    assert "num_attention_heads" in outcome.output
    assert not (example.folder / "features").exists()


# A workflow with rules, a shell prefix, limits and handlers of its own, which notes what it has.
HOST = """
import atexit, gc, json, logging, os, signal, sys
from pathlib import Path

shell.prefix("export THEIRS=1; ")
workflow.register_resource("downloads", 7)
workflow.register_resource("mem_mb", 123456)
config["videomae"] = {"variants": {"tiny": {"checkpoint": "synthetic:tiny-finetuned"}}}


OF_CV2 = "LD_LIBRARY_PATH"  # which that sets
def state():
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD]
    return {
        "collection": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
        "at exit": atexit._ncallbacks(),
        "signals": [str(signal.getsignal(one)) for one in signals],
        "handlers": {
            name: sorted(type(one).__name__ for one in logging.getLogger(name).handlers)
            for name in (None, "snakemake.logging", "snakemake")
        },
        "environment": dict(os.environ),
        "path": sys.path,
        "config": config,
        "limits": {name: str(each) for name, each in workflow.global_resources.items()},
        "prefix": shell._process_prefix,
        "report": str(workflow.report_text),
        "umask": os.umask(0o022),
        "folder": os.getcwd(),
    }


MODULE


onstart:
    Path("start.json").write_text(json.dumps(state()))


onsuccess:
    Path("end.json").write_text(json.dumps(state()))


rule all:
    default_target: True
    input:
        "python.json",
        "shell.txt",


rule of_python:
    output:
        "python.json",
    run:
        Path(output[0]).write_text(json.dumps(state()))


rule of_shell:
    output:
        "shell.txt",
    resources:
        downloads=3,
    shell:
        "(env | grep -v ^_=; set -o) > {output}"


Path("read.json").write_text(json.dumps(state()))
"""
USED = """
module videomae:
    snakefile:
        {snakefile!r}
    config:
        config["videomae"]


use rule * from videomae as videomae_*
"""


def _noted(folder: Path, module: str) -> dict[str, Any]:
    """Run a host with a module or none; give what it noted of itself, without what is random."""
    folder.mkdir()
    (folder / "Snakefile").write_text(HOST.replace("MODULE", module))
    outcome = Workflow(folder, folder / "Snakefile").run("--printshellcmds")
    assert outcome.code == 0, outcome.output
    noted: dict[str, Any] = {
        name: json.loads((folder / f"{name}.json").read_text())
        for name in ("read", "start", "python", "end")
    }
    for each in noted.values():
        # Snakemake itself adds the folder of a Snakefile that it reads.
        each["path"] = [place for place in each["path"] if not place.startswith(str(ROOT))]
    noted["shell"] = sorted((folder / "shell.txt").read_text().splitlines())
    noted["printed"] = sorted(re.findall(r"^Shell command: .*", outcome.output, re.MULTILINE))
    text = re.sub(r"0x\w+", "0x", json.dumps(noted)).replace(str(folder), "")
    return cast(dict[str, Any], json.loads(text))


@pytest.mark.full
def test_nothing_of_the_workflow_that_imports_it_changes(tmp_path: Path) -> None:
    """What it has when it is read, when it starts and ends, in its own rules and their shells."""
    module = USED.format(snakefile=str(ROOT / "Snakefile"))
    alone, beside = _noted(tmp_path / "a", ""), _noted(tmp_path / "b", module)
    assert alone["printed"] != []
    assert "THEIRS=1" in alone["shell"]
    assert alone["start"]["limits"]["downloads"] == 'Resource("downloads", 7)'
    assert beside == alone


CHANGES = """
gc.disable()
shell.prefix("set -euo pipefail; ")
workflow.register_resource("downloads", 2)
os.environ["VIDEOMAE_RUN"] = "1"
signal.signal(signal.SIGHUP, lambda *_: None)  # under nohup it is ignored already
config["videomae"]["models"] = "all"
logging.getLogger().addHandler(logging.NullHandler())
atexit.register(gc.collect)
sys.path.insert(0, "/elsewhere")
workflow.report_text = "ours"
"""


@pytest.mark.full
def test_each_change_of_the_workflow_that_imports_it_is_seen(tmp_path: Path) -> None:
    alone, changed = _noted(tmp_path / "a", ""), _noted(tmp_path / "b", CHANGES)
    seen = {key for key, each in alone["read"].items() if changed["read"][key] != each}
    assert seen == alone["read"].keys() - {"folder", "umask"}
    assert changed["shell"] != alone["shell"]


def test_importing_the_package_only_defines_names() -> None:
    code = """
import atexit, ctypes, gc, importlib, os, signal, sys
OF_CV2 = "LD_LIBRARY_PATH"  # which that sets
def state():
    environment = {key: value for key, value in os.environ.items() if key != OF_CV2}
    return gc.isenabled(), gc.get_freeze_count(), environment, list(sys.path)
before = state()
registered = []
atexit.register = lambda function, *_: registered.append(function.__module__) or function
for name in sys.argv[1:]:
    importlib.import_module(name)
assert before == state()
assert [one for one in registered if (one or "").partition(".")[0] == "videomae"] == []
assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death))  # PR_GET_PDEATHSIG
assert death.value == 0
"""
    outcome = process("-c", code, *every_module())
    assert outcome.code == 0, outcome.output


def every_module() -> list[str]:
    """Give the names of the package's modules, and of Snakemake's plugin."""
    scripts = ROOT / "scripts"
    paths = (path.relative_to(scripts).with_suffix("") for path in scripts.rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)
