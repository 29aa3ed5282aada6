"""Workflows as resources: which definitions are accepted, and what else the API server knows that runs need."""
