-- The payload without terminal escape sequences, or NULL if it has none, so that a search finds text across changes of
-- colour. `plain_json` is an SQL function of the store: see store/terminal_escapes.py.
ALTER TABLE task_events ADD COLUMN plain TEXT;
UPDATE task_events SET plain = plain_json(payload)
WHERE payload LIKE '%\u001b%' OR instr(payload, char(155)) OR instr(payload, char(157)) OR instr(payload, char(144));
