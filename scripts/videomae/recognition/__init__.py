"""Recognises the network in a checkpoint by its tensors, training options and known networks."""
