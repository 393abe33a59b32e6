"""What .snakemake-workflow-catalog.yml states of the workflow is so."""

import re
import shlex

import jsonschema
import yaml

from tests.conftest import ROOT, process

USAGE = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
SNAKEFILE = "\n".join(
    path.read_text() for path in (ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk")))
)
FLAG = {"type": "boolean"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["usage"],
    "properties": {
        "usage": {
            "type": "object",
            "additionalProperties": False,
            "required": ["software-stack-deployment", "report"],
            "properties": {
                "mandatory-flags": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"desc": {"type": "string"}, "flags": {"type": "string"}},
                },
                "software-stack-deployment": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"conda": FLAG, "apptainer": FLAG, "apptainer+conda": FLAG},
                },
                "report": FLAG,
            },
        }
    },
}


def test_it_has_what_the_catalog_reads() -> None:
    jsonschema.validate(USAGE, SCHEMA)


def test_flags_are_snakemakes_own() -> None:
    desc, flags = (USAGE["usage"]["mandatory-flags"][key] for key in ("desc", "flags"))
    named = [*shlex.split(flags), *re.findall(r"--[\w-]+", desc)]
    known = process("-m", "snakemake", "--help").output
    assert named
    assert all(re.search(rf"{flag}\b", known) for flag in named)


def test_deployment_and_report_are_in_the_snakefile() -> None:
    usage, stack = USAGE["usage"], USAGE["usage"]["software-stack-deployment"]
    rules = [
        rule for rule in re.split(r"^rule ", SNAKEFILE, flags=re.M)[1:] if "    shell:" in rule
    ]
    assert rules
    rules = [rule for rule in rules if not rule.startswith(("package", "releases"))]
    assert stack["conda"] == all(
        'conda:\n        "../envs/videomae.yaml"' in rule for rule in rules
    )
    assert stack["apptainer"] == bool(re.search(r"^ +container: ", SNAKEFILE, flags=re.M))
    # An image that makes conda environments would need conda.
    assert stack["apptainer+conda"] == ("conda" in (ROOT / "envs/Containerfile").read_text())
    assert usage["report"] == bool(re.search(r"^ *report:", SNAKEFILE, flags=re.M))
