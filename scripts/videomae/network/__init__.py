"""What all transfers share: addresses without secrets, retries, progress, hub failures."""
