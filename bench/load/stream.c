#define _GNU_SOURCE
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_LINE = 8 << 20 };

void stream_reset(Stream *s) {
    s->parsing = HEAD;
    s->status = 0;
    s->chunked = s->event_stream = s->size_seen = false;
    s->chunk_left = s->carry_len = 0;
    s->has_id = s->has_data = s->has_name = false;
}

static bool starts_with(const char *line, size_t len, const char *with) {
    size_t n = strlen(with);
    return len >= n && strncasecmp(line, with, n) == 0;
}

static bool parse_digits(const char *at, size_t len, uint64_t *value) {
    uint64_t n = 0;
    if (len == 0 || len > 19) return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9') return false;
        n = n * 10 + (uint64_t)(at[i] - '0');
    }
    *value = n;
    return true;
}

static bool number_after(const char *line, size_t len, const char *key, size_t key_len, uint64_t *value) {
    const char *at = memmem(line, len, key, key_len), *end = line + len;
    uint64_t n = 0;
    if (!at) return false;
    at += key_len;
    while (at < end && *at == ' ') at++;
    if (at == end || *at < '0' || *at > '9') return false;
    for (; at < end && *at >= '0' && *at <= '9'; at++) n = n * 10 + (uint64_t)(*at - '0');
    *value = n;
    return true;
}

/* Count `id` as the next one, as the end of a gap, as a duplicate, or as a late one that fills the latest gap. */
static void follow(Stream *s, uint64_t id, Counters *count) {
    if (id == s->last_id + 1 || s->any_first_id) {
        s->last_id = id;
        s->any_first_id = false;
    } else if (id > s->last_id) {
        count->gaps++;
        count->missing += id - s->last_id - 1;
        s->gap_low = s->last_id + 1;
        s->gap_high = id - 1;
        s->last_id = id;
    } else if (s->gap_low <= id && id <= s->gap_high) {
        count->reordered++;
        count->missing--;
        if (id == s->gap_low) s->gap_low++;
    } else {
        count->duplicates++;
    }
}

static void sse_message(Stream *s, Counters *count) {
    if (s->has_name) {
        count->control++;
    } else if (s->has_data && s->has_id) {
        count->events++;
        s->seen++;
        if (s->data_seq && s->data_seq != s->id) count->mismatches++;
        follow(s, s->id, count);
    } else if (s->has_data || s->has_id) {
        count->sse_errors++;
    }
    s->has_id = s->has_data = s->has_name = false;
    s->data_seq = 0;
}

static void sse_data(Stream *s, const char *data, size_t len, Counters *count, uint64_t now_us, unsigned sample) {
    uint64_t sent;
    s->has_data = true;
    if ((s->seen + s->number) % sample) return;
    number_after(data, len, "\"seq\":", 6, &s->data_seq);
    /* An event has the time as a field, a row of a page has it in its text. */
    if (number_after(data, len, "\"t_us\":", 7, &sent) || number_after(data, len, "t_us=", 5, &sent))
        histogram_add(&count->latency, now_us > sent ? now_us - sent : 0);
}

static void sse_line(Stream *s, const char *line, size_t len, Counters *count, uint64_t now_us, unsigned sample) {
    uint64_t retry;
    if (len == 0) {
        sse_message(s, count);
    } else if (len >= 6 && memcmp(line, "data: ", 6) == 0) {
        sse_data(s, line + 6, len - 6, count, now_us, sample);
    } else if (len > 4 && memcmp(line, "id: ", 4) == 0) {
        s->has_id = parse_digits(line + 4, len - 4, &s->id);
        if (!s->has_id) count->sse_errors++;
    } else if (line[0] == ':') {
        count->keepalives++;
    } else if (len > 7 && memcmp(line, "event: ", 7) == 0) {
        s->has_name = true;
    } else if (len > 7 && memcmp(line, "retry: ", 7) == 0 && parse_digits(line + 7, len - 7, &retry)) {
        s->retry_ms = (long)retry;
    } else {
        count->sse_errors++;
    }
}

