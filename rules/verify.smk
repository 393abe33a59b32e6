"""From a folder to the proof that it computes what the checkpoint's network computes."""


rule verify:
    """Check that the outputs of the folder match the original checkpoint."""
    input:
        checkpoint=CHECKPOINT,
        receipt=RECEIPT,
        config=rules.convert.output.config,
        weights=rules.convert.output.weights,
        processor=rules.convert.output.processor,
        labels=label_files,
        recorded=recorded_files,
        truth=training_outputs,
        again=rerun_mark("verify"),
    output:
        "results/verification/{variant}.json",
    log:
        text="results/logs/verify/{variant}.log",
        report="results/logs/verify/{variant}.json",
    benchmark:
        "results/benchmarks/verify/{variant}.tsv"
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        **VERIFY_GPU,
        mem_mb=verify_memory,
    params:
        videomae=videomae,
        code=code.digest("verify"),
        folder=subpath(input.config, parent=True),
        labels=lambda wildcards, input: label_option(wildcards, input) or "--labels=none",
        options=network_options,
        recorded=lambda wildcards: VARIANTS[wildcards.variant].recorded_option,
        recorded_files=recorded_file_options,
        recorded_outputs=SETTINGS.recorded_outputs,
        device=SETTINGS.device,
        withdrawn=withdrawn(states.STEPS["card"]),
        pinned=pinned,
    shell:
        "{params.videomae} verify {params.withdrawn:q} {input.checkpoint:q} {params.folder:q}"
        " --receipt {input.receipt:q} {params.pinned:q} --variant {wildcards.variant:q}"
        " {params.labels:q} {params.options:q}"
        " --recorded {params.recorded:q} --recorded-files {params.recorded_files:q}"
        " --recorded-outputs {params.recorded_outputs} --device {params.device}"
        " --report {log.report:q} --passed {output:q} > {log.text:q} 2>&1"
