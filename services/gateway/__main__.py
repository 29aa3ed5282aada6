"""Starts the gateway: ``python -m services.gateway``."""

from services.common.service import run
from services.gateway.config import Settings
from services.gateway.server import main

if __name__ == "__main__":
    run("gateway", Settings, main)
