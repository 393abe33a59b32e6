"""The proof that a folder computes what the checkpoint computes."""
