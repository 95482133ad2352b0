"""Jobs of Celery on Signalbox: orders of a shop, one retry, one failure, and a run whose jobs are its work items.

signalbox serve &
pip install celery
python examples/integrations/celery_orders.py

Broker and worker are part of this program, so it needs no network. With a broker of your own, run the worker as usual:
`celery -A celery_orders worker`.
"""

from __future__ import annotations

import os
import random
import time

from celery import Celery, Task
from celery.contrib.testing.worker import start_worker

from signalbox import open_store, open_task
from signalbox.integrations import celery as signalbox_celery

STORE = os.environ.get("SIGNALBOX_STORE_URL", "sqlite:///signalbox.db")

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.update(task_default_queue="orders", worker_hijack_root_logger=False)
signalbox_celery.install(STORE)


@app.task(name="shop.charge", bind=True, max_retries=3)
def charge(self: Task, order: int, card_token: str) -> dict[str, object]:
    """Charge a card. The payment service is away for the first attempt of every third order."""
    time.sleep(0.4)
    if order % 3 == 0 and self.request.retries == 0:
        raise self.retry(exc=ConnectionError("payment service: connection refused"), countdown=1)
    return {"order": order, "charged": round(random.uniform(9, 90), 2)}


@app.task(name="shop.ship")
def ship(order: int, street: str) -> str:
    """Print a label."""
    time.sleep(0.3)
    if not street:
        raise ValueError(f"order {order} has no street")
    return f"label-{order}.pdf"


@app.task(name="shop.resize")
def resize(picture: str, width: int) -> int:
    """Resize a picture."""
    time.sleep(random.uniform(0.2, 0.8))
    return width


def main() -> None:
    """Enqueue the jobs, and run a worker until all have ended."""
    store = open_store(STORE)
    with start_worker(app, perform_ping_check=False, pool="threads", concurrency=3):
        jobs = [charge.delay(order, card_token="tok_4242") for order in (41, 42, 43)]
        jobs += [ship.delay(41, "Mill Lane 3"), ship.delay(42, "")]
        with open_task(store, title="Publish the winter catalogue", kind="catalogue") as run, run.phase("executing"):
            for number in range(6):
                jobs.append(resize.delay(f"boots-{number}.jpg", width=1200))
            for job in jobs[5:]:
                job.get(propagate=False)
        for job in jobs:
            job.get(propagate=False)
    store.close()


if __name__ == "__main__":
    main()
