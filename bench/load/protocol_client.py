"""The load client for machines without a C compiler: an asyncio protocol with the options and output of `sseload`.

It uses several times the CPU of the compiled client, so at high rates the client is the bottleneck. The table says when
it was used.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import time
from functools import partial
from typing import Any, cast

from bench.load.response import Counters, Follower, Response


class MeasuredPhase:
    """The counters between two marks."""

    def __init__(self, name: str, *, counted: bool) -> None:
        self.name, self.counted = name, counted
        self.count = Counters()
        self.seconds = -time.monotonic()
        self.cpu_s = -_cpu_seconds()

    def end(self) -> None:
        self.seconds += time.monotonic()
        self.cpu_s += _cpu_seconds()

    def figures(self) -> dict[str, Any]:
        count, latencies = self.count, sorted(self.count.latencies)

        def quantile(q: float) -> float:
            return latencies[min(int(q * len(latencies)), len(latencies) - 1)] / 1000 if latencies else 0.0

        volume = {n: getattr(count, n) for n in ("events", "reads", "chunks", "bytes", "keepalives", "control")}
        order = {n: getattr(count, n) for n in ("gaps", "missing", "duplicates", "reordered", "reconnects")}
        return {
            "seconds": self.seconds,
            "cpu_s": self.cpu_s,
            "deliveries_per_s": count.events / self.seconds if self.seconds > 0 else 0.0,
            **volume,
            "samples": len(latencies),
            **{f"p{q}_ms": quantile(q / 100) for q in (50, 90, 99)},
            "max_ms": latencies[-1] / 1000 if latencies else 0.0,
            **order,
            "errors": sum(count.errors.values()),
            "error_kinds": count.errors,
        }


class Client:
    """Open the streams of one run and record its phases."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.phases = [MeasuredPhase("connect", counted=not options.warmup)]
        self.opened, self.failed = set[int](), set[int]()
        self.complete = self.ended = 0
        self.ready, self.stop = asyncio.Event(), asyncio.Event()
        since = None if options.since == "any" else int(options.since)
        self.followers = [Follower(number, since) for number in range(options.streams)]

    @property
    def count(self) -> Counters:
        return self.phases[-1].count

    def settle(self, number: int, *, ok: bool) -> None:
        if number not in self.opened and number not in self.failed:
            (self.opened if ok else self.failed).add(number)
        if len(self.opened) + len(self.failed) == self.options.streams:
            self.ready.set()

    def mark(self, name: str, *, counted: bool = True) -> None:
        self.phases[-1].end()
        _say({"phase": self.phases[-1].name, **self.phases[-1].figures()})
        self.phases.append(MeasuredPhase(name, counted=counted))

    async def follow(self, number: int) -> None:
        """Follow one stream from its first connect to its end, with reconnects if the options ask for them."""
        options, follower = self.options, self.followers[number]
        await asyncio.sleep(number / options.connect_rate)
        loop = asyncio.get_running_loop()
        while True:
            link = Link(self, number)
            try:
                await loop.create_connection(partial(_same, link), options.host, options.port)
            except OSError:
                self.count.errors["connect"] += 1
            else:
                await link.over
            if options.until_seq and follower.last_id >= options.until_seq:
                self.complete += 1
                return
            clean = link.response.state == "ended"
            self.ended += clean
            if not options.reconnect:
                self.settle(number, ok=False)
                return
            self.count.reconnects += 1
            refused = link.response.status not in (0, 200)
            await asyncio.sleep(link.response.retry_ms / 1000 or (0 if clean else 1.0 if refused else 0.1))

    async def run(self) -> None:
        options, began = self.options, time.monotonic()
        streams = [asyncio.ensure_future(self.follow(number)) for number in range(options.streams)]
        readers = asyncio.gather(*streams[options.stalled :])
        ends = asyncio.ensure_future(self.stop.wait())
        pacing = asyncio.ensure_future(self.pace(began))
        finished: list[asyncio.Future[Any]] = [ends, readers] if options.stalled < options.streams else [ends]
        await asyncio.wait(finished, return_when=asyncio.FIRST_COMPLETED)
        for task in (*streams, ends, pacing):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await readers
        self.report()

    async def pace(self, began: float) -> None:
        options = self.options
        await self.ready.wait()
        self.mark("warmup" if options.warmup else "main", counted=not options.warmup)
        standing = {"streams": options.streams, "connected": len(self.opened), "failed": len(self.failed)}
        _say({"ready": True, **standing, "seconds": time.monotonic() - began})
        if options.warmup:
            await asyncio.sleep(options.warmup)
            self.mark("main")
        if options.duration:
            await asyncio.sleep(options.duration)
            self.stop.set()

    def on_command(self) -> None:
        commands = os.read(0, 4096).decode()
        for line in commands.splitlines():
            if line.startswith("mark "):
                self.mark(line[5:])
            elif line == "stop":
                self.stop.set()
        if not commands:
            asyncio.get_running_loop().remove_reader(0)
            if not self.options.duration and not self.options.until_seq:
                self.stop.set()

    def report(self) -> None:
        self.phases[-1].end()
        total = MeasuredPhase("total", counted=True)
        total.seconds = sum(phase.seconds for phase in self.phases if phase.counted)
        total.cpu_s = sum(phase.cpu_s for phase in self.phases if phase.counted)
        for phase in self.phases:
            total.count.add(phase.count, volume=phase.counted)
        ids = [follower.last_id for follower in self.followers[self.options.stalled :]] or [0]
        standing = {"streams": self.options.streams, "connected": len(self.opened), "stalled": self.options.stalled}
        ends = {"failed": len(self.failed), "complete": self.complete, "ended": self.ended}
        phases = [{"phase": phase.name, **phase.figures()} for phase in self.phases]
        place = {"min_id": min(ids), "max_id": max(ids)}
        _say({"total": True, "client": "python", **standing, **ends, **place, **total.figures(), "phases": phases})


