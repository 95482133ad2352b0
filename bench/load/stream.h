/* Parse one SSE response strictly: HTTP head, chunked framing, SSE lines, consecutive ids. This module does no I/O. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

typedef struct {
    uint64_t events, reads, chunks, bytes, keepalives, control, reconnects;
    uint64_t gaps, missing, duplicates, reordered;
    uint64_t connect_errors, status_errors, framing_errors, sse_errors, mismatches, cuts;
    Histogram latency;
} Counters;

typedef enum { HEAD, CHUNK_SIZE, CHUNK_EXTENSION, SIZE_LF, BODY, BODY_CR, BODY_LF, TRAILER, TRAILER_LF, ENDED, BROKEN } Parsing;

typedef struct {
    unsigned number;
    int fd;
    bool stalled, opened, settled, connecting;
    double open_at;
    Parsing parsing;
    int status;
    bool chunked, event_stream, size_seen;
    uint64_t chunk_left;
    char *carry;
    size_t carry_len, carry_cap;
    uint64_t seen, last_id, gap_low, gap_high;
    uint64_t id, data_seq;
    bool any_first_id, has_id, has_data, has_name;
    long retry_ms;
} Stream;

/* Reset the parser for a new response, but keep the position in the log. */
void stream_reset(Stream *s);

/* Parse `len` bytes that arrived at `now_us`. The latency of one in `sample` events is measured. */
void stream_feed(Stream *s, const char *at, size_t len, Counters *count, uint64_t now_us, unsigned sample);

#endif
