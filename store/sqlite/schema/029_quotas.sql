-- compatible-from: 018_occurred_index

-- The quota of a token per minute. NULL: no limit.
ALTER TABLE access_tokens ADD COLUMN events_per_minute INTEGER;
ALTER TABLE access_tokens ADD COLUMN bytes_per_minute INTEGER;
