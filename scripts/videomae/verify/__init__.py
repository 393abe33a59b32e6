"""Verifies that a folder's outputs match the original checkpoint."""
