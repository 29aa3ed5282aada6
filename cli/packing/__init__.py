"""From a folder on this machine to a Function's source: inline text, or an archive with its requirements unpacked."""
