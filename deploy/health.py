"""Health check of the container: exit with 0 if the server is healthy, else print the reason and exit with 1."""

import os
import sys
import urllib.request

port = os.environ.get("SIGNALBOX_PORT") or "8000"
prefix = os.environ.get("SIGNALBOX_ROOT_PATH", "").rstrip("/")
# If host names are set, the server answers requests for these names only.
hosts = [name.strip() for name in os.environ.get("SIGNALBOX_ALLOWED_HOSTS", "").split(",") if name.strip()]
request = urllib.request.Request(
    f"http://127.0.0.1:{port}{prefix}/api/events/health", headers={"Host": hosts[0]} if hosts else {}
)
try:
    # Connect directly, even if the environment names a proxy.
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=4).close()
except OSError as error:
    sys.exit(f"unhealthy: {error}")
