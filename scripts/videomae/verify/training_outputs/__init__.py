"""Compares outputs of the user's own training code, in an .npz file."""
