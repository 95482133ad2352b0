"""An asyncio agent that asks for permission before it deletes files.

Run `python examples/agent.py [TASK]`, then answer on the page or from a shell:

    signalbox answer TASK --approve
"""

import asyncio
import platform
import sys
import tempfile
from pathlib import Path

from signalbox.store import open_store, open_task


def notes() -> list[Path]:
    return sorted(Path(tempfile.gettempdir()).glob("agent-example-*"))


async def main(task_id: str | None) -> None:
    store = open_store("sqlite:///signalbox.db")
    async with open_task(store, task_id, title="An agent that asks", kind="session") as task:
        async with task.phase("planning") as planning:
            old = notes()
            await planning.log(f"{len(old)} notes from earlier runs on {platform.node()}")
        async with task.phase("executing") as executing:
            arguments = {"paths": [str(path) for path in old]}
            answer = await executing.ask_permission("delete", arguments, reason="they are old", timeout=3600)
            if answer.approved:
                async with executing.tool("delete", arguments) as call:
                    for path in old:
                        path.unlink()
                    call.result(deleted=len(old))
            else:
                await executing.log(f"not deleted: {answer.state}, {answer.reason or 'no reason given'}")
            with tempfile.NamedTemporaryFile("w", prefix="agent-example-", delete=False) as note:
                note.write(f"answered by {answer.by}\n")
            await executing.checkpoint("note", artifacts=[note.name])
    await store.aclose()


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
