"""Measures a folder's accuracy on labelled videos, with the authors' or usual preprocessing."""
