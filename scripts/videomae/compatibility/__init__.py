"""Tests folders with other releases of transformers."""