class Link(asyncio.Protocol):
    """One connection: send the request, feed the response, and report its end."""

    def __init__(self, client: Client, number: int) -> None:
        self.client, self.number = client, number
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.response = Response(client.followers[number], client.options.sample)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)
        options, follower = self.client.options, self.client.followers[self.number]
        lines = [
            f"GET {options.path.replace('{i}', str(self.number % options.tasks), 1)} HTTP/1.1",
            f"Host: {options.host}:{options.port}",
        ]
        lines += ["Accept: text/event-stream", "Connection: keep-alive"]
        lines += [f"Last-Event-ID: {follower.last_id}"] if follower.seen else []
        lines += [options.header] if options.header else []
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        client, response = self.client, self.response
        client.count.reads += 1
        client.count.bytes += len(data)
        response.feed(data, client.count, time.time_ns() // 1000)
        if response.status == 200 and response.state != "head":
            client.settle(self.number, ok=True)
        until = client.options.until_seq
        done = until and response.follower.last_id >= until
        if response.state in ("ended", "broken") or (done and self.number >= client.options.stalled):
            self._over()
        elif self.number < client.options.stalled and response.state != "head":
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.client.count.errors["cut"] += 1
            self._over()

    def _over(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
        self.transport.abort()


def _same(link: Link) -> Link:
    return link


def _cpu_seconds() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind, default in (
        ("host", str, "127.0.0.1"), ("port", int, None), ("path", str, "/"), ("streams", int, 1), ("stalled", int, 0),
        ("tasks", int, 1), ("sample", int, 1), ("duration", float, 0), ("until-seq", int, 0), ("warmup", float, 0),
        ("connect-rate", float, 2000), ("since", str, "0"), ("header", str, None),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=kind, default=default, required=default is None and kind is int)
    parser.add_argument("--reconnect", action="store_true")
    return parser.parse_args()


async def _main() -> None:
    client = Client(_options())
    with contextlib.suppress(PermissionError):  # A regular file cannot be polled.
        asyncio.get_running_loop().add_reader(0, client.on_command)
    await client.run()


if __name__ == "__main__":
    asyncio.run(_main())
