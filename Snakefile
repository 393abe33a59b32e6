"""Converts the authors' VideoMAE checkpoints to transformers: download, convert, verify, push."""

import os
import time

from snakemake.utils import min_version

min_version("9.27")


include: "rules/config.smk"


configfile: config_file("config.yaml")


if "container" in config:

    container: config["container"]


if not engine.is_imported(workflow):

    report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/download.smk"
include: "rules/convert.smk"
include: "rules/verify.smk"
include: "rules/publish.smk"
include: "rules/score.smk"
include: "rules/report.smk"
include: "rules/releases.smk"


rule all:
    """Convert, verify and describe every chosen variant; publish it if pushing is on."""
    default_target: True
    input:
        expand("results/verification/{variant}.json", variant=VARIANTS),
        expand("results/models/{variant}/{file}", variant=VARIANTS, file=model_folder.PUBLISHED),
        expand(PUSHED[SETTINGS.push_step], variant=VARIANTS) if SETTINGS.push_step else [],
        expand(inputs.SCORES, variant=SCORED),
        [] if SETTINGS.keep_checkpoints else expand(DISCARDED, variant=VARIANTS),
        pages_to_show,


onstart:
    begin_run()


onsuccess:
    end_run()


onerror:
    end_run()
    print_releases()
