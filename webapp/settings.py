"""All settings of the server, each with its name, default, bounds and help.

A setting `flush_interval` is the flag `--flush-interval` and the variable `SIGNALBOX_FLUSH_INTERVAL`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from signalbox.store.chain.keys import BadKey, signing_key
from signalbox.store.redaction.rules import DEFAULT_RULES, InvalidRule, Redaction
from signalbox.store.retention import InvalidRetention, RetentionFile
from signalbox.webapp.coding_agents.rules import InvalidRules, Rules
from signalbox.webapp.prices.budget import Budgets
from signalbox.webapp.prices.price_table import InvalidPrices, Prices

TELEMETRY_MODULES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
"""The modules of the extra `opentelemetry`, without which the setting `telemetry` cannot be on."""

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")


class InvalidSetting(ValueError):
    """A setting has an invalid value. The message names the setting, the value and what is allowed."""


def _setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    env: str | None = None,
) -> Any:
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices, "env": env})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one server. Times are in seconds, sizes in bytes."""

    store: str = _setting("sqlite:///signalbox.db", "URL of the store, which keeps the log.", env="SIGNALBOX_STORE_URL")
    bus: str = _setting(
        "",
        "URL of a Redis server through which processes on PostgreSQL wake each other; without it PostgreSQL does that.",
        env="SIGNALBOX_BUS_URL",
    )
    synchronous: str = _setting(
        "NORMAL", "SQLite's durability: after a power loss FULL keeps the last commits too.", choices=("NORMAL", "FULL")
    )
    cold_storage: str = _setting(
        "",
        "Where files of cold storage go: a directory, or s3://BUCKET/PREFIX; by default FILE.cold beside the"
        " SQLite file.",
    )
    cold_after: float = _setting(
        0.0,
        "A task that ended moves to cold storage this many days after its last event; 0 moves none.",
        low=0,
        high=36_500,
    )
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8000, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    otlp_port: int = _setting(
        0,
        "Second port, which takes only OTLP; 4318 is the port that exporters use by default, 0 opens none.",
        low=0,
        high=65535,
    )
    workers: int = _setting(1, "Number of server processes, which share the port.", low=1, high=256)
    drain_delay: float = _setting(
        0.0, "Time for which a stopping server still serves, so that proxies see /readyz fail.", low=0, high=300
    )
    allowed_hosts: str = _setting(
        "", "Host names that the server answers to, separated by commas; on loopback also localhost, 127.0.0.1 and ::1."
    )
    cors_origins: str = _setting("", "Origins whose pages may read the API and the streams, separated by commas.")
    log_format: str = _setting("text", "Format of the server's own log.", choices=("text", "json"))
    log_level: str = _setting(
        "info", "Lowest level that the server logs.", choices=("debug", "info", "warning", "error")
    )

    root_path: str = _setting("", "Path prefix of all addresses, such as /signalbox; a proxy must not strip it.")
    trusted_proxies: str = _setting(
        "",
        "Addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted, separated by commas.",
    )
    session_life: float = _setting(30 * 86400.0, "How long a browser stays logged in.", low=60, high=366 * 86400)
    login_attempts: int = _setting(
        10, "Failed log-ins allowed in five minutes from one network address for one account.", low=1, high=10_000
    )

    max_body: int = _setting(4 * 1024 * 1024, "Largest request body.", low=1024, high=1024**3)
    max_artifact: int = _setting(10 * 1024 * 1024, "Largest artifact of a run.", low=1024, high=1024**3)
    max_otlp_body: int = _setting(
        16 * 1024 * 1024, "Largest request of OTLP, before and after decompression.", low=1024, high=1024**3
    )
    heartbeat_timeout: float = _setting(
        45.0, "A run with heartbeats is marked interrupted after this long without an event.", low=0.2, high=86400
    )
    stale_after: float = _setting(
        600.0, "A running task is marked stale in the list after this long without an event.", low=0.2, high=30 * 86400
    )

    search_index: bool = _setting(
        True, "Keep an index for the search over all runs; false removes it, and searches are slower."
    )

    otlp_kind: str = _setting(
        "", "Kind of the tasks that traces and logs of OpenTelemetry become; without it, the name of the service."
    )
    trace_quiet: float = _setting(
        10.0, "A trace whose root span has ended is complete after this long without an event.", low=0.2, high=86400
    )
    trace_timeout: float = _setting(
        300.0,
        "A trace without a root span, or a service's log, ends after this long without an event.",
        low=0.2,
        high=30 * 86400,
    )

    allow_retry: bool = _setting(True, "Allow people to retry commands that `signalbox run` started on this store.")
    redact: str = _setting(
        DEFAULT_RULES,
        "What exports hide: words that name payload keys, and /regular expressions/ for texts, separated by commas.",
    )
    redact_writes: bool = _setting(
        False, "Hide the same in tasks and events that arrive over HTTP, before they are stored."
    )

    hook_rules: str = _setting(
        "",
        "Rules for the tools of coding agents: a JSON file, which is read again when it changes, or the JSON itself.",
    )
    hook_wait: float = _setting(
        300.0,
        "Longest time that a coding agent waits here for an answer; then it asks in its own way.",
        low=1,
        high=86400,
    )

    telemetry: bool = _setting(
        False, "Report the server's own spans and logs to the OTLP collector that the OTEL_ variables name."
    )

    signing_key: str = _setting(
        "", "File with the Ed25519 key that signs the heads of logs; without it, the store's own key signs them."
    )
    signing_interval: int = _setting(
        1000, "Number of events of a run after which its log is signed again.", low=1, high=1_000_000
    )

    prices: str = _setting(
        "", "Prices of models: a JSON file, or the JSON itself. By them the cost of calls that report none is computed."
    )
    budgets: str = _setting("", "Budgets of kinds of tasks, in US dollars or tokens: a JSON file, or the JSON itself.")

    delete_after: float = _setting(
        0.0, "A task that ended is deleted this many days after its last event; 0 deletes none.", low=0, high=36_500
    )
    max_store_bytes: int = _setting(
        0,
        "Size of all tasks in the database above which the oldest ended ones are deleted; 0 is no limit.",
        low=0,
        high=10**15,
    )
    retention: str = _setting(
        "",
        "Rules per project and kind for moving tasks to cold storage and deleting them: a JSON file, which is read"
        " again when it changes, or the JSON itself.",
    )

    batch_size: int = _setting(10, "Maximum number of events in one write of a JSON stream.", low=1, high=100)
    flush_interval: float = _setting(0.5, "Longest time that an event is held for the next write.", low=0.1, high=5)
    keepalive_interval: float = _setting(
        15.0, "Time without a message after which a stream sends a keepalive.", low=0.1, high=30
    )
    max_events_per_stream: int = _setting(
        10_000, "Events after which a stream asks its client to reconnect.", low=1, high=10**9
    )
    max_stream_life: float = _setting(
        3600.0, "Longest life of a stream; up to a fifth is subtracted at random.", low=1, high=7 * 86400
    )
    max_streams: int = _setting(
        8192, "Maximum number of open streams of a process; further ones are answered 503.", low=1, high=10**6
    )
    max_streams_per_caller: int = _setting(
        256,
        "Maximum number of open streams per account or token, in all processes; further ones are answered 429.",
        low=1,
        high=10**6,
    )
    send_timeout: float = _setting(
        30.0, "A client that reads nothing for this long is disconnected.", low=0.1, high=3600
    )
    stream_compression: bool = _setting(False, "Compress streams (zstd, gzip), message by message.")
    ring_events: int = _setting(4096, "Events of one task kept in memory for its streams.", low=16, high=10**6)

    poll_interval: float = _setting(
        0.1,
        "First interval of the poll for events of other processes, while nothing reports their commits.",
        low=0.001,
        high=60,
    )
    max_poll_interval: float = _setting(2.0, "Longest interval of that poll.", low=0.001, high=60)
    poll_backoff_factor: float = _setting(
        1.5, "Factor by which the interval grows while polls find nothing.", low=1, high=10
    )

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check(spec, getattr(self, spec.name))
        for proxy in filter(None, map(str.strip, self.trusted_proxies.split(","))):
            try:
                ip_network(proxy)
            except ValueError:
                complaint = f"must be addresses such as 10.0.0.0/8, not {proxy!r}"
                raise InvalidSetting(f"trusted_proxies (SIGNALBOX_TRUSTED_PROXIES) {complaint}") from None
        if not is_root_path(self.root_path):
            complaint = f"must be empty or a path without a final slash, such as /signalbox, not {self.root_path!r}"
            raise InvalidSetting(f"root_path (SIGNALBOX_ROOT_PATH) {complaint}")
        if self.signing_key:
            try:
                signing_key(Path(self.signing_key))
            except BadKey as error:
                raise InvalidSetting(f"signing_key (SIGNALBOX_SIGNING_KEY): {error}") from None
        for name, check in (("prices", Prices), ("budgets", Budgets)):
            try:
                check(getattr(self, name))
            except InvalidPrices as error:
                raise InvalidSetting(f"{name} (SIGNALBOX_{name.upper()}): {error}") from None
        try:
            self.retention_rules()
        except InvalidRetention as error:
            raise InvalidSetting(f"retention (SIGNALBOX_RETENTION): {error}") from None
        try:
            Rules(self.hook_rules)
        except InvalidRules as error:
            raise InvalidSetting(f"hook_rules (SIGNALBOX_HOOK_RULES): {error}") from None
        try:
            Redaction(self.redact)
        except InvalidRule as error:
            raise InvalidSetting(f"redact (SIGNALBOX_REDACT): {error}") from None

        if self.telemetry and any(_is_missing(module) for module in TELEMETRY_MODULES):
            extra = "pip install 'signalbox-console[opentelemetry]'"
            raise InvalidSetting(f"telemetry (SIGNALBOX_TELEMETRY) needs the extra opentelemetry: {extra}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **given: Any) -> Settings:
        """Return the settings. `given` takes precedence over `SIGNALBOX_…` variables, and these over defaults.

        Raises InvalidSetting.
        """
        values: dict[str, Any] = {}
        known = {variable(spec): spec for spec in fields(cls)}
        for name, text in environ.items():
            if name in known and not _is_link(name, text):
                values[known[name].name] = _parse(known[name], text)
        values.update({name: value for name, value in given.items() if value is not None})
        return cls(**values)

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that give these settings to another process, which otherwise gets `environ`."""
        return {
            variable(spec): str(value).lower() if isinstance(value, bool) else str(value)
            for spec in fields(self)
            if (value := getattr(self, spec.name)) != spec.default or variable(spec) in environ
        }

    def retention_rules(self) -> RetentionFile:
        """Return the rules of retention with the plain settings. Raises InvalidRetention."""
        return RetentionFile(
            self.retention,
            cold_after=self.cold_after,
            delete_after=self.delete_after,
            max_store_bytes=self.max_store_bytes,
        )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def _is_link(name: str, text: str) -> bool:
    """Whether Kubernetes set the variable, as it does beside services named `signalbox` or `signalbox-otlp`."""
    return name.endswith("_PORT") and text.startswith("tcp://")


def _is_missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ModuleNotFoundError:
        return True


def variable(spec: Field[Any]) -> str:
    """Return the name of a setting's environment variable."""
    return spec.metadata["env"] or f"SIGNALBOX_{spec.name.upper()}"


def _parse(spec: Field[Any], text: str) -> Any:
    kind: type = type(spec.default)
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise InvalidSetting(f"{variable(spec)} must be {wanted}, not {text!r}") from None


def _check(spec: Field[Any], value: Any) -> None:
    low, high, choices = (spec.metadata[name] for name in ("low", "high", "choices"))
    if choices and value not in choices:
        raise InvalidSetting(f"{spec.name} ({variable(spec)}) must be one of {', '.join(choices)}, not {value!r}")
    if low is not None and not low <= value <= high:
        raise InvalidSetting(f"{spec.name} ({variable(spec)}) must be between {low:g} and {high:g}, not {value!r}")


def is_root_path(text: str) -> bool:
    """Whether `text` is empty, or segments of unreserved characters (RFC 3986) with a slash before each."""
    return len(text) <= 200 and bool(_PREFIX.fullmatch(text)) and not _DOTS.search(text)
