"""Folders and cards in an environment with torchvision (`make test-torchvision`)."""
