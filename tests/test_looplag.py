"""How late the loop is."""

import asyncio
import time

from exporter.looplag import LOOKED_EVERY_SECONDS, watch_loop


def test_a_callback_that_takes_long_shows() -> None:
    async def run() -> list[float]:
        lags: list[float] = []
        watch = asyncio.create_task(watch_loop(lags.append))
        await asyncio.sleep(0.01)  # it has begun
        time.sleep(LOOKED_EVERY_SECONDS + 0.2)  # noqa: ASYNC251 - blocks the loop
        while not lags:
            await asyncio.sleep(0.01)
        watch.cancel()
        return lags

    assert asyncio.run(run())[0] >= 0.19
