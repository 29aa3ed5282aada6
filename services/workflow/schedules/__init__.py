"""Schedules of workflows: runs that begin by time and by events."""
