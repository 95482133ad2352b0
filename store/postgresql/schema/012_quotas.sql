-- compatible-from: 001_initial

-- The quota of a token per minute. NULL: no limit.
ALTER TABLE access_tokens ADD COLUMN events_per_minute bigint;
ALTER TABLE access_tokens ADD COLUMN bytes_per_minute bigint;
