"""The controllers that a one-machine platform needs: ReplicaSets, and garbage collection by ownerReferences."""
