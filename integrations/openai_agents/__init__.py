"""The OpenAI Agents SDK: each trace as a task, with agents, model calls, tools, handoffs and guardrails.

from agents import add_trace_processor
from signalbox.integrations.openai_agents import SignalboxTracingProcessor

add_trace_processor(SignalboxTracingProcessor())
"""

from __future__ import annotations

from signalbox.integrations.openai_agents.processor import SignalboxTracingProcessor

__all__ = ["SignalboxTracingProcessor"]
