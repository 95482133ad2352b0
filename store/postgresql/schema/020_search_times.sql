-- compatible-from: 001_initial

-- The times between which the events of a part of the log happened, in seconds since 1970, for searches with a time. A
-- part is 64 blocks of the search index. A trigger keeps them, because an older version may fill the index too. They are
-- never narrowed, so they may be wider than the times of the events that are left.
CREATE TABLE search_times (part bigint PRIMARY KEY, oldest bigint NOT NULL, newest bigint NOT NULL);
INSERT INTO search_times SELECT block / 64, min(oldest), max(newest) FROM search_blocks GROUP BY block / 64;

CREATE FUNCTION search_times_of_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO search_times VALUES (NEW.block / 64, NEW.oldest, NEW.newest) ON CONFLICT (part) DO UPDATE
    SET oldest = least(search_times.oldest, excluded.oldest), newest = greatest(search_times.newest, excluded.newest);
  RETURN NULL;
END $$;
CREATE TRIGGER search_times_of_block AFTER INSERT ON search_blocks
  FOR EACH ROW EXECUTE FUNCTION search_times_of_block();
