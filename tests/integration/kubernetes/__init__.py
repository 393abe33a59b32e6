"""profiles/kubernetes, with stand-ins of the cluster and of S3 here (`make test-kubernetes`)."""
