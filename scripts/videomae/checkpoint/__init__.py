"""The authors' files, read safely: formats, pickles that make nothing but data, lazy tensors."""
