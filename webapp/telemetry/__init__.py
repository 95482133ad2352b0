"""The server's own spans and logs, for the operator's collector, by OTLP. Off unless the setting `telemetry` is on.

Nothing here waits for the collector: spans and records wait in bounded queues of OpenTelemetry's SDK, whose threads
send them, and what does not fit is dropped.
"""
