"""The live part: hub, channels, streams. Data goes tail → hub → channel → lane → sink."""
