"""Other versions of Python (`make test-pythons`)."""
