"""The services' connection to a real nats-server."""

import asyncio
from pathlib import Path

import pytest

from services.common import bus
from services.common.settings import Common
from tests.support.bus import running_bus
from tests.support.patience import PATIENCE


def test_a_rotated_password_is_taken_at_the_next_connect(tmp_path: Path) -> None:
    with running_bus(tmp_path) as server:
        environment = server.environment("router")
        file = Path(environment["FAAS_NATS_PASSWORD_FILE"])
        settings = Common(nats_url=server.url, nats_user="router", nats_password_file=str(file))

        def rotate() -> None:
            config = tmp_path / "nats.conf"
            config.write_text(config.read_text().replace(server.passwords["router"], "another-password"))
            file.write_text("another-password\n")

        async def scene() -> None:
            client = await bus.connect(settings, "router")
            try:
                subscription = await client.subscribe("_INBOX.router.test")
                await client.flush()
                rotate()
                await asyncio.to_thread(server.restart)
                async with asyncio.timeout(PATIENCE):
                    while True:  # a message that is published while there is no connection may be lost
                        await client.publish("_INBOX.router.test", b"again")
                        try:
                            assert (await subscription.next_msg(0.2)).data == b"again"
                            return
                        except TimeoutError:
                            continue
            finally:
                await client.close()

        asyncio.run(scene())


def test_a_password_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    settings = Common(nats_user="router", nats_password_file=str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError):
        asyncio.run(bus.connect(settings, "router"))
