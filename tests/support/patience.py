"""How long a test waits for what ought to happen."""

PATIENCE = 45.0
"""Seconds, for what takes a second or less on an idle machine: a busy one may be many times slower, and only a failure
waits to the end of it. (pytest ends a test after 120 s.)"""
