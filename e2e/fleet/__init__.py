"""Three web processes behind a proxy, with viewers and writers, while random parts are killed: `make fleet`.

__main__     the command
outages      kill random parts and start them again
page_viewer  a live page without a browser: it loads once, then applies the frames of its stream
proof        writers and viewers while parts are killed, and the checks

The fleet itself is tests.support.fleet; writers and the other viewers are those of e2e.chaos.
"""
