-- compatible-from: 018_occurred_index

-- Whether a server can read compressed payloads. Payloads are stored compressed once all servers can: see
-- store/sqlite/compression.py, which then removes the compatibility of this migration.
ALTER TABLE server_processes ADD COLUMN reads_compressed INTEGER NOT NULL DEFAULT 0;
