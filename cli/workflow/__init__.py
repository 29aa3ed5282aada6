"""``faas workflow``: runs of workflows, one module a verb."""
