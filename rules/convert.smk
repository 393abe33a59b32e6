"""From a checkpoint to a transformers folder."""


rule convert:
    """Write a checkpoint as a transformers folder."""
    input:
        checkpoint=CHECKPOINT,
        receipt=RECEIPT,
        labels=label_files,
        again=rerun_mark("convert"),
    output:
        config="results/models/{variant}/config.json",
        weights="results/models/{variant}/model.safetensors",
        processor="results/models/{variant}/preprocessor_config.json",
    log:
        text="results/logs/convert/{variant}.log",
        record="results/logs/convert/{variant}.json",
    benchmark:
        "results/benchmarks/convert/{variant}.tsv"
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: memory(300, attempt),
    params:
        videomae=videomae,
        code=code.digest("convert"),
        folder=subpath(output.config, parent=True),
        labels=label_option,
        options=network_options,
        withdrawn=withdrawn(states.STEPS["verify"], states.STEPS["card"]),
        pinned=pinned,
    shell:
        "{params.videomae} convert {params.withdrawn:q} {input.checkpoint:q} {params.folder:q}"
        " --receipt {input.receipt:q} {params.pinned:q} {params.labels:q} {params.options:q}"
        " --record {log.record:q} --overwrite > {log.text:q} 2>&1"
