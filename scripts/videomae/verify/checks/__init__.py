"""Checks of one thing each: the files, the processor, the outputs, the pipeline, the precision."""
