"""Outputs of the user's own training code (an .npz file), and how they compare."""
