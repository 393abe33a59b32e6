"""Reads and checks config.yaml."""
