"""Agents of the OpenAI Agents SDK that hand a question over and use tools, reported to Signalbox. Needs no network.

signalbox serve &
pip install openai-agents
python examples/integrations/openai_agents_travel.py

The model is a small class with prepared answers. A program with a real model needs only the line with
`set_trace_processors`, or `add_trace_processor` to keep the traces at OpenAI as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    GuardrailFunctionOutput,
    Model,
    ModelResponse,
    Runner,
    Usage,
    function_tool,
    input_guardrail,
    set_trace_processors,
)
from agents.testing import assistant_message, function_call
from agents.tracing import generation_span

from signalbox.integrations.openai_agents import SignalboxTracingProcessor

QUESTION = "I have a day in Lisbon tomorrow. Should I book the boat tour or the museum?"


class PreparedModel(Model):
    """A model that gives prepared answers, and traces its calls as the SDK's own models do."""

    def __init__(self, *answers: list[Any]) -> None:
        self._answers = list(answers)

    async def get_response(
        self, system_instructions: str | None, input: Any, *arguments: Any, **options: Any
    ) -> ModelResponse:
        items = [{"role": "user", "content": input}] if isinstance(input, str) else list(input)
        sent = [{"role": "system", "content": system_instructions}, *items]
        with generation_span(input=sent, model="prepared-1") as span:
            await asyncio.sleep(0.6)
            output = self._answers.pop(0)
            read, written = len(str(sent)) // 4, len(str(output)) // 8
            span.span_data.output = output
            span.span_data.usage = {"input_tokens": read, "output_tokens": written}
            usage = Usage(requests=1, input_tokens=read, output_tokens=written, total_tokens=read + written)
            return ModelResponse(output=output, usage=usage, response_id=None)

    def stream_response(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        raise NotImplementedError("this example does not stream")


@function_tool
async def forecast(city: str, day: str) -> dict[str, Any]:
    """Return the weather forecast for a city."""
    await asyncio.sleep(0.5)
    return {"city": city, "day": day, "sky": "rain from noon", "high": 17, "wind_kmh": 42}


@function_tool
async def tours(city: str) -> list[dict[str, Any]]:
    """Return the tours that can be booked."""
    await asyncio.sleep(0.8)
    return [
        {"name": "Tagus boat tour", "hours": 3, "indoors": False},
        {"name": "Tile museum", "hours": 2, "indoors": True},
    ]


@input_guardrail
async def about_travel(context: Any, agent: Any, question: Any) -> GuardrailFunctionOutput:
    """Let only questions about travel pass."""
    await asyncio.sleep(0.1)
    return GuardrailFunctionOutput(output_info={"topic": "travel"}, tripwire_triggered=False)


def agents() -> Agent[None]:
    """Return the agent that gets the question. It hands it over to another one."""
    planner = Agent(
        name="Day planner",
        instructions="Plan one day. Look at the forecast before you recommend anything outdoors.",
        tools=[forecast, tours],
        model=PreparedModel(
            [
                function_call("forecast", {"city": "Lisbon", "day": "tomorrow"}, call_id="call-2"),
                function_call("tours", {"city": "Lisbon"}, call_id="call-3"),
            ],
            [
                assistant_message(
                    "Take the **museum**. It rains from noon and the wind reaches 42 km/h, so the boat may not leave."
                )
            ],
        ),
    )
    return Agent(
        name="Concierge",
        instructions="Hand questions about a day trip over to the day planner.",
        handoffs=[planner],
        input_guardrails=[about_travel],
        model=PreparedModel([function_call("transfer_to_day_planner", {}, call_id="call-1")]),
    )


def main() -> None:
    """Ask the question, and print the answer."""
    set_trace_processors([SignalboxTracingProcessor()])
    print(asyncio.run(Runner.run(agents(), QUESTION)).final_output)


if __name__ == "__main__":
    main()
