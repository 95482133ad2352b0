"""Calls of language models, as events report them: who said what, which tools were called, and what the call cost.

Pure functions from a payload to values. They read the message formats of the OpenAI and Anthropic APIs, OpenTelemetry's
`gen_ai.*` attributes with their current and older names, OpenInference's `llm.*` attributes, and Traceloop's
`traceloop.*` attributes. Attributes may be nested or dotted keys, at the top of the payload or under `attributes`.
"""

from signalbox.store.model_calls.calls import ModelCall, ToolUse, model_call_of
from signalbox.store.model_calls.marks import concerns_model
from signalbox.store.model_calls.messages import ChatMessage, Part, messages_of
from signalbox.store.model_calls.pieces import Piece, piece_of
from signalbox.store.model_calls.usage import TokenCounts, Usage
from signalbox.store.model_calls.usage_reading import usage_of

__all__ = [
    "ChatMessage",
    "ModelCall",
    "Part",
    "Piece",
    "TokenCounts",
    "ToolUse",
    "Usage",
    "concerns_model",
    "messages_of",
    "model_call_of",
    "piece_of",
    "usage_of",
]
