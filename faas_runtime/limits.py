"""Every bound of the function server in one place. Sizes are bytes, times are seconds."""

MIB = 1024 * 1024

MAX_BODY = 8 * MIB
"""Largest request body; the bus carries no larger message (design §4)."""

RESULT_HEADER_RESERVE = 8 * 1024
"""Part of the 8 MiB kept for the headers that the Pod and the router add to a result."""

MAX_RESULT = MAX_BODY - RESULT_HEADER_RESERVE
"""Largest result: body and the author's own headers together."""

MAX_HEAD = 64 * 1024
"""Largest request line and headers together."""

MAX_HEADERS = 128
"""Most header lines of a request."""

HEAD_DEADLINE = 10.0
"""From the first byte of a request to the end of its headers; bounds slow-loris clients."""

REQUEST_DEADLINE = 60.0
"""From the first byte of a request to the last one of its body."""

IDLE_TIMEOUT = 75.0
"""A kept-alive connection without a request. The router closes its own after 4 s: a call never meets a closing one."""

LINGER = 1.0
"""How long a closed-for-writing connection is still read, so that the last answer is not lost to a TCP reset."""

MAX_CONNECTIONS = 4096
"""Most connections of one Pod, less where descriptors are scarce; one more is told `busy` and closed."""

BACKLOG = 1024
"""Connections waiting for a worker that starts."""

TICK = 0.5
"""Period of the worker's heartbeat and of its sweep for slow and idle connections."""

STALL_GRACE = 1.0
"""A worker whose loop is silent is killed this long after the last deadline of its calls."""

CANCEL_GRACE = 1.0
"""How long a cancelled `async` handler may clean up before its process is replaced."""

SHORT_CALL = 0.000_1
"""A `def` handler that takes no longer costs less than handing it to another thread, even one that only waits."""

SHORT_CALLS = 100
"""So many short calls in a row, and the thread that runs the loop runs them itself, until one takes longer."""

TURN = 0.001
"""How long that thread runs handlers before it looks for input again."""

PATIENCE = 0.002
"""When a handler still runs then, the loop goes on on another thread."""

MAX_MESSAGE_TEXT = 4096
"""Characters of an exception's text that are passed on to the caller; the log has all of it."""

MAX_ARCHIVE_PACKED = 256 * MIB
MAX_ARCHIVE_UNPACKED = 1024 * MIB
MAX_ARCHIVE_MEMBERS = 100_000

FETCH_PATIENCE = 10.0
"""How long an unreachable archive server is retried."""

START_CRASH_LIMIT = 3
"""Workers that die while starting, one after another, before the Pod gives up."""
