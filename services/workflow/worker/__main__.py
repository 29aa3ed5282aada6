"""A worker process; only ``worker.process`` starts it: ``python -m services.workflow.worker SOCKET NOTES LIMITS``.

The first two are descriptors, the last one is JSON.
"""

import socket
import sys

import msgspec

from services.workflow.worker.notes import Notes
from services.workflow.worker.serving import Limits, serve

if __name__ == "__main__":
    connection, notes = socket.socket(fileno=int(sys.argv[1])), Notes(int(sys.argv[2]))
    serve(connection, notes, msgspec.json.decode(sys.argv[3], type=Limits))
