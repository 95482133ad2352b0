"""How other kinds of client read a task's log: the same events, each in the form that its client knows."""
