"""The differential test: the same generated requests to a real API server and to ours, and their answers compared."""
