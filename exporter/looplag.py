"""Measures how late the event loop is: a callback that takes long delays scans, judgement and scrapes alike."""

import asyncio
from collections.abc import Callable

LOOKED_EVERY_SECONDS = 0.5


async def watch_loop(observe: Callable[[float], object]) -> None:
    """Report again and again by how many seconds the loop ran this task late; ends by cancellation."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOKED_EVERY_SECONDS
        await asyncio.sleep(LOOKED_EVERY_SECONDS)
        observe(max(0.0, loop.time() - due))
