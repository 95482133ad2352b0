"""A program of taskiq, as users write it."""

import asyncio
import os

from taskiq import SimpleRetryMiddleware
from taskiq_redis import ListQueueBroker

from signalbox.integrations.taskiq import SignalboxTaskiqMiddleware

broker = ListQueueBroker(os.environ["TEST_REDIS"] + "/6", queue_name="mail").with_middlewares(
    SimpleRetryMiddleware(), SignalboxTaskiqMiddleware()
)


@broker.task(task_name="add")
async def add(x, y, password=None):
    return x + y


@broker.task(task_name="fail")
def fail(number):
    raise LookupError(f"no customer {number}")


@broker.task(task_name="flaky", retry_on_error=True, max_retries=3)
def flaky(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ConnectionError("the shop is away")
    return "bought"


@broker.task(task_name="slow", timeout=0.5)
async def slow():
    await asyncio.sleep(60)


@broker.task(task_name="parent")
async def parent():
    await add.kiq(20, 22)
