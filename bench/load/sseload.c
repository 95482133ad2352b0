/* Load client for event streams: opens many streams, checks their order and completeness, and measures latency.
 *
 *   sseload --port P --path '/sse/tasks/t{i}/events' --streams 1000 --tasks 10 --duration 10
 *
 * It prints one JSON object per line: "ready" once every stream has its response head, one at the end of each phase, and
 * "total" at the end. On standard input, `mark NAME` ends the phase and begins another; `stop` ends the run, and so does
 * the end of the input without --duration and --until-seq. Latency is measured from "t_us":<microseconds since 1970>.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "report.h"

enum { READ_SIZE = 256 * 1024, BATCH = 512, MAX_PHASES = 4096 };

static Stream *streams;
static Stream **waiting; /* streams to open at their `open_at` */
static unsigned waiting_count, done_count, unsettled;
static StreamTotals standing;
static Phase *phases, total;
static unsigned phase_count;
static int poller;
static bool stopping;
static double started, ready_at;
static char buffer[READ_SIZE];

static Counters *current_counters(void) { return &phases[phase_count - 1].count; }

static uint64_t wall_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void next_phase(const char *name, bool warmup) {
    if (phase_count) {
        Phase *last = &phases[phase_count - 1];
        phase_end(last);
        phase_add(&total, last);
        if (name) print_phase(last);
    }
    if (!name) return;
    if (phase_count == MAX_PHASES) exit(3);
    phase_begin(&phases[phase_count++], name, warmup);
}

static void settle(Stream *s, bool ok) {
    if (ok && !s->opened) standing.opened++, s->opened = true;
    if (s->settled) return;
    s->settled = true;
    if (!ok) standing.failed++;
    if (--unsettled) return;
    ready_at = seconds_now();
    next_phase(options.warmup > 0 ? "warmup" : "main", options.warmup > 0);
    print_ready(&standing, ready_at - started);
}

static void wait_until(Stream *s, double when) {
    s->open_at = when;
    waiting[waiting_count++] = s;
}

static void hang_up(Stream *s) {
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

/* Handle the end of a response. `clean` means that the server ended the body; otherwise it was cut or refused. */
static void end_response(Stream *s, bool clean) {
    bool refused = s->status > 0 && s->status != 200;
    double delay = s->retry_ms > 0 ? (double)s->retry_ms / 1000 : clean ? 0 : refused ? 1.0 : 0.1;
    hang_up(s);
    if (clean) standing.ended++;
    if (options.reconnect && !stopping) {
        current_counters()->reconnects++;
        wait_until(s, seconds_now() + delay);
        return;
    }
    settle(s, false);
    if (!s->stalled) done_count++;
}

static void finish(Stream *s) {
    hang_up(s);
    standing.complete++;
    done_count++;
}

static void send_request(Stream *s) {
    char request[4096], path[2048], resume[64] = "";
    const char *at = strstr(options.path, "{i}");
    if (at)
        snprintf(path, sizeof path, "%.*s%u%s", (int)(at - options.path), options.path, s->number % options.tasks, at + 3);
    else
        snprintf(path, sizeof path, "%s", options.path);
    if (s->seen) snprintf(resume, sizeof resume, "Last-Event-ID: %llu\r\n", (unsigned long long)s->last_id);
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s:%u\r\nAccept: text/event-stream\r\nConnection: keep-alive\r\n%s%s%s\r\n",
                     path, options.host, options.port, resume, options.header ? options.header : "",
                     options.header ? "\r\n" : "");
    s->connecting = false;
    if (send(s->fd, request, (size_t)n, MSG_NOSIGNAL) == n) return;
    current_counters()->connect_errors++;
    end_response(s, false);
}

static void open_stream(Stream *s) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = s};
    int on = 1;
    inet_pton(AF_INET, options.host, &to.sin_addr);
    stream_reset(s);
    s->connecting = true;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd >= 0) setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (s->fd < 0 || (connect(s->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &event)) {
        current_counters()->connect_errors++;
        end_response(s, false);
    }
}

