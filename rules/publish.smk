"""From a verified folder to its model card, and to the hub; then the checkpoint may go."""


rule card:
    """Write the model card of a verified folder."""
    input:
        report=rules.verify.output,
        receipt=RECEIPT,
        loaded=lambda wildcards: named(release_reports.existing(wildcards.variant, RESULTS)),
        scores=lambda wildcards: named(inputs.existing(wildcards.variant, RESULTS, inputs.SCORES)),
    output:
        "results/models/{variant}/README.md",
    log:
        "results/logs/card/{variant}.log",
    localrule: True
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae,
        code=code.digest("card"),
        facts=lambda wildcards: VARIANTS[wildcards.variant].card_options(
            SETTINGS.license, SETTINGS.push.namespace
        ),
    shell:
        "{params.videomae} card {input.report:q} {input.receipt:q} {output:q}"
        " --loaded {input.loaded:q} --scores {input.scores:q} {params.facts:q} > {log:q} 2>&1"


rule push:
    """Publish a verified folder on the hub as one commit."""
    input:
        report=rules.verify.output,
        config=rules.convert.output.config,
        weights=rules.convert.output.weights,
        processor=rules.convert.output.processor,
        card=rules.card.output,
    output:
        PUSHED["push"],
    log:
        "results/logs/push/{variant}.log",
    benchmark:
        "results/benchmarks/push/{variant}.tsv"
    retries: 0  # the command itself tries again what another try may mend
    localrule: SETTINGS.transfers_here
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae_with_token,
        code=code.digest("push"),
        folder=subpath(input.config, parent=True),
        repository=lambda wildcards: f"{SETTINGS.push.namespace}/{wildcards.variant}",
        visibility=[] if SETTINGS.push.private else ["--public"],
        revision=f"--revision={SETTINGS.push.revision}",
        overwrite=["--overwrite"] if SETTINGS.push.overwrite else [],
        dry_run=[],
    shell:
        "{params.videomae} push {params.folder:q} {input.report:q} {params.repository:q} {output:q}"
        " {params.visibility:q} {params.revision:q} {params.overwrite:q} {params.dry_run:q}"
        " --log {log:q}"


# What would be pushed depends on what the hub holds, so every run asks again: a new time is a
# changed param.
use rule push as push_plan with:
    output:
        PUSHED["push_plan"],
    log:
        "results/logs/push_plan/{variant}.log",
    benchmark:
        "results/benchmarks/push_plan/{variant}.tsv"
    params:
        dry_run=["--dry-run"],
        time=BEGAN,


# Snakemake's temp() would also take a checkpoint that was put there by hand, and not wait for a push.
rule discard:
    """Remove a downloaded checkpoint whose variant is done."""
    input:
        report=rules.verify.output,
        pushed=PUSHED["push"] if SETTINGS.push_step == "push" else [],
    output:
        DISCARDED,
    log:
        "results/logs/discard/{variant}.log",
    localrule: True
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae,
        checkpoint=lambda wildcards: str(VARIANTS[wildcards.variant].place),
    shell:
        "{params.videomae} discard {params.checkpoint:q} {output:q} > {log:q} 2>&1"
