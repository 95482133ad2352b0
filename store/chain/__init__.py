"""The verifiable log: a chain of hashes over the events of a task, signed heads, tombstones, and their verification.

`docs/verification.md` describes the canonical form byte by byte, so that other programs can verify a log too.
"""
