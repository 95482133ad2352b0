"""OTLP/HTTP: the spans and log records of OpenTelemetry, in protobuf and in JSON, and the responses."""
