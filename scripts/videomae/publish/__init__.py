"""From a verified folder to the hub: the model card, its metadata, one commit."""
