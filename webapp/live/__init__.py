"""The streams: hub, channels, lanes and sinks. Data flows tail → hub → channel → lane → sink."""
