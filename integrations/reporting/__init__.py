"""The parts that integrations share: the target of a program, the background writer, the lives of runs as events."""
