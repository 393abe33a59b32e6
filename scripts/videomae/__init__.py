"""Converts the authors' VideoMAE checkpoints to transformers folders, and proves that it did.

One module answers one question.

Of a checkpoint:

- magic: is this a checkpoint file at all?
- checkpoint: what is in it?
- opcodes: what would loading its pickle take?
- unpickling: what may a pickle make?  (nothing that acts)
- containers: where is the state dict, and what are its tensors called by the authors?
- architecture: which network is it?  (tensors, args, table to VideoMAEConfig values)
- networks: which networks did the authors publish?
- options: which options do the authors' training scripts have?
- training_options: what do a file's options say of its network?
- signs, relatives: do they say that it is another project's?
- assumptions: what is assumed, since no tensor tells it?
- stored: where in a file is a tensor, and what does it hold?
- safetensors_file: how is a file of safetensors read and written?
- folding: what can go, since the rest can do its work?
- renaming: what is each tensor called in transformers?  (one table, read in both directions)
- labels: what are the classes called?
- numbering: which labels carry a number beside their name?
- data_sets: what was it trained on?
- description: what is this file, and can it be converted?

Of a folder:

- folder: how is it written?
- contents: what may one hold?
- precision: which precision do its weights have?
- reading: what does one hold, whoever saved it?
- restoring: how does it become the authors' checkpoint again?
- card: what does its model card say?
- quoting: how do words from elsewhere stand in Markdown?
- families: whose code and paper does a card name?
- metadata: would the hub take what stands at a card's head?
- licenses: which licenses does the hub know?
- access: may this run push?
- publishable: may this folder be published?
- loadable: which files of a repository would a loader read?
- publishing: how does it go to the hub?
- hub: what does a failure there mean?

Of the proof:

- reference: what does the authors' network compute?
- clips, imagenet: which pixels and masks go in, and how are they normalised?
- lockstep: at which step do the outputs of reference and folder first differ?
- final_norm: how far does transformers' eps in the last norm move the outputs?
- function_checks: do outputs and losses of a loaded model agree with the reference's?
- preprocessing: does the processor make the right pixels?
- recorded: do recorded outputs agree?
- truth_names: which arrays may the training code's outputs hold?
- truth_file: what did the training code's network compute?
- truth: is it the network that was trained?
- truth_causes: why does the training code's network give something else?
- verification: does the folder compute what the checkpoint computes?
- report: what did verifying find?
- statuses: what is verified of a variant, in words?
- loading: what does the folder compute in this release of transformers?
- pipeline_check: what does transformers' pipeline say of a video file?

Of a run:

- written: may Snakemake load this config.yaml?
- settings: what does config.yaml ask for?
- names: which names may variants and files have?
- own: which variants do checkpoints without an entry become?
- sources: where do bytes come from?
- addresses: how is a web address stored and shown?
- environment: which secrets does a step find in its environment?
- drive: what does Google Drive give for a file's id?
- transfers: how far is a transfer?
- retrying: what is tried again, and when?
- remote: where are its results?
- receipts: are these the bytes that should have come?
- unchanged: did files stay the same while they were used?
- provenance: of which bytes, and by which options, is a folder made?
- stale: which results are no longer what their notes, or config.yaml, say?
- shared: how do several runs use one folder of checkpoints?
- placed: did someone put a checkpoint in its place by hand?
- recipes, synthetic: which rehearsal weights are there, and how are they made?
- liveness: is a run alive here?
- space: how much disk does it take?
- imports: which modules does a script use?
- planning: what does Snakemake work out again for every job?
- progress: which variant is in which state?
- totals: how far is a run?
- listening: how is listened to what Snakemake says of its jobs?
- status: how far is each step of each variant?
- releases: in which releases does it load rightly?

Of the report:

- reported: where is it, and what is it made from?
- pages: what does it say of the variants?
- drawing: what does a model make of a clip?
- plots: what does it draw?

Everywhere: command, errors, files, replacing.
"""
