"""`signalbox hook AGENT`: the command that a coding agent runs as a hook.

It sends the agent's JSON from standard input to `POST /api/hooks/AGENT`, and prints the answer. If Signalbox is away
(no connection, no answer, an error of the server, a name that does not resolve), it keeps the call on disk, prints
nothing and exits with 0 within 200 ms, so the agent goes on as if it had no hook.

An agent waits for this command before and after each of its tool calls. So this module and the three beside it import
little: no package outside the standard library, and neither `json`, `re` nor `http.client` unless they are needed.
"""

from __future__ import annotations

import os
import sys
import time

from signalbox.integrations.agent_hook_exchange import DEFAULT_SERVER, SILENCE_S, HookExchange, query_of, split_url
from signalbox.integrations.agent_hook_facts import facts_of, shortened
from signalbox.integrations.agent_hook_spool import HookSpool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

LIMIT_S = 0.15
"""Seconds from the start of this process until a response must start. Keeping the call takes a little longer."""

LEAST_S = 0.03
"""Seconds for the response even if the process itself took long to start."""

WAIT_S = 300.0
"""Seconds to wait for the answer of a person, unless the settings of the agent say otherwise."""

QUESTIONS = ("PreToolUse", "PermissionRequest", "BeforeTool")
"""The events of all agents whose answer can be a decision."""

MAX_INPUT = 64 * 1024 * 1024

USAGE = "usage: signalbox hook AGENT [--server URL] [--token TEXT] [--project ID] [--wait SECONDS] [--limit SECONDS]"


class HookOptions:
    """The options of the command. Raises ValueError."""

    def __init__(self, arguments: Sequence[str]) -> None:
        given = {"server": os.environ.get("SIGNALBOX_SERVER") or DEFAULT_SERVER, "token": ""}
        given |= {"project": os.environ.get("SIGNALBOX_PROJECT") or "", "wait": str(WAIT_S), "limit": ""}
        rest, agent = list(arguments), ""
        while rest:
            one = rest.pop(0)
            name, equals, value = one.removeprefix("--").partition("=")
            if not one.startswith("--"):
                if agent:
                    raise ValueError(f"unexpected argument {one!r}")
                agent = one
            elif name not in given or (not equals and not rest):
                raise ValueError(f"{one} is unknown or has no value")
            else:
                given[name] = value if equals else rest.pop(0)
        if not agent or not agent.replace("-", "").isalnum():
            raise ValueError("name the coding agent, such as claude-code")
        self.agent, self.server, self.project = agent, given["server"].rstrip("/"), given["project"]
        self.wait = float(given["wait"])
        self.limit = float(given["limit"]) if given["limit"] else None
        token = given["token"] or os.environ.get("SIGNALBOX_TOKEN") or saved_token(self.server)
        self.token = "".join(token.split())


def main(arguments: Sequence[str]) -> int:
    """Run the hook. 1 means that the command or its token is wrong, which agents report and do not obey."""
    try:
        options = HookOptions(arguments)
        if sys.stdin.isatty():
            raise ValueError("the JSON of the hook comes from standard input")
        split_url(options.server)
    except ValueError as error:
        sys.stderr.write(f"signalbox: {error}\n{USAGE}\n")
        return 1
    body = shortened(sys.stdin.buffer.read(MAX_INPUT))
    query = query_of([("project", options.project), *facts_of(body)])
    spool = HookSpool(options.server, options.token)
    if spool.has_calls():
        if not wants_answer(body) and spool.keep(options.agent, query, body):
            return 0
        spool.start_sender()
    wait = f"wait={options.wait:g}&{query}"
    exchange = HookExchange(options.server, options.agent, options.token, wait, body)
    exchange.start()
    limit = max(LIMIT_S - age_of_process(), LEAST_S) if options.limit is None else options.limit
    if exchange.began.wait(limit):
        exchange.ended.wait(options.wait + SILENCE_S)
    if exchange.ended.is_set() and exchange.refusal:
        sys.stderr.write(f"signalbox: {options.server} refuses the hook: {_message(exchange.refusal)}\n")
        return 1
    if not exchange.ended.is_set() or not exchange.answer:
        spool.keep(options.agent, query, body)
    elif exchange.answer != b"{}":
        sys.stdout.buffer.write(exchange.answer + b"\n")
    return 0


def wants_answer(body: bytes) -> bool:
    """Return whether the agent waits for a decision, so that the call cannot wait behind kept ones."""
    import json

    try:
        return json.loads(body).get("hook_event_name") in QUESTIONS
    except (ValueError, AttributeError, RecursionError):
        return True


def run(arguments: Sequence[str]) -> NoReturn:
    """Run the hook and end the process at once, also while a name is still being resolved."""
    code = 0
    try:
        code = main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, KeyboardInterrupt):
        pass
    finally:
        os._exit(code)


def tokens_path() -> str:
    """Return the file in which `signalbox hooks install --token` keeps tokens: a line `URL TOKEN` for each server."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "signalbox", "tokens")


def saved_token(server: str) -> str:
    """Return the saved token of a server, or ""."""
    try:
        with open(tokens_path(), encoding="utf-8") as lines:
            return dict(line.split(None, 1) for line in lines if len(line.split()) == 2).get(server, "").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def age_of_process() -> float:
    """Return the seconds since this process started, as Linux knows it; elsewhere a guess."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.07


def _message(refusal: bytes) -> str:
    import json

    try:
        return str(json.loads(refusal)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return refusal[:200].decode("utf-8", "replace")
