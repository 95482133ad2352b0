"""Random faults against the whole system, chosen by a seed: `make chaos`.

__main__   the command: seeds, rounds, counts
world      a server behind a proxy, with writers, readers and pages
writers    runs that append: to the file, over HTTP, and as a command under `signalbox run`
readers    programs that follow a task: server-sent events, a WebSocket, the browser module
faults     the kinds of faults, and the status that must be shown during each
hostile    invalid or extreme events and requests
truth      the log as read from the database file itself
checks     compare everything that clients are shown with the truth
"""
