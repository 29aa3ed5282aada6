"""What the platform costs: ``python -m benchmarks.<name>``. docs/reference/numbers.md says how to read them."""
