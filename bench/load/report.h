/* Print the figures of one phase (the time between two marks) and of the whole run as JSON, one object per line. */
#ifndef REPORT_H
#define REPORT_H

#include "stream.h"

typedef struct {
    char name[48];
    double began, seconds, cpu_began, cpu_seconds;
    bool warmup;
    Counters count;
} Phase;

typedef struct {
    unsigned streams, stalled, opened, failed, complete, ended;
    uint64_t min_id, max_id;
} StreamTotals;

double seconds_now(void);
double cpu_seconds(void);

void phase_begin(Phase *p, const char *name, bool warmup);
void phase_end(Phase *p);
void phase_add(Phase *total, const Phase *p);

void print_ready(const StreamTotals *at, double seconds);
void print_phase(const Phase *p);
void print_total(const Phase *total, const StreamTotals *at, const Phase *phases, unsigned n);

#endif
