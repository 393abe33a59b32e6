"""Reads the authors' files safely: file formats, pickles restricted to data, lazy tensors."""
