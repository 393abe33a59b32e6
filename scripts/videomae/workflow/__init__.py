"""A run of the workflow, seen from outside: states, outdated results, locks, disk space."""
