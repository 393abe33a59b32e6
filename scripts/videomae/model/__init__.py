"""What a VideoMAE network is: its sizes, tensors, positions, labels and data sets."""
