"""What can go wrong with an agent."""


class AgentUnavailable(Exception):
    """The agent of a project does not answer, or cannot be started, now. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
