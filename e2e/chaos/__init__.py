"""Random faults against everything at once, from a seed: `make chaos`.

__main__   the command: seeds, rounds, the count
world      a server behind a proxy, and everybody who works with it
writers    runs that emit: on the file, over HTTP, and a command under `signalbox run`
readers    programs that follow: server-sent events, a WebSocket, the browser module
faults     what breaks, and what must be said while it is broken
hostile    events and requests that nobody should send
truth      what the log says, read from the database file itself
checks     everything that anybody is shown, held against the truth
"""
