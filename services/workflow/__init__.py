"""The workflow engine: runs definitions of the Open Workflow Specification, durably."""
