#!/bin/sh
# A run from a shell, with nothing but curl: examples/emit.sh [TASK] [SERVER]
set -eu
task=${1:-shell-example}
server=${2:-http://127.0.0.1:8000}

post() {
    curl -fsS -o /dev/null -H 'Content-Type: application/json' -d "$2" "$server$1"
}

emit() {
    post "/api/tasks/$task/events" "$1"
}

post /api/tasks "{\"task_id\": \"$task\", \"title\": \"From a shell\", \"kind\": \"example\"}"
emit "{\"event_type\": \"runner_spawn\", \"payload\": {\"runner_pid\": $$, \"runner_version\": \"sh\"}}"
emit '{"event_type": "phase_enter", "phase": "executing", "span_id": "executing"}'
for step in 1 2 3; do
    emit "{\"event_type\": \"log\", \"phase\": \"executing\", \"span_id\": \"executing\",
           \"payload\": {\"message\": \"step $step of 3\", \"progress\": {\"current\": $step, \"total\": 3}}}"
done
# A list is appended as a whole or not at all. With a key, doing it again changes nothing.
emit '[{"event_type": "phase_exit", "phase": "executing", "span_id": "executing", "key": "phase-ended"},
       {"event_type": "runner_exit", "payload": {"exit_code": 0}, "key": "run-ended"}]'
echo "$server/tasks/$task"
