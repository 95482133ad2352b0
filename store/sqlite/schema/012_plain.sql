-- The payload as it is read, where terminal escapes stand in it: a search finds text across colours, and other payloads cost
-- what they did. `plain_json` is a function of the store: see store/escapes.py.
ALTER TABLE task_events ADD COLUMN plain TEXT;
UPDATE task_events SET plain = plain_json(payload)
WHERE payload LIKE '%\u001b%' OR instr(payload, char(155)) OR instr(payload, char(157)) OR instr(payload, char(144));
