"""Runs that are killed, and disks that are full (`make faults`)."""
