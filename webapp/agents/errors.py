"""The error of an agent that cannot be used now."""


class AgentUnavailable(Exception):
    """A project's agent does not respond or cannot be started. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
