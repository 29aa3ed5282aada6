"""The gateway: HTTP in, NATS out, and the platform's HTTP API."""
