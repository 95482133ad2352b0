"""Questions that Claude Code asks its user with choices, through its tool `AskUserQuestion`, as a form of the page.

    {"questions": [{"question": "Which store?", "header": "Store", "multiSelect": false,
                    "options": [{"label": "SQLite", "description": "one file"}, {"label": "PostgreSQL"}]}]}

The answer is the same object with `answers`: the chosen label by question, several of them separated by commas. See
`AskUserQuestionInput` in the types of `@anthropic-ai/claude-agent-sdk`.
"""

from __future__ import annotations

from typing import Any

TOOL = "AskUserQuestion"


def question_form(arguments: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of the answers, or None if the questions cannot be shown."""
    questions = _questions(arguments)
    if not questions:
        return None
    names = [f"question {number}" for number in range(1, len(questions) + 1)]
    properties = {name: _field(one) for name, one in zip(names, questions, strict=True)}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def with_answers(arguments: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return the arguments with the answers of a person, whose `value` has the form above."""
    answers = {}
    for number, one in enumerate(_questions(arguments), 1):
        given = value.get(f"question {number}") if isinstance(value, dict) else None
        chosen = [label for label in _labels(one) if given == label or (isinstance(given, dict) and given.get(label))]
        answers[str(one["question"])] = ", ".join(chosen)
    return {**arguments, "answers": answers}


def _questions(arguments: Any) -> list[dict[str, Any]]:
    questions = arguments.get("questions") if isinstance(arguments, dict) else None
    if not isinstance(questions, list) or not 0 < len(questions) <= 20:
        return []
    known = [
        one for one in questions if isinstance(one, dict) and isinstance(one.get("question"), str) and _labels(one)
    ]
    return known if len(known) == len(questions) else []


def _labels(question: dict[str, Any]) -> list[str]:
    return [one["label"] for one in _options(question)]


def _options(question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the choices that have a label. Other values in their list are ignored."""
    options = question.get("options")
    found = [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    return [one for one in found if isinstance(one.get("label"), str) and one["label"]][:50]


def _field(question: dict[str, Any]) -> dict[str, Any]:
    title, labels = str(question["question"]), _labels(question)
    described = {one["label"]: str(one.get("description") or "") for one in _options(question)}
    if question.get("multiSelect") is True:
        parts = {label: {"type": "boolean", "description": described.get(label, "")} for label in labels}
        return {"type": "object", "title": title, "properties": parts}
    hint = "; ".join(f"{label}: {text}" for label, text in described.items() if text)
    return {"type": "string", "title": title, "enum": list(dict.fromkeys(labels)), "description": hint}
