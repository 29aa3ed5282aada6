"""Drives runs: whose they are, what they are given, what their commands do, and the requests that control them."""
