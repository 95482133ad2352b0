-- compatible-from: 018_occurred_index

-- The children of a span in the order in which they began, so that a page of them costs the same for any number.
CREATE INDEX task_spans_children ON task_spans (task_id, parent_span_id, started_seq) WHERE parent_span_id IS NOT NULL;
DROP INDEX task_spans_parent;
