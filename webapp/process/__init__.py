"""Running a command as a task: its output line by line, its end, and everything between."""
