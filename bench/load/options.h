/* The command line of the load client. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *host, *path, *header;
    unsigned port, streams, stalled, tasks, sample;
    double duration, warmup, connect_rate;
    uint64_t since, until;
    bool any_first_id, reconnect;
} Options;

extern Options options;

void options_parse(int argc, char **argv);

#endif
