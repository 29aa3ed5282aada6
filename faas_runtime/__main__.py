"""``python -m faas_runtime``: the Pod's entry point."""

import sys

from faas_runtime.pod import main

if __name__ == "__main__":
    sys.exit(main())
