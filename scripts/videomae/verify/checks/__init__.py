"""Checks of one aspect each: the files, the processor, the outputs, the pipeline, the precision."""
