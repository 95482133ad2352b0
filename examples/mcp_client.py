"""Find the newest failed run over MCP, and print why it failed: python examples/mcp_client.py --store sqlite:///FILE

With a URL of a server that serves MCP instead of the options: python examples/mcp_client.py http://127.0.0.1:8000/mcp
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


async def main(arguments: list[str]) -> int:
    server: Any = arguments[0] if arguments and arguments[0].startswith("http") else stdio(arguments)
    async with Client(server) as client:
        found = await call(client, "list_runs", status=["failed", "interrupted"], limit=1)
        if not found["runs"]:
            print("no run has failed")
            return 0
        run = found["runs"][0]
        why = await call(client, "explain_failure", task_id=run["task_id"])
        print(f"{run['task_id']} {run['status']}: {why['error']}")
        if "span_path" in why:
            print(f"in {' → '.join(why['span_path'])}")
        for line in why.get("output", [])[:5]:
            print(line)
    return 1


def stdio(arguments: list[str]) -> Any:
    """Return the transport to `signalbox mcp` as a child process, as coding agents start it."""
    return stdio_client(StdioServerParameters(command=sys.executable, args=["-m", "signalbox", "mcp", *arguments]))


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise SystemExit(f"{tool}: {result.content[0].text}")
    return result.structured_content


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