static void open_due_streams(double now) {
    for (unsigned i = 0; i < waiting_count;) {
        Stream *s = waiting[i];
        if (s->open_at > now) {
            i++;
            continue;
        }
        waiting[i] = waiting[--waiting_count];
        open_stream(s);
    }
}

static void on_connected(Stream *s) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        current_counters()->connect_errors++;
        end_response(s, false);
        return;
    }
    epoll_ctl(poller, EPOLL_CTL_MOD, s->fd, &event);
    send_request(s);
}

static void on_readable(Stream *s) {
    ssize_t n = recv(s->fd, buffer, sizeof buffer, 0);
    Counters *count = current_counters();
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        count->cuts++;
        end_response(s, false);
        return;
    }
    count->reads++;
    count->bytes += (uint64_t)n;
    bool in_head = s->parsing == HEAD;
    stream_feed(s, buffer, (size_t)n, count, wall_us(), options.sample);
    if (options.until && s->last_id >= options.until && !s->stalled) {
        settle(s, true);
        finish(s);
        return;
    }
    if (s->parsing == BROKEN || s->parsing == ENDED) {
        if (s->status == 200 && in_head) settle(s, true);
        end_response(s, s->parsing == ENDED);
        return;
    }
    if (!in_head || s->parsing == HEAD) return;
    s->retry_ms = 0;
    settle(s, true);
    if (s->stalled) epoll_ctl(poller, EPOLL_CTL_DEL, s->fd, NULL);
}

static void on_command(void) {
    static char line[256];
    static size_t have;
    ssize_t n = read(0, line + have, sizeof line - 1 - have);
    char *end;
    if (n <= 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
        if (options.duration == 0 && options.until == 0) stopping = true;
        return;
    }
    have += (size_t)n;
    line[have] = 0;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        if (strncmp(line, "mark ", 5) == 0) next_phase(line + 5, false);
        if (strcmp(line, "stop") == 0) stopping = true;
        have -= (size_t)(end + 1 - line);
        memmove(line, end + 1, have + 1);
    }
}

static void run(void) {
    struct epoll_event events[BATCH], input = {.events = EPOLLIN, .data.ptr = NULL};
    unsigned readers = options.streams - options.stalled;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input) && options.duration == 0 && options.until == 0) exit(2);
    while (!stopping && !(readers && done_count == readers)) {
        int n = epoll_wait(poller, events, BATCH, waiting_count ? 1 : 50);
        for (int i = 0; i < n; i++) {
            Stream *s = events[i].data.ptr;
            if (!s) on_command();
            else if (s->connecting) on_connected(s);
            else on_readable(s);
        }
        double now = seconds_now();
        if (waiting_count) open_due_streams(now);
        if (!ready_at) continue;
        if (phases[phase_count - 1].warmup && now - ready_at >= options.warmup) next_phase("main", false);
        if (options.duration > 0 && now - ready_at >= options.warmup + options.duration) stopping = true;
    }
}

int main(int argc, char **argv) {
    options_parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    streams = calloc(options.streams, sizeof *streams);
    waiting = calloc(options.streams, sizeof *waiting);
    phases = calloc(MAX_PHASES, sizeof *phases);
    if (poller < 0 || !streams || !waiting || !phases) return 3;
    started = seconds_now();
    standing.streams = unsettled = options.streams;
    standing.stalled = options.stalled;
    next_phase("connect", options.warmup > 0);
    for (unsigned i = 0; i < options.streams; i++) {
        Stream *s = &streams[i];
        s->number = i;
        s->fd = -1;
        s->stalled = i < options.stalled;
        s->last_id = options.since;
        s->any_first_id = options.any_first_id;
        wait_until(s, started + i / options.connect_rate);
    }
    run();
    next_phase(NULL, false);
    standing.min_id = options.stalled < options.streams ? UINT64_MAX : 0;
    for (unsigned i = options.stalled; i < options.streams; i++) {
        if (streams[i].last_id < standing.min_id) standing.min_id = streams[i].last_id;
        if (streams[i].last_id > standing.max_id) standing.max_id = streams[i].last_id;
    }
    print_total(&total, &standing, phases, phase_count);
    return 0;
}
