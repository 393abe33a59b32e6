"""Runs on a Slurm cluster of one node, this machine (`make test-slurm`)."""
