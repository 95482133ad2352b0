"""Tasks that the callbacks of an agent library report: steps, model calls, tools, and questions to people."""
