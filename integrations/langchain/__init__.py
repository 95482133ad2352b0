"""LangChain and LangGraph: each call of a chain or graph as a task, with nodes, model calls, tools and interrupts.

from signalbox.integrations.langchain import SignalboxCallbackHandler

graph.invoke(inputs, {"callbacks": [SignalboxCallbackHandler()]})

With the environment variable `SIGNALBOX_LANGCHAIN=1` every call is reported in a program that imports this module, or
that is started with `python -m signalbox.integrations.langchain PROGRAM`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from langchain_core.tracers.context import register_configure_hook

from signalbox.integrations.langchain.answering import ainvoke, invoke
from signalbox.integrations.langchain.handler import SignalboxCallbackHandler
from signalbox.integrations.langchain.interrupts import resume_value

__all__ = ["SignalboxCallbackHandler", "ainvoke", "invoke", "resume_value"]

VARIABLE = "SIGNALBOX_LANGCHAIN"

_handler: ContextVar[Any] = ContextVar("signalbox_langchain_handler", default=None)

register_configure_hook(_handler, inheritable=True, handle_class=SignalboxCallbackHandler, env_var=VARIABLE)
