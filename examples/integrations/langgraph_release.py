"""A graph of LangGraph that writes release notes and asks before it publishes them, on Signalbox. Needs no network.

signalbox serve &
pip install langgraph
python examples/integrations/langgraph_release.py

The model is LangChain's own fake with prepared answers. The graph waits at its interrupt until somebody answers on the
page of the run.
"""

from __future__ import annotations

import operator
import sys
import time
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, interrupt

from signalbox.integrations.langchain import invoke

NOTES = """## 2.4

- Pages load in half the time.
- Uploads continue after a lost connection.
- **Fixed:** dates in the calendar of Nepal."""


class Release(TypedDict):
    """The state of the graph."""

    input: str
    facts: Annotated[list[str], operator.add]
    notes: str
    published: bool


class SlowModel(GenericFakeChatModel):
    """LangChain's fake model, with a pause before each word."""

    def _stream(self, *arguments: Any, **options: Any) -> Any:
        for chunk in super()._stream(*arguments, **options):
            time.sleep(0.03)
            yield chunk
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=USAGE))


USAGE = {"input_tokens": 412, "output_tokens": 63, "total_tokens": 475}
MODEL = SlowModel(messages=iter([AIMessage(NOTES)]))

tries = iter(range(9))


@tool
def read_commits(since: str) -> list[str]:
    """Return the subjects of the commits since a version."""
    time.sleep(0.6)
    return ["Halve the time of pages", "Continue uploads", "Correct the calendar of Nepal"]


@tool
def read_issues(state: str) -> list[dict[str, Any]]:
    """Return the issues of a state."""
    time.sleep(0.4)
    if next(tries) == 0:
        raise ConnectionError("the issue tracker does not answer")
    return [{"id": 341, "title": "Slow pages"}, {"id": 377, "title": "Uploads start over"}]


def commits(state: Release) -> dict[str, Any]:
    """Collect the commits."""
    return {"facts": read_commits.invoke({"since": "2.3"})}


def issues(state: Release) -> dict[str, Any]:
    """Collect the issues. The first attempt fails, and LangGraph repeats it."""
    return {"facts": [issue["title"] for issue in read_issues.invoke({"state": "closed"})]}


def write(state: Release) -> dict[str, Any]:
    """Let the model write the notes, word by word."""
    messages = [SystemMessage("Write short release notes."), HumanMessage("\n".join(state["facts"]))]
    words = [str(chunk.content) for chunk in MODEL.stream(messages)]
    return {"notes": "".join(words)}


def review(state: Release) -> dict[str, Any]:
    """Ask a person."""
    return {"published": interrupt({"action": "publish", "question": "Publish these notes?", "notes": state["notes"]})}


def graph() -> Any:
    """Return the graph: commits and issues side by side, then the notes, then the question."""
    built = StateGraph(Release)
    built.add_node("commits", commits)
    built.add_node("issues", issues, retry_policy=RetryPolicy(initial_interval=0.2, jitter=False))
    built.add_node("write", write)
    built.add_node("review", review)
    for name in ("commits", "issues"):
        built.add_edge(START, name)
    built.add_edge(["commits", "issues"], "write")
    built.add_edge("write", "review")
    built.add_edge("review", END)
    return built.compile(checkpointer=InMemorySaver(), name="release notes")


def main() -> None:
    """Run the graph. An argument is the number of seconds to wait for an answer."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
    config = {"configurable": {"thread_id": "release-2.4"}}
    state = {"input": "Write the release notes of 2.4", "facts": []}
    result = invoke(graph(), state, config, timeout=seconds)
    print("published" if result.get("published") else "not published")


if __name__ == "__main__":
    main()
