"""The command ``videomae``: one module for each subcommand, with its options and output."""
