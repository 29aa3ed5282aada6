"""What crosses a process boundary: names, resources, subjects, headers, messages, events, error codes. No I/O."""
