"""A plain NATS subscriber: prints each message on SUBJECT as it comes, until it is stopped.

python subscribe.py NATS_URL SUBJECT
"""

import asyncio
import json
import sys

import nats


async def main(url: str, subject: str) -> None:
    client = await nats.connect(url)
    try:
        subscription = await client.subscribe(subject)
        await client.flush()
        print(f"subscribed to {subject}", flush=True)
        async for message in subscription.messages:
            event = json.loads(message.data)
            print(event["time"], event["type"], event["source"], json.dumps(event["data"]), flush=True)
    finally:
        await client.close()


asyncio.run(main(*sys.argv[1:]))
