"""Test the OpenAI Agents SDK with its own models and a fake API: each trace is a task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    Runner,
    function_tool,
    input_guardrail,
    set_trace_processors,
    trace,
)
from agents.tracing import custom_span

from signalbox.integrations.openai_agents import SignalboxTracingProcessor
from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.target import target
from signalbox.store import open_store, open_task
from tests.libraries.agents.conftest import Console
from tests.libraries.agents.fake_openai import calls, chat_model, responses_model, said


@function_tool
def weather(city: str) -> str:
    """Return the weather."""
    return f"sunny in {city}"


@function_tool(failure_error_function=None)
def broken() -> str:
    """Fail."""
    raise ValueError("no such city")


@pytest.fixture(autouse=True)
def processor(console: Console) -> Iterator[SignalboxTracingProcessor]:
    processor = SignalboxTracingProcessor()
    set_trace_processors([processor])
    yield processor
    set_trace_processors([])


async def run(agent: Agent[None], question: str = "What is the weather in Oslo?") -> str:
    return str((await Runner.run(agent, question)).final_output)


def test_a_trace_is_a_task_with_its_agent_model_calls_and_tools(console: Console) -> None:
    model = responses_model([calls("weather", "c1", city="Oslo")], [said("It is sunny.")])
    agent = Agent(name="Forecaster", instructions="Answer in one sentence.", tools=[weather], model=model)
    assert asyncio.run(run(agent)) == "It is sunny."
    task = console.task(status="done")
    assert (task.title, task.kind) == ("What is the weather in Oslo?", "openai-agents")
    tokens = task.usage.tokens
    assert (tokens.input, tokens.output, tokens.cache_read, tokens.reasoning) == (240, 24, 128, 6)
    spans = console.spans(task)
    assert spans["Forecaster"].work_type == "agent"
    assert spans["weather"].parent_span_id == spans["Forecaster"].span_id
    assert {span.state for span in spans.values()} == {"done"}
    [result] = console.events(task, "tool_result")
    assert (result.payload["arguments"], result.payload["result"]) == ({"city": "Oslo"}, "sunny in Oslo")
    page = console.page(f"/tasks/{task.task_id}/conversation")
    for text in (
        "Answer in one sentence.",
        "What is the weather in Oslo?",
        "sunny in Oslo",
        "It is sunny.",
        "gpt-test",
    ):
        assert text in page
    # Each call sends the question again. The page shows it once, besides the title of the task.
    assert page.count(">What is the weather in Oslo?<") == 2


def test_a_span_is_there_while_it_runs(console: Console) -> None:
    seen: list[set[str]] = []

    @function_tool
    def slow() -> str:
        """Look at the console while the tool runs."""
        background_writer(target()).flush()
        task = console.task(status="running")
        seen.append({name for name, span in console.spans(task).items() if span.state == "open"})
        return "done"

    agent = Agent(name="Worker", tools=[slow], model=responses_model([calls("slow", "c1")], [said("Done.")]))
    asyncio.run(run(agent))
    assert {"Worker", "slow"} <= seen[0]


def test_a_handoff_is_a_step_between_two_agents(console: Console) -> None:
    billing = Agent(name="Billing", model=responses_model([said("Paid.")]))
    triage = Agent(name="Triage", handoffs=[billing], model=responses_model([calls("transfer_to_billing", "c1")]))
    assert asyncio.run(run(triage)) == "Paid."
    spans = console.spans(console.task(status="done"))
    assert spans["Triage → Billing"].work_type == "handoff"
    assert spans["Triage → Billing"].parent_span_id == spans["Triage"].span_id
    assert spans["Billing"].parent_span_id == spans["Triage"].parent_span_id


def test_a_guardrail_that_triggers_fails_and_so_does_the_task(console: Console) -> None:
    @input_guardrail
    async def no_weather(context: object, agent: object, question: object) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info="weather", tripwire_triggered=True)

    agent = Agent(name="Guarded", input_guardrails=[no_weather], model=responses_model([said("Sunny.")]))
    with pytest.raises(InputGuardrailTripwireTriggered):
        asyncio.run(run(agent))
    task = console.task(status="failed")
    spans = console.spans(task)
    assert spans["no_weather"].state == "failed"
    [end] = console.events(task, "runner_exit")
    assert end.payload["error_code"] == "InputGuardrailTripwireTriggered"


def test_an_error_of_the_model_fails_the_call_and_the_task(console: Console) -> None:
    agent = Agent(name="Unlucky", model=responses_model(500))
    with pytest.raises(Exception, match="overloaded"):
        asyncio.run(run(agent))
    task = console.task(status="failed")
    assert console.spans(task)["Unlucky"].state == "failed"
    failed = console.events(task, "work_item_failed")
    assert "overloaded" in failed[0].payload["message"]
    assert failed[0].payload["error_code"] == "InternalServerError"


def test_an_error_that_the_program_was_handling_already_is_not_one_of_the_trace(console: Console) -> None:
    agent = Agent(name="Fallback", model=responses_model([said("Sunny.")]))
    try:
        raise LookupError("the first agent failed")
    except LookupError:
        asyncio.run(run(agent))
    task = console.task(status="done")
    assert not console.events(task, "work_item_failed")


def test_a_tool_that_raises_fails(console: Console) -> None:
    agent = Agent(name="Clumsy", tools=[broken], model=responses_model([calls("broken", "c1")]))
    with pytest.raises(Exception, match="no such city"):
        asyncio.run(run(agent))
    task = console.task(status="failed")
    [result] = console.events(task, "tool_result")
    assert result.payload["status"] == "failed"


def test_a_streamed_run_is_recorded_too(console: Console) -> None:
    async def stream() -> None:
        result = Runner.run_streamed(Agent(name="Streamer", model=responses_model([said("Sunny.")])), "Hello")
        async for _ in result.stream_events():
            pass

    asyncio.run(stream())
    task = console.task(status="done")
    assert task.usage.tokens.input == 120


def test_a_chat_completions_model_shows_the_same_conversation(console: Console) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    model = chat_model({"content": None, "tool_calls": [call]}, {"content": "Warm and sunny."})
    assert asyncio.run(run(Agent(name="Chatter", instructions="Be brief.", tools=[weather], model=model)))
    task = console.task(status="done")
    assert (task.usage.tokens.input, task.usage.tokens.output) == (100, 14)
    page = console.page(f"/tasks/{task.task_id}/conversation")
    for text in ("Be brief.", "What is the weather in Oslo?", "sunny in Rome", "Warm and sunny.", "gpt-chat"):
        assert text in page


def test_several_runs_and_own_spans_in_a_trace_are_one_task(console: Console) -> None:
    async def workflow() -> None:
        with trace("Daily report", group_id="g-1"):
            await run(Agent(name="First", model=responses_model([said("One.")])))
            with custom_span("store the report", {"rows": 3}):
                pass
            await run(Agent(name="Second", model=responses_model([said("Two.")])))

    asyncio.run(workflow())
    task = console.task(status="done")
    assert task.title == "Daily report"
    assert {"First", "store the report", "Second"} <= set(console.spans(task))
    assert task.usage.tokens.input == 240


def test_agents_that_run_side_by_side_are_tasks_of_their_own(console: Console) -> None:
    async def both() -> None:
        agents = [Agent(name=name, model=responses_model([said("Hi.")])) for name in ("Left", "Right")]
        await asyncio.gather(*(run(agent, agent.name) for agent in agents))

    asyncio.run(both())
    assert {console.task(status="done", title=title).title for title in ("Left", "Right")} == {"Left", "Right"}


def test_an_agent_inside_a_run_is_a_step_of_that_run(console: Console) -> None:
    store = open_store(console.store_url)
    with open_task(store, "nightly-agents", title="Nightly") as task, task.phase("executing") as phase:
        asyncio.run(run(Agent(name="Inner", model=responses_model([said("Hi.")]))))
        background_writer(target()).flush()
        step = phase.span_id
    store.close()
    [nightly] = console.tasks()
    spans = console.spans(nightly)
    assert spans["Inner"].state == "done"
    outer = next(span for span in spans.values() if span.span_id == spans["Inner"].parent_span_id)
    assert outer.parent_span_id == step


def test_an_agent_runs_while_the_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_SERVER", "http://127.0.0.1:9")
    set_trace_processors([SignalboxTracingProcessor()])
    assert asyncio.run(run(Agent(name="Alone", model=responses_model([said("Hi.")])))) == "Hi."
