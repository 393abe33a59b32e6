"""What a folder computes in other releases of transformers."""
