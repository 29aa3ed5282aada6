"""The command ``faas``."""

import sys

from cli.app import run


def main() -> int:
    """Runs ``faas`` with this process's arguments. Returns the exit code."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
