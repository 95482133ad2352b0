"""An app of Celery, as users write it."""

import os
import signal
import time

from celery import Celery

from signalbox.integrations import celery as signalbox_celery

app = Celery("jobs", broker=os.environ["TEST_REDIS"] + "/1", backend=os.environ["TEST_REDIS"] + "/1")
app.conf.update(task_default_queue="mail", broker_connection_retry_on_startup=True)
signalbox_celery.install()


@app.task
def add(x, y, password=None):
    return x + y


@app.task
def fail(number):
    raise LookupError(f"no customer {number}")


@app.task(bind=True, max_retries=3)
def flaky(self):
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("the shop is away"), countdown=0.2)
    return "bought"


@app.task(time_limit=1)
def slow():
    time.sleep(60)


@app.task(soft_time_limit=1)
def soft():
    time.sleep(60)


@app.task
def dies():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def parent():
    add.delay(20, 22)


@app.task
def endless():
    time.sleep(600)
