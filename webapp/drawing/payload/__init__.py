"""The payload viewer: the values of an event as text, formatted Markdown, a tree of JSON, or as they were stored."""
