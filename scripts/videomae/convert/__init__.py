"""Converts a checkpoint to a transformers folder, and back."""
