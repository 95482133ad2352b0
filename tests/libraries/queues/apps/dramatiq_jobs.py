"""A program of Dramatiq, as users write it."""

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from signalbox.integrations.dramatiq import SignalboxMiddleware

broker = RedisBroker(url=os.environ["TEST_REDIS"] + "/2")
broker.add_middleware(SignalboxMiddleware())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="mail")
def add(x, y, password=None):
    return x + y


@dramatiq.actor(max_retries=0)
def fail(number):
    raise LookupError(f"no customer {number}")


@dramatiq.actor(max_retries=2, min_backoff=100)
def flaky(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ConnectionError("the shop is away")
    return "bought"


@dramatiq.actor(time_limit=500, max_retries=0)
def slow():
    for _ in range(600):
        time.sleep(0.1)


@dramatiq.actor(max_age=1)
def old():
    pass


@dramatiq.actor
def parent():
    add.send(20, 22)
