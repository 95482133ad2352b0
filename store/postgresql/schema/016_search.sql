-- compatible-from: 001_initial

-- The index of the search over all runs: a row for each block of 16 event ids. `events` is the number of events that the
-- block had; they happened between `oldest` and `newest`, in seconds since 1970. `text` has their texts without case, and
-- `terms` the values by which events are filtered. The server creates the index on both: see
-- store/postgresql/text_index.py.
CREATE TABLE search_blocks (
  block  bigint PRIMARY KEY,
  events integer NOT NULL,
  oldest bigint NOT NULL,
  newest bigint NOT NULL,
  text   text COLLATE "C" NOT NULL,
  terms  text[] COLLATE "C" NOT NULL
);

-- The filters of the parts of the log, of 64 blocks each, whose events are all in cold storage: see
-- store/search/coarse.py. Such blocks have no rows in the table above.
CREATE TABLE search_parts (part bigint PRIMARY KEY, filter bytea NOT NULL);

-- Blocks of which an event has changed since they were indexed.
CREATE TABLE search_changed (block bigint PRIMARY KEY);

-- One row. `next_block` is the first block that is not indexed yet. Searches use the index while `is_on`.
CREATE TABLE search_state (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  next_block bigint NOT NULL,
  is_on      smallint NOT NULL,
  rebuild    smallint NOT NULL,
  problem    text COLLATE "C" NOT NULL
);
INSERT INTO search_state VALUES (true, 0, 0, 0, '');
