"""Starts the workflow service: ``python -m services.workflow``."""

from services.common.service import run
from services.workflow.config import Settings
from services.workflow.driver.server import main

if __name__ == "__main__":
    run("workflow", Settings, main)
