"""What envs/Containerfile installs, installed here (`make test-container`)."""
