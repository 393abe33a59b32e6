"""What config.yaml says, checked."""
