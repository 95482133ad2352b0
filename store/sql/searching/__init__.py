"""The search over all runs in SQL: which blocks to read, comparing their events, and the pages and counts of hits."""
