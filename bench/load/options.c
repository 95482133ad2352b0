#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Options options = {.host = "127.0.0.1", .path = "/", .port = 8000, .streams = 1, .tasks = 1, .sample = 1, .connect_rate = 2000};

static void usage(void) {
    fputs("usage: sseload --port P --path PATH [options]\n"
          "  --host ADDRESS     an IPv4 address (127.0.0.1)\n"
          "  --path PATH        {i} in it becomes the stream's number modulo --tasks\n"
          "  --streams N        streams to open (1)\n"
          "  --stalled S        the first S of them read the head and then nothing (0)\n"
          "  --tasks M          see --path (1)\n"
          "  --sample K         measure the latency of one in K events of a stream (1)\n"
          "  --duration SEC     end this many seconds after the warm-up\n"
          "  --until-seq N      a stream ends when it has seen this id\n"
          "  --warmup SEC       ignore events that arrive within this time (0)\n"
          "  --connect-rate R   connections a second (2000)\n"
          "  --since N|any      the first id must be N + 1 (0), or may be any\n"
          "  --reconnect        open a stream again when it ends, from its last id\n"
          "  --header LINE      one more request header\n",
          stderr);
    exit(2);
}

void options_parse(int argc, char **argv) {
    enum { HOST, PORT, PATH, STREAMS, STALLED, TASKS, SAMPLE, DURATION, WARMUP, RATE, SINCE, UNTIL, RECONNECT, HEADER };
    const struct option known[] = {
        {"host", 1, 0, HOST}, {"port", 1, 0, PORT}, {"path", 1, 0, PATH}, {"streams", 1, 0, STREAMS},
        {"stalled", 1, 0, STALLED}, {"tasks", 1, 0, TASKS}, {"sample", 1, 0, SAMPLE}, {"duration", 1, 0, DURATION},
        {"warmup", 1, 0, WARMUP}, {"connect-rate", 1, 0, RATE}, {"since", 1, 0, SINCE}, {"until-seq", 1, 0, UNTIL},
        {"reconnect", 0, 0, RECONNECT}, {"header", 1, 0, HEADER}, {0, 0, 0, 0}};
    for (int which; (which = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (which) {
        case HOST: options.host = optarg; break;
        case PORT: options.port = (unsigned)atoi(optarg); break;
        case PATH: options.path = optarg; break;
        case STREAMS: options.streams = (unsigned)atoi(optarg); break;
        case STALLED: options.stalled = (unsigned)atoi(optarg); break;
        case TASKS: options.tasks = (unsigned)atoi(optarg); break;
        case SAMPLE: options.sample = (unsigned)atoi(optarg); break;
        case DURATION: options.duration = atof(optarg); break;
        case WARMUP: options.warmup = atof(optarg); break;
        case RATE: options.connect_rate = atof(optarg); break;
        case SINCE:
            options.any_first_id = strcmp(optarg, "any") == 0;
            options.since = options.any_first_id ? 0 : strtoull(optarg, NULL, 10);
            break;
        case UNTIL: options.until = strtoull(optarg, NULL, 10); break;
        case RECONNECT: options.reconnect = true; break;
        case HEADER: options.header = optarg; break;
        default: usage();
        }
    }
    if (!options.streams || options.stalled > options.streams || !options.tasks || !options.sample) usage();
    if (options.connect_rate <= 0) usage();
}
