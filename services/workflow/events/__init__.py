"""Events for workflows: the door by which they come, and how they get to the runs that listen."""
