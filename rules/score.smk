"""Accuracy on labelled videos: `score` in config.yaml.

What is computed of a video is kept in results/scores/.VARIANT.views/, which is no output, so that a
job that failed, or whose list was edited, goes on from it. Results of variants that a run does not
score are files like any other.
"""

SHARD = "results/scores/shards/{variant}/{shard}-of-{shards}.json"
SCORABLE = any_of(SCORED)


rule score:
    """Compute the logits of a part of the labelled videos."""
    input:
        videos=lambda wildcards: own_files([SCORED[wildcards.variant].videos]),
        report=rules.verify.output,
        config=rules.convert.output.config,
        weights=rules.convert.output.weights,
    output:
        SHARD,
    log:
        "results/logs/score/{variant}/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/score/{variant}/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        variant=SCORABLE,
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        **SCORE_GPU,
        mem_mb=score_memory,
    params:
        videomae=videomae,
        code=code.digest("score"),
        logits=[f"--output={RESULTS}/scores"],
        folder=subpath(input.config, parent=True),
        options=lambda wildcards: SCORED[wildcards.variant].computed,
    shell:
        "{params.videomae} score {params.folder:q} {input.videos:q} {params.options:q}"
        " --shard {wildcards.shard}/{wildcards.shards} {params.logits:q} --done {output:q}"
        " > {log:q} 2>&1"


rule merge:
    """Merge all parts' views into the accuracy of a variant."""
    input:
        shards=all_shards,
        videos=lambda wildcards: own_files([SCORED[wildcards.variant].videos]),
        config=rules.convert.output.config,
    output:
        json=inputs.SCORES,
        csv="results/scores/{variant}.csv",
        examples=inputs.EXAMPLES,
    log:
        "results/logs/merge/{variant}.log",
    wildcard_constraints:
        variant=SCORABLE,
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: memory(1500, attempt),
    params:
        videomae=videomae,
        code=code.digest("score"),
        logits=[f"--output={RESULTS}/scores"],
        folder=subpath(input.config, parent=True),
        options=lambda wildcards: SCORED[wildcards.variant].computed
        + SCORED[wildcards.variant].merged,
    shell:
        "{params.videomae} score {params.folder:q} {input.videos:q} {params.options:q}"
        " --merge {params.logits:q} > {log:q} 2>&1"


rule scores:
    """Score every variant with a head on the labelled videos."""
    input:
        scores_requested,
