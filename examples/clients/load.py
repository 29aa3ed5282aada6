"""Calls one URL from several threads for some seconds and counts the answers by status.

python load.py URL BODY_FILE THREADS SECONDS
"""

import collections
import concurrent.futures
import http.client
import pathlib
import sys
import time
import urllib.parse


def call_until(url: urllib.parse.SplitResult, body: bytes, end: float) -> collections.Counter[int]:
    statuses: collections.Counter[int] = collections.Counter()
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    while time.monotonic() < end:
        connection.request("POST", url.path, body, {"Content-Type": "text/plain"})
        response = connection.getresponse()
        response.read()
        statuses[response.status] += 1
    connection.close()
    return statuses


def main(url: str, file: str, threads: str, seconds: str) -> None:
    body, end = pathlib.Path(file).read_bytes(), time.monotonic() + float(seconds)
    with concurrent.futures.ThreadPoolExecutor(int(threads)) as pool:
        runs = [pool.submit(call_until, urllib.parse.urlsplit(url), body, end) for _ in range(int(threads))]
        total = sum((run.result() for run in runs), collections.Counter[int]())
    print(", ".join(f"{count} calls answered with {status}" for status, count in sorted(total.items())))


main(*sys.argv[1:])
