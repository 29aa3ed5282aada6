"""How runs are shown: pure functions of a definition and a run's records."""
