"""kill -9 of workflow services, one or both, nats-server, router and workers under runs, at random moments.

``FAAS_TEST_KILLS`` and ``FAAS_TEST_MINUTES`` make the long campaign of ``make test-faults``.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.support.campaign import VICTIMS, campaign, stage

KILLS = int(os.environ.get("FAAS_TEST_KILLS", "15"))
MINUTES = float(os.environ.get("FAAS_TEST_MINUTES", "0.3"))


@pytest.mark.timeout(120 + MINUTES * 60)
def test_killed_at_random_moments_nothing_is_lost_or_repeated(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAAS_TEST_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    with stage(tmp_path) as on:
        runs = asyncio.run(campaign(on, KILLS, MINUTES * 60, lambda: chance.choice(VICTIMS)))
        repeats = sum(len(moments) - 1 for moments in on.effects("again").values())
    print(
        f"seed {seed}: {on.kills.total()} kills {dict(on.kills)}; {len(runs.ended)} runs, all completed, in at most "
        f"{runs.slowest:.1f} s each; {repeats} repeats of calls without a recorded outcome, none of a recorded step; "
        f"{runs.caught} lost outcomes caught; "
        f"the longest standstill: {runs.standstill[0]:.1f} s in {runs.standstill[1]}"
    )
