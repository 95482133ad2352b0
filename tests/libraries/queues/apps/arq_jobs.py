"""A worker of arq, as users write it."""

import asyncio
import os

from arq import Retry, func
from arq.connections import RedisSettings

from signalbox.integrations.arq import report_jobs

settings = RedisSettings.from_dsn(os.environ["TEST_REDIS"] + "/4")


async def add(ctx, x, y, password=None):
    return x + y


async def fail(ctx, number):
    raise LookupError(f"no customer {number}")


async def flaky(ctx):
    if ctx["job_try"] == 1:
        raise Retry(defer=0.1) from ConnectionError("the shop is away")
    return "bought"


async def slow(ctx):
    await asyncio.sleep(60)


async def endless(ctx):
    await asyncio.sleep(600)


async def parent(ctx):
    await ctx["redis"].enqueue_job("add", 20, 22)


@report_jobs()
class WorkerSettings:
    functions = (add, fail, func(flaky, max_tries=3), func(slow, timeout=0.5), endless, parent)
    redis_settings = settings
    allow_abort_jobs = True
    poll_delay = 0.05
    max_tries = 2
