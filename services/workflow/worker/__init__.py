"""Worker processes: where runs are stepped, so that no expression can stop the service."""
