"""Which network a checkpoint holds, by its tensors, its options and the table of networks."""
