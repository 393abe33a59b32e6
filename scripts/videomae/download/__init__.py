"""From a source (Google Drive, the hub, https, a path) to a file here, with its receipt."""
