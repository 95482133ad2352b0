"""The baseline of the machine: an asyncio protocol on uvloop that writes the same bytes to every socket.

It has no store, HTTP server, cursor or resume. It emits by itself, takes the commands of `bench.emitter`, and writes
`group` events at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from typing import cast

import uvloop

from bench.event import bare_message

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache, no-transform\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class Stream(asyncio.Protocol):
    """One socket that receives a response head and then every write."""

    open: set[Stream] = set()  # noqa: RUF012 (all streams of the process)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport has this method, but is not an instance of asyncio's class.
        self.write = cast(asyncio.WriteTransport, transport).write

    def data_received(self, data: bytes) -> None:
        self.write(HEAD)
        self.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self)


class MessageWriter:
    """Write events 1, 2, 3 … to all streams at the requested rate."""

    def __init__(self) -> None:
        self.seq = 0

    def write(self, group: int) -> None:
        body = b"".join(bare_message(self.seq + n) for n in range(1, group + 1))
        self.seq += group
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        for stream in Stream.open:
            stream.write(chunk)

    async def emit(self, rate: float, group: int, seconds: float) -> None:
        began, first = time.monotonic(), self.seq
        while (elapsed := time.monotonic() - began) < seconds:
            due = int(elapsed * rate / group) + 1
            while (self.seq - first) // group < due:
                self.write(group)
                await asyncio.sleep(0)
            await asyncio.sleep(max(0.0, began + due * group / rate - time.monotonic()))
        print(json.dumps({"emitted": self.seq - first, "seconds": time.monotonic() - began}), flush=True)


async def _serve(port: int) -> None:
    loop, emitter = asyncio.get_running_loop(), MessageWriter()
    commands: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(0, lambda: commands.put_nowait(os.read(0, 4096)))
    server = await loop.create_server(Stream, "127.0.0.1", port, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    while lines := (await commands.get()).splitlines():
        for line in lines:
            command = json.loads(line)
            await emitter.emit(command["rate"], command["group"], command["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
