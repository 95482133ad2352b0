"""Signalbox for programs that already have a logger, a test runner, a framework or a queue: one line each.

Each module serves one library and is imported only by programs that use it. No module here imports the server.
"""
