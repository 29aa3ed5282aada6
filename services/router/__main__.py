"""``python -m services.router``."""

from services.common.service import run
from services.router.config import RouterSettings
from services.router.server import main

if __name__ == "__main__":
    run("router", RouterSettings, main)
