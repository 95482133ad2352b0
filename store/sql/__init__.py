"""The queries that all SQL databases share. Each kind of store runs them on its own connections.

SQL is written with `?` for values, and only with syntax that SQLite and PostgreSQL both have. A `Dialect` supplies the
few expressions that differ. This package connects to no store. It uses SQLite only for the temporary file of an import.
"""
