"""Moving a whole store to another database while programs write to it: `signalbox migrate-store`.

1. Copy (`copying.py`): events in batches, in their order, each with the present state of its tasks.
2. Compare (`comparing.py`): bring the copy to one state of the source (`matching.py`), and compare every row with it.
3. Follow: copy and compare what is new, until the copy is near the source.
4. Switch (`switching.py`): writers wait, the rest is copied and compared, and from then on the source refuses writes.

Event ids, seqs, times, idempotency keys, identities and the epoch stay the same, so the positions of all readers stay
valid. A database is a `DatabaseSide` (`side.py`), and `tables.py` says what is moved. `target.py` decides whether a
database may be the target. The marks in the databases are in `store/sql/moved.py`.
"""
