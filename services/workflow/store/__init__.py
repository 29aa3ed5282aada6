"""What the workflow service keeps in JetStream: runs, definitions, large records, timers and events."""
