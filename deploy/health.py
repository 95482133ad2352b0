"""The health check of the container: exit code 0 while the server is healthy, else 1 with the reason."""

import os
import sys
import urllib.request

port = os.environ.get("SIGNALBOX_PORT") or "8000"
prefix = os.environ.get("SIGNALBOX_ROOT_PATH", "").rstrip("/")
# The server answers only under these names, if any are set.
hosts = [name.strip() for name in os.environ.get("SIGNALBOX_ALLOWED_HOSTS", "").split(",") if name.strip()]
request = urllib.request.Request(
    f"http://127.0.0.1:{port}{prefix}/api/events/health", headers={"Host": hosts[0]} if hosts else {}
)
try:
    # A proxy that the environment names must not be asked for the server in this container.
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=4).close()
except OSError as error:
    sys.exit(f"unhealthy: {error}")
