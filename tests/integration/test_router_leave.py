"""Leaving a queue group under load: what nats-server had given to the one that leaves is still answered."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
import uvloop
from nats.aio.msg import Msg

from services.common import bus as common_bus
from services.common.natsclient import FastClient
from services.common.settings import Common
from tests.support.bus import running_bus
from tests.support.patience import until
from tests.support.router import settle


@pytest.mark.parametrize("at_once", [False, True])
def test_no_request_is_lost_when_a_member_leaves(tmp_path: Path, at_once: bool) -> None:
    async def scene(settings: Common) -> None:
        async def join() -> tuple[FastClient, object]:
            member = await common_bus.connect(settings, "member")

            async def answer(message: Msg) -> None:
                answered[member] += 1
                await member.publish(message.reply, b"ok")

            subscription = await member.subscribe("faas.test", queue="group", cb=answer)
            if at_once:
                member.deliver_at_once(subscription, answer)
            await settle(member)
            return member, subscription

        async def call() -> None:
            while not stop.is_set():
                await caller.request("faas.test", b"", timeout=10.0)  # raises when nobody answers

        stop, answered = asyncio.Event(), Counter[FastClient]()
        caller, (stays, _) = await common_bus.connect(settings, "caller"), await join()
        try:
            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                for _ in range(32):
                    tasks.create_task(call())
                for _ in range(60):
                    member, subscription = await join()
                    await until(lambda member=member: answered[member] > 0)  # type: ignore[misc]
                    await common_bus.leave(member, subscription)
                    await member.flush()
                    await member.close()
                stop.set()
        finally:
            await stays.close()
            await caller.close()

    with running_bus(tmp_path) as bus:
        password = tmp_path / "password"
        password.write_text(bus.passwords["admin"])
        settings = Common(nats_url=bus.url, nats_user="admin", nats_password_file=str(password))
        uvloop.run(scene(settings))
