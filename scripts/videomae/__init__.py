"""Converts the authors' VideoMAE checkpoints to transformers folders, and proves that it did.

One module answers one question:

==============  =====================================================================
checkpoint      what is in this ``.pth``?  (opens any container safely)
architecture    which network is it?  (tensors, args, table -> VideoMAEConfig values)
renaming        what is each tensor called there?  (one table, read in both directions)
folder          how is a transformers folder written, and what does it hold?
labels          what are the classes called?
reference       what does the authors' network compute?
clips           which pixels and masks go in?
verification    does the folder compute what the checkpoint computes?
card            what does the model card say?
synthetic       how are rehearsal weights made?
sources         where do bytes come from?
settings        what does config.yaml ask for?
progress        which variant is in which state?
errors          how does a person hear that something is wrong?
==============  =====================================================================
"""
