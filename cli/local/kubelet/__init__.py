"""A kubelet that runs each Pod as a tree of processes on this machine, with a loopback address of its own."""
