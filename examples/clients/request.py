"""A plain NATS client that knows nothing of the platform: one request, one reply.

python request.py NATS_URL SUBJECT BODY
"""

import asyncio
import sys

import nats


async def main(url: str, subject: str, body: str) -> None:
    client = await nats.connect(url)
    try:
        reply = await client.request(subject, body.encode(), timeout=10)
        print(reply.data.decode())
    finally:
        await client.close()


asyncio.run(main(*sys.argv[1:]))
