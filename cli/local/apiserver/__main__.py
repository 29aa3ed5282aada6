"""Start the API server: `python -m cli.local.apiserver --help`."""

import logging
import sys

import uvloop

from cli.local.apiserver import config, server
from cli.local.apiserver.store import StoreError


def main() -> int:
    """Run until SIGTERM or SIGINT; returns the exit status: 0, or 1 when the server could not start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    settings = config.parse()
    try:
        platform = server.Platform(settings)
    except (StoreError, OSError, ValueError) as error:
        print(f"API server: {error}", file=sys.stderr)
        return 1
    try:
        uvloop.run(server.serve(platform, settings))
    finally:
        platform.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