static void head_line(Stream *s, const char *line, size_t len, Counters *count) {
    if (len == 0 || line[len - 1] != '\r') {
        count->framing_errors++;
        s->parsing = BROKEN;
        return;
    }
    len--;
    if (s->status == 0) {
        s->status = starts_with(line, len, "HTTP/1.1 ") && len >= 12 ? atoi(line + 9) : -1;
        if (s->status != 200) count->status_errors++;
    } else if (starts_with(line, len, "transfer-encoding: chunked")) {
        s->chunked = true;
    } else if (starts_with(line, len, "content-type: text/event-stream")) {
        s->event_stream = true;
    } else if (len == 0) {
        if (s->status == 200 && !(s->chunked && s->event_stream)) count->framing_errors++;
        s->parsing = s->status == 200 && s->chunked && s->event_stream ? CHUNK_SIZE : BROKEN;
    }
}

static void keep_partial_line(Stream *s, const char *at, size_t len) {
    if (s->carry_len + len > s->carry_cap) {
        s->carry_cap = (s->carry_len + len) * 2;
        s->carry = realloc(s->carry, s->carry_cap);
        if (!s->carry) abort();
    }
    memcpy(s->carry + s->carry_len, at, len);
    s->carry_len += len;
}

/* Return the next line at `at`, without its LF and with its kept start. If it is incomplete, keep it and return NULL. */
static const char *take_line(Stream *s, const char **at, const char *end, size_t *len) {
    const char *line = *at, *lf = memchr(line, '\n', (size_t)(end - line));
    if (!lf) {
        keep_partial_line(s, line, (size_t)(end - line));
        *at = end;
        return NULL;
    }
    *at = lf + 1;
    *len = (size_t)(lf - line);
    if (s->carry_len == 0) return line;
    keep_partial_line(s, line, *len);
    *len = s->carry_len;
    s->carry_len = 0;
    return s->carry;
}

static void feed_body(Stream *s, const char *at, const char *end, Counters *count, uint64_t now_us, unsigned sample) {
    const char *line;
    size_t len;
    if (memchr(at, '\r', (size_t)(end - at))) count->sse_errors++;
    while (at < end && (line = take_line(s, &at, end, &len))) sse_line(s, line, len, count, now_us, sample);
    if (s->carry_len > MAX_LINE) s->parsing = BROKEN;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static Parsing expect(char c, char wanted, Parsing next) { return c == wanted ? next : BROKEN; }

static Parsing feed_size(Stream *s, char c) {
    int value = hex(c);
    if (value >= 0 && s->chunk_left < (1ull << 40)) {
        s->chunk_left = s->chunk_left * 16 + (uint64_t)value;
        s->size_seen = true;
        return CHUNK_SIZE;
    }
    if (!s->size_seen) return BROKEN;
    return c == ';' ? CHUNK_EXTENSION : expect(c, '\r', SIZE_LF);
}

static Parsing begin_chunk(Stream *s, char c, Counters *count) {
    s->size_seen = false;
    if (c != '\n') return BROKEN;
    if (s->chunk_left == 0) return TRAILER;
    count->chunks++;
    return BODY;
}

void stream_feed(Stream *s, const char *at, size_t len, Counters *count, uint64_t now_us, unsigned sample) {
    const char *end = at + len, *line;
    size_t n;
    while (at < end && s->parsing < ENDED) {
        switch (s->parsing) {
        case HEAD:
            if ((line = take_line(s, &at, end, &n))) head_line(s, line, n, count);
            continue;
        case BODY:
            n = (size_t)(end - at) < s->chunk_left ? (size_t)(end - at) : s->chunk_left;
            feed_body(s, at, at + n, count, now_us, sample);
            at += n;
            s->chunk_left -= n;
            if (s->chunk_left == 0 && s->parsing == BODY) s->parsing = BODY_CR;
            continue;
        case CHUNK_SIZE: s->parsing = feed_size(s, *at++); break;
        case CHUNK_EXTENSION: s->parsing = *at++ == '\r' ? SIZE_LF : CHUNK_EXTENSION; break;
        case SIZE_LF: s->parsing = begin_chunk(s, *at++, count); break;
        case BODY_CR: s->parsing = expect(*at++, '\r', BODY_LF); break;
        case BODY_LF: s->parsing = expect(*at++, '\n', CHUNK_SIZE); break;
        case TRAILER: s->parsing = expect(*at++, '\r', TRAILER_LF); break;
        default: s->parsing = expect(*at++, '\n', ENDED); break;
        }
        if (s->parsing == BROKEN) count->framing_errors++;
    }
    if (s->parsing == ENDED && (s->carry_len || s->has_id || s->has_data)) count->sse_errors++;
}
