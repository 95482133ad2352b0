"""Jobs of RQ, as users write them."""

import os
import signal
import time

from redis import Redis

from signalbox.integrations.rq import SignalboxQueue

connection = Redis.from_url(os.environ["TEST_REDIS"] + "/3")
queue = SignalboxQueue("mail", connection=connection)


def add(x, y, password=None):
    return x + y


def fail(number):
    raise LookupError(f"no customer {number}")


def flaky(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ConnectionError("the shop is away")
    return "bought"


def slow():
    time.sleep(60)


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def parent():
    queue.enqueue(add, 20, 22)
