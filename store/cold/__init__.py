"""Cold storage: the log of a task that ended, its projections and its artifacts in one compressed file.

`pack` writes the file of a task to a place, and `ColdFile` reads it: all rows of a table for restoring them, and every
part for `verify`. See docs/cold-storage.md for the format. Rows have the form of `store.moving.tables`.
"""
