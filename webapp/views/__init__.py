"""What a page shows, read in one view of the store."""
