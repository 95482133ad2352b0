-- compatible-from: 018_occurred_index

-- The index of the search over all runs: a row for each block of 16 event ids. `events` is the number of events that the
-- block had; they happened between `oldest` and `newest`, in seconds since 1970. The table `search_texts` has the texts of
-- the blocks. The server creates it when it fills the index: see store/sqlite/text_index.py.
CREATE TABLE search_blocks (
  block  INTEGER PRIMARY KEY,
  events INTEGER NOT NULL,
  oldest INTEGER NOT NULL,
  newest INTEGER NOT NULL,
  bytes  INTEGER NOT NULL
);

-- The document of each block, compressed. It is needed to remove the block from `search_texts`.
CREATE TABLE search_documents (block INTEGER PRIMARY KEY, document BLOB NOT NULL);

-- The filters of the parts of the log, of 64 blocks each, whose events are all in cold storage: see
-- store/search/coarse.py. Such blocks have no rows in the tables above.
CREATE TABLE search_parts (part INTEGER PRIMARY KEY, filter BLOB NOT NULL);

-- Blocks of which an event has changed since they were indexed.
CREATE TABLE search_changed (block INTEGER PRIMARY KEY);

-- One row. `next_block` is the first block that is not indexed yet. Searches use the index while `is_on`.
CREATE TABLE search_state (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  next_block INTEGER NOT NULL,
  is_on      INTEGER NOT NULL,
  rebuild    INTEGER NOT NULL,
  problem    TEXT NOT NULL
);
INSERT INTO search_state VALUES (1, 0, 0, 0, '');
