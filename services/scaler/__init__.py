"""Function to ReplicaSet, and from what callers do to how many Pods."""
