"""An app of Procrastinate, as users write it."""

import asyncio
import os

from procrastinate import App, PsycopgConnector

from signalbox.integrations import procrastinate as signalbox_procrastinate

app = App(connector=PsycopgConnector(conninfo=os.environ["TEST_POSTGRES"]))
signalbox_procrastinate.install(app)


@app.task(name="add", queue="mail")
def add(x, y, password=None):
    return x + y


@app.task(name="fail")
def fail(number):
    raise LookupError(f"no customer {number}")


@app.task(name="flaky", retry=2)
def flaky(path):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ConnectionError("the shop is away")
    return "bought"


@app.task(name="endless")
async def endless():
    await asyncio.sleep(600)


@app.task(name="parent")
async def parent():
    await add.defer_async(x=20, y=22)
