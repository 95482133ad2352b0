"""The values that a page shows, read in one view of the store."""
