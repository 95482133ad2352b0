"""JUnit XML: reading it, and making a run of it."""
