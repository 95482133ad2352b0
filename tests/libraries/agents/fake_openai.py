"""An OpenAI API in this process: the SDK's own client and models talk to it without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
from agents import OpenAIChatCompletionsModel, OpenAIResponsesModel
from openai import AsyncOpenAI

Item = dict[str, Any]

USAGE = {
    "input_tokens": 120,
    "output_tokens": 12,
    "total_tokens": 132,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens_details": {"reasoning_tokens": 3},
}


def said(text: str) -> Item:
    """Return an answer of the model."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg", "role": "assistant", "status": "completed", "content": content}


def calls(name: str, call_id: str, **arguments: Any) -> Item:
    """Return a tool call of the model."""
    call = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name, "status": "completed"}
    return {**call, "arguments": json.dumps(arguments)}


def responses_model(*answers: list[Item] | int) -> OpenAIResponsesModel:
    """Return a model of the Responses API that gives these answers. A number is the status of an error."""
    left = list(answers)

    def respond(request: httpx2.Request) -> httpx2.Response:
        body, answer = json.loads(request.content), left.pop(0)
        if isinstance(answer, int):
            return httpx2.Response(answer, json={"error": {"message": "the model is overloaded", "type": "server"}})
        response = {
            "id": f"resp_{len(left)}",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": "gpt-test",
            "output": answer,
            "instructions": body.get("instructions"),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": USAGE,
        }
        if not body.get("stream"):
            return httpx2.Response(200, json=response)
        ended = {"type": "response.completed", "sequence_number": 1, "response": response}
        stream = f"event: response.completed\ndata: {json.dumps(ended)}\n\n"
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=stream)

    return OpenAIResponsesModel("gpt-test", _client(respond))


def chat_model(*answers: dict[str, Any]) -> OpenAIChatCompletionsModel:
    """Return a model of the Chat Completions API that gives these messages."""
    left = list(answers)

    def respond(request: httpx2.Request) -> httpx2.Response:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **left.pop(0)}}
        usage = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}
        body = {"id": "chat-1", "object": "chat.completion", "created": 1, "model": "gpt-chat"}
        return httpx2.Response(200, json={**body, "choices": [choice], "usage": usage})

    return OpenAIChatCompletionsModel("gpt-chat", _client(respond))


def _client(respond: Callable[[httpx2.Request], httpx2.Response]) -> AsyncOpenAI:
    transport = httpx2.MockTransport(respond)
    return AsyncOpenAI(api_key="none", max_retries=0, http_client=httpx2.AsyncClient(transport=transport))
