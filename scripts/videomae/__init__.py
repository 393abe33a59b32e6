"""Converts the authors' VideoMAE checkpoints to transformers folders, and proves that it did.

Each room is a package; its docstring says what it is for. Arrows go one way, from the top:

    cli
    report
    workflow
    score
    config | publish
    compatibility
    verify | download
    convert
    recognition
    checkpoint
    model
    network

``errors``, ``files`` and the other modules beside the rooms are for all of them.
"""

__version__ = "2.0.0"
