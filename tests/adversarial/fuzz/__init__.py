"""Hostile files: each is refused with one message, or converted rightly (`make fuzz`)."""
