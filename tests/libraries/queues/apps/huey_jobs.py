"""Tasks of Huey, as users write them."""

import os
import time

from huey import CancelExecution, RedisHuey

from signalbox.integrations import huey as signalbox_huey

huey = RedisHuey("mail", url=os.environ["TEST_REDIS"] + "/5")
signalbox_huey.install(huey)


@huey.task()
def add(x, y, password=None):
    return x + y


@huey.task()
def fail(number):
    raise LookupError(f"no customer {number}")


@huey.task(retries=2)
def flaky(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ConnectionError("the shop is away")
    return "bought"


@huey.task()
def cancels():
    raise CancelExecution()


@huey.task()
def endless():
    time.sleep(600)


@huey.task()
def parent():
    add(20, 22)
