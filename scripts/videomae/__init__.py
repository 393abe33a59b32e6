"""Converts the authors' VideoMAE checkpoints to transformers folders and verifies the result.

Each room is a package whose docstring says what it is for. Imports go one way, downwards:

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

All rooms may import ``errors``, ``files`` and the other modules beside them.
"""

__version__ = "2.0.0"
