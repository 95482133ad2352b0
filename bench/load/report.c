#define _GNU_SOURCE
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double cpu_seconds(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

void phase_begin(Phase *p, const char *name, bool warmup) {
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->warmup = warmup;
    p->began = seconds_now();
    p->cpu_began = cpu_seconds();
}

void phase_end(Phase *p) {
    p->seconds = seconds_now() - p->began;
    p->cpu_seconds = cpu_seconds() - p->cpu_began;
}

/* Add a phase to the total. Errors count in any phase; time, volume and latency only outside the warm-up. */
void phase_add(Phase *total, const Phase *p) {
    Counters *t = &total->count;
    const Counters *c = &p->count;
    t->gaps += c->gaps, t->missing += c->missing, t->duplicates += c->duplicates, t->reordered += c->reordered;
    t->connect_errors += c->connect_errors, t->status_errors += c->status_errors, t->framing_errors += c->framing_errors;
    t->sse_errors += c->sse_errors, t->mismatches += c->mismatches, t->cuts += c->cuts;
    if (p->warmup) return;
    total->seconds += p->seconds, total->cpu_seconds += p->cpu_seconds;
    t->events += c->events, t->reads += c->reads, t->chunks += c->chunks, t->bytes += c->bytes;
    t->keepalives += c->keepalives, t->control += c->control, t->reconnects += c->reconnects;
    histogram_merge(&t->latency, &c->latency);
}

static uint64_t errors(const Counters *c) {
    return c->connect_errors + c->status_errors + c->framing_errors + c->sse_errors + c->mismatches + c->cuts;
}

static void print_number(const char *name, uint64_t value) { printf(", \"%s\": %llu", name, (unsigned long long)value); }

static void print_figures(const Phase *p) {
    const Counters *c = &p->count;
    printf("\"seconds\": %.6f, \"cpu_s\": %.6f, \"deliveries_per_s\": %.1f", p->seconds, p->cpu_seconds,
           p->seconds > 0 ? (double)c->events / p->seconds : 0.0);
    print_number("events", c->events), print_number("reads", c->reads), print_number("chunks", c->chunks);
    print_number("bytes", c->bytes), print_number("keepalives", c->keepalives), print_number("control", c->control);
    print_number("reconnects", c->reconnects), print_number("samples", c->latency.count);
    printf(", \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f", histogram_ms(&c->latency, 0.5),
           histogram_ms(&c->latency, 0.9), histogram_ms(&c->latency, 0.99), (double)c->latency.max / 1000.0);
    print_number("gaps", c->gaps), print_number("missing", c->missing), print_number("duplicates", c->duplicates);
    print_number("reordered", c->reordered), print_number("errors", errors(c));
    printf(", \"error_kinds\": {\"cut\": %llu", (unsigned long long)c->cuts);
    print_number("connect", c->connect_errors), print_number("status", c->status_errors);
    print_number("framing", c->framing_errors), print_number("sse", c->sse_errors);
    print_number("mismatch", c->mismatches), printf("}");
}

void print_ready(const StreamTotals *at, double seconds) {
    printf("{\"ready\": true, \"streams\": %u, \"connected\": %u, \"failed\": %u, \"seconds\": %.6f}\n", at->streams,
           at->opened, at->failed, seconds);
    fflush(stdout);
}

void print_phase(const Phase *p) {
    printf("{\"phase\": \"%s\", ", p->name);
    print_figures(p);
    printf("}\n");
    fflush(stdout);
}

void print_total(const Phase *total, const StreamTotals *at, const Phase *phases, unsigned n) {
    printf("{\"total\": true, \"client\": \"compiled\", \"streams\": %u, \"connected\": %u", at->streams, at->opened);
    print_number("stalled", at->stalled), print_number("failed", at->failed), print_number("complete", at->complete);
    print_number("ended", at->ended), print_number("min_id", at->min_id), print_number("max_id", at->max_id);
    printf(", ");
    print_figures(total);
    printf(", \"phases\": [");
    for (unsigned i = 0; i < n; i++) {
        printf("%s{\"phase\": \"%s\", ", i ? ", " : "", phases[i].name);
        print_figures(&phases[i]);
        printf("}");
    }
    printf("]}\n");
    fflush(stdout);
}
