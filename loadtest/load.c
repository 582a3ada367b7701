// A load generator: one thread, one epoll loop, HTTP/1.1 keep-alive, in clear text or (--tls SNI) over TLS 1.3 with X25519 and
// TLS_AES_128_GCM_SHA256, so that every peer does the same work; certificates are not verified.
//
// Closed loop (no --rate): each connection sends its next request when the last answer is complete.
// Constant rate: requests fall due at start + n / rate whether or not earlier ones were answered, and a latency counts
// from the moment a request was due, not from the moment a connection was free to send it. So a stall is seen by every
// request that it delays ("coordinated omission" is left out).
// Idle (--idle N): opens N connections, does one exchange on each, prints "ready", and holds them until stdin closes.
//
// With --source ADDRESS connections come from that address of this machine, with --sources N from N in turn, that one the first.
//
// The result is one line of JSON on stdout; latencies are in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_LIMIT = 16384, SCRATCH = 1 << 20, EVENTS = 512, SUBBUCKETS = 64, BUCKETS = 40 * SUBBUCKETS, NAMES = 8 };

struct connection {
    int fd;
    SSL *tls;               // NULL in clear text.
    int busy;
    int64_t due;            // When the request in flight was due, ns.
    int64_t body_left;      // -1 while the head is being read.
    size_t request_left;    // Octets of the request not yet sent, when the socket was full.
    const char *request_at;
    unsigned head_length;
    int status;
    int closing;            // The answer said `Connection: close`.
    char head[HEAD_LIMIT];
};

struct request {
    const char *octets;
    size_t length;
};

static struct sockaddr_in target, source;
static int sources = 1;
static SSL_CTX *tls_settings;
static const char *tls_name;
static struct connection *connections;
static int *free_list, free_count, poller, connection_count = 64, idle_count;
static struct request *requests;
static size_t request_count;
static uint64_t random_state = 88172645463325252ull;
static char scratch[SCRATCH];
static int64_t measure_from, end_at, next_due, started;
static double rate;
static uint64_t due_index;

static uint64_t completed, octets_in, not_200, failed, timed_out, closed_idle, closed_told, reconnects;
static uint64_t histogram[BUCKETS], latency_max;
static double latency_sum;
static struct { char name[32]; uint64_t count; } names[NAMES];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

// A bucket is 1/64 of a power of two wide: 1.6 % of the value.
static unsigned bucket_of(uint64_t ns) {
    if (ns < SUBBUCKETS) return (unsigned)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns) - 6;
    unsigned bucket = (power + 1) * SUBBUCKETS + (unsigned)((ns >> power) - SUBBUCKETS);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double value_of(unsigned bucket) {
    if (bucket < SUBBUCKETS) return bucket;
    unsigned power = bucket / SUBBUCKETS - 1;
    return ((double)(bucket % SUBBUCKETS + SUBBUCKETS) + 0.5) * (double)(1ull << power);
}

static double percentile(double share) {
    uint64_t total = 0, seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) total += histogram[i];
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen && (double)seen >= share * (double)total) return value_of(i) / 1000;
    }
    return 0;
}

static void set_tls(const char *name) {
    tls_name = name;
    tls_settings = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(tls_settings, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(tls_settings, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(tls_settings, "X25519");
    SSL_CTX_set_alpn_protos(tls_settings, (const unsigned char *)"\x08http/1.1", 9);
    SSL_CTX_set_mode(tls_settings,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

// As send(2) and recv(2), over TLS too.
static ssize_t take_out(struct connection *c, const void *octets, size_t length) {
    if (!c->tls) return send(c->fd, octets, length, MSG_NOSIGNAL);
    size_t written;
    int result = SSL_write_ex(c->tls, octets, length, &written);
    if (result == 1) return (ssize_t)written;
    int error = SSL_get_error(c->tls, result);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

static ssize_t take_in(struct connection *c, void *into, size_t room) {
    if (!c->tls) return recv(c->fd, into, room, 0);
    size_t count;
    int result = SSL_read_ex(c->tls, into, room, &count);
    if (result == 1) return (ssize_t)count;
    int error = SSL_get_error(c->tls, result);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

// The handshake, while the socket still blocks. False when it failed.
static int handshake(struct connection *c, int fd) {
    if (!tls_settings) return 1;
    c->tls = SSL_new(tls_settings);
    SSL_set_fd(c->tls, fd);
    SSL_set_tlsext_host_name(c->tls, tls_name);
    if (SSL_connect(c->tls) == 1) return 1;
    SSL_free(c->tls);
    c->tls = NULL;
    return 0;
}

static void connect_one(struct connection *c) {
    for (int attempt = 0; attempt < 200; attempt++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
        if (fd < 0) break;
        if (source.sin_family) {
            struct sockaddr_in own = source;
            own.sin_addr.s_addr = htonl(ntohl(source.sin_addr.s_addr) + (uint32_t)((c - connections) % sources));
            // The kernel chooses the port when it knows both ends.
            setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
            if (bind(fd, (struct sockaddr *)&own, sizeof own)) break;
        }
        if (connect(fd, (struct sockaddr *)&target, sizeof target) == 0 && handshake(c, fd)) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            // Non-blocking only now: a connect on loopback is done at once, and a handshake soon.
            if (ioctl(fd, FIONBIO, &one)) break;
            c->fd = fd;
            c->busy = 0;
            c->closing = 0;
            c->request_left = 0;
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
            if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) break;
            return;
        }
        close(fd);
        failed++;
        usleep(5000);
    }
    fprintf(stderr, "load: cannot connect: %s\n", strerror(errno));
    exit(1);
}

static const struct request *next_request(void) {
    if (request_count == 1) return requests;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return &requests[random_state % request_count];
}

static void push_request(struct connection *c) {
    while (c->request_left > 0) {
        ssize_t n = take_out(c, c->request_at, c->request_left);
        if (n < 0) return;  // EAGAIN waits for EPOLLOUT; anything else is seen by the next read.
        c->request_at += n;
        c->request_left -= (size_t)n;
    }
}

static void start_request(struct connection *c, int64_t due) {
    const struct request *request = next_request();
    c->busy = 1;
    c->due = due;
    c->body_left = -1;
    c->head_length = 0;
    c->request_at = request->octets;
    c->request_left = request->length;
    push_request(c);
}

static void count_name(const char *value, size_t length) {
    if (length >= sizeof names[0].name) length = sizeof names[0].name - 1;
    for (int i = 0; i < NAMES; i++) {
        if (!names[i].name[0]) memcpy(names[i].name, value, length);
        if (strlen(names[i].name) == length && !memcmp(names[i].name, value, length)) {
            names[i].count++;
            return;
        }
    }
}

// Reads the head's fields that matter. False when the answer cannot be followed.
static int take_head(struct connection *c, size_t head_end) {
    c->head[head_end - 1] = 0;
    if (memcmp(c->head, "HTTP/1.", 7)) return 0;
    c->status = atoi(c->head + 9);
    int64_t length = -1;
    for (char *line = strstr(c->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, "content-length:", 15)) length = atoll(line + 15);
        if (!strncasecmp(line, "connection: close", 17)) c->closing = 1;
        if (!strncasecmp(line, "x-backend: ", 11)) count_name(line + 11, strcspn(line + 11, "\r\n"));
    }
    c->body_left = length;
    return length >= 0;
}

static void finish(struct connection *c, int64_t now) {
    c->busy = 0;
    if (now >= measure_from) {
        uint64_t latency = (uint64_t)(now > c->due ? now - c->due : 0);
        completed++;
        histogram[bucket_of(latency)]++;
        latency_sum += (double)latency;
        if (latency > latency_max) latency_max = latency;
    }
    if (c->status != 200) not_200++;
}

static void reopen(struct connection *c) {
    SSL_free(c->tls);
    c->tls = NULL;
    close(c->fd);
    reconnects++;
    connect_one(c);
}

// Reads what there is. 1: an answer is complete; 0: more to come; -1: the connection is gone.
static int read_answer(struct connection *c) {
    for (;;) {
        int in_head = c->busy && c->body_left < 0;
        char *into = in_head ? c->head + c->head_length : scratch;
        size_t room = in_head ? HEAD_LIMIT - 1 - c->head_length : SCRATCH;
        ssize_t n = take_in(c, into, room);
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) return -1;
        octets_in += (uint64_t)n;
        if (!c->busy) return -1;  // An answer that nobody asked for.
        if (in_head) {
            unsigned from = c->head_length > 3 ? c->head_length - 3 : 0;
            c->head_length += (unsigned)n;
            char *end = memmem(c->head + from, c->head_length - from, "\r\n\r\n", 4);
            if (!end) {
                if (c->head_length >= HEAD_LIMIT - 1) return -1;
                continue;
            }
            size_t head_end = (size_t)(end - c->head) + 4;
            size_t extra = c->head_length - head_end;
            if (!take_head(c, head_end) || (int64_t)extra > c->body_left) return -1;
            c->body_left -= (int64_t)extra;
        } else {
            if (n > c->body_left) return -1;
            c->body_left -= n;
        }
        if (c->body_left == 0) return 1;
        // TLS gives a record at a time, so less than asked for does not mean that the socket is empty.
        if ((size_t)n < room && !c->tls) return 0;
    }
}

static void give_work(struct connection *c, int64_t now) {
    if (rate == 0) {
        start_request(c, now);
    } else if (next_due <= now) {
        start_request(c, next_due);
        next_due = started + (int64_t)((double)++due_index * 1e9 / rate);
    } else {
        free_list[free_count++] = (int)(c - connections);
    }
}

static void drop_from_free_list(int index) {
    for (int i = 0; i < free_count; i++)
        if (free_list[i] == index) {
            free_list[i] = free_list[--free_count];
            return;
        }
}

static void on_event(struct connection *c, uint32_t events, int64_t now) {
    if (events & EPOLLOUT && c->request_left) push_request(c);
    if (!(events & ~(uint32_t)EPOLLOUT)) return;
    switch (read_answer(c)) {
    case 1:
        finish(c, now);
        if (c->closing) {
            closed_told++;
            reopen(c);
        }
        if (now < end_at) give_work(c, now);
        break;
    case -1:
        if (c->busy) {
            failed++;
        } else {
            closed_idle++;
            drop_from_free_list((int)(c - connections));
        }
        reopen(c);
        if (now < end_at) give_work(c, now);
        break;
    default:
        break;
    }
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    *length = fread(text, 1, (size_t)size, file);
    fclose(file);
    return text;
}

static void add_request(const char *path, size_t length, const char *host, const char *fields) {
    char *octets;
    int n = asprintf(&octets, "GET %.*s HTTP/1.1\r\nHost: %s\r\n%s\r\n", (int)length, path, host, fields);
    requests = realloc(requests, (request_count + 1) * sizeof *requests);
    requests[request_count++] = (struct request){.octets = octets, .length = (size_t)n};
}

static int hold_idle(void) {
    connections = calloc((size_t)idle_count, sizeof *connections);
    struct connection shared = {0};
    for (int i = 0; i < idle_count; i++) {
        connect_one(&connections[i]);
        connections[i].request_left = requests[0].length;
        connections[i].request_at = requests[0].octets;
        push_request(&connections[i]);
        // One exchange at a time; the answer is small and is read in blocking steps of a millisecond.
        shared = (struct connection){
            .fd = connections[i].fd, .tls = connections[i].tls, .busy = 1, .body_left = -1};
        int state = 0;
        for (int wait = 0; wait < 5000 && !(state = read_answer(&shared)); wait++) usleep(wait < 100 ? 20 : 1000);
        if (state != 1 || shared.status != 200) failed++;
    }
    puts("ready");
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN | EPOLLHUP, .data.ptr = NULL}, events[EVENTS];
    // Nothing to wait for where stdin is not a pipe (EPERM, a file or /dev/null).
    for (int over = epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) != 0; !over;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                over = 1;
            } else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                closed_idle++;
                close(c->fd);
            }
        }
    }
    printf("{\"idle\": %d, \"failed\": %lu, \"closed\": %lu}\n", idle_count, failed, closed_idle);
    return 0;
}

static void report(double seconds) {
    printf("{\"requests\": %lu, \"seconds\": %.3f, \"rps\": %.1f, \"octets\": %lu, \"not_200\": %lu, \"failed\": %lu, "
           "\"timed_out\": %lu, \"closed_idle\": %lu, \"closed_told\": %lu, \"reconnects\": %lu, \"backends\": {",
           completed, seconds, (double)completed / seconds, octets_in, not_200, failed, timed_out, closed_idle,
           closed_told, reconnects);
    for (int i = 0; i < NAMES && names[i].name[0]; i++)
        printf("%s\"%s\": %lu", i ? ", " : "", names[i].name, names[i].count);
    printf("}, \"latency\": {\"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}}\n",
           completed ? latency_sum / (double)completed / 1000 : 0, percentile(.5), percentile(.9), percentile(.99),
           percentile(.999), (double)latency_max / 1000);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"target", 1, 0, 't'}, {"connections", 1, 0, 'c'}, {"duration", 1, 0, 'd'}, {"warmup", 1, 0, 'w'},
        {"rate", 1, 0, 'r'},   {"host", 1, 0, 'h'},        {"path", 1, 0, 'p'},     {"paths", 1, 0, 'P'},
        {"fields", 1, 0, 'f'}, {"idle", 1, 0, 'i'},        {"count", 1, 0, 'n'},    {"tls", 1, 0, 's'},
        {"source", 1, 0, 'S'}, {"sources", 1, 0, 'N'},
        {0}};
    double duration = 2, warmup = 0;
    uint64_t count_limit = 0;
    const char *host = "localhost", *path = "/", *paths = NULL, *fields = "";
    char address[64];
    unsigned port;
    size_t length;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 't':
            if (sscanf(optarg, "%63[^:]:%u", address, &port) != 2 || inet_pton(AF_INET, address, &target.sin_addr) != 1)
                return 2;
            target.sin_family = AF_INET;
            target.sin_port = htons((uint16_t)port);
            break;
        case 'c': connection_count = atoi(optarg); break;
        case 'd': duration = atof(optarg); break;
        case 'w': warmup = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'h': host = optarg; break;
        case 'p': path = optarg; break;
        case 'P': paths = optarg; break;
        case 'f': fields = read_file(optarg, &length); break;
        case 'i': idle_count = atoi(optarg); break;
        case 's': set_tls(optarg); break;
        case 'S':
            if (inet_pton(AF_INET, optarg, &source.sin_addr) != 1) return 2;
            source.sin_family = AF_INET;
            break;
        case 'N': sources = atoi(optarg) > 0 ? atoi(optarg) : 1; break;
        case 'n': count_limit = strtoull(optarg, NULL, 10); break;
        default: return 2;
        }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (paths) {
        for (char *line = read_file(paths, &length); *line; line += strcspn(line, "\n"), line += *line == '\n')
            add_request(line, strcspn(line, "\n"), host, fields);
    } else {
        add_request(path, strlen(path), host, fields);
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (idle_count) return hold_idle();

    connections = calloc((size_t)connection_count, sizeof *connections);
    free_list = calloc((size_t)connection_count, sizeof *free_list);
    for (int i = 0; i < connection_count; i++) connect_one(&connections[i]);
    started = now_ns();
    next_due = started;
    measure_from = started + (int64_t)(warmup * 1e9);
    end_at = measure_from + (int64_t)(duration * 1e9);
    for (int i = 0; i < connection_count; i++) give_work(&connections[i], started);
    struct epoll_event events[EVENTS];
    // After the end, answers in flight get two seconds; what is missing then is a timeout.
    int64_t now = started;
    for (;;) {
        int64_t until = end_at + 2000000000ll;
        if (rate > 0 && free_count && next_due < until && now < end_at) until = next_due;
        int64_t wait = until > now ? until - now : 0;
        struct timespec timeout = {.tv_sec = wait / 1000000000ll, .tv_nsec = wait % 1000000000ll};
        int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
        now = now_ns();
        for (int i = 0; i < count; i++) on_event(events[i].data.ptr, events[i].events, now);
        if (count_limit && completed >= count_limit) end_at = now;
        while (rate > 0 && now < end_at && free_count && next_due <= now)
            give_work(&connections[free_list[--free_count]], now);
        if (now >= end_at) {
            int busy = 0;
            for (int i = 0; i < connection_count; i++) busy += connections[i].busy;
            if (!busy) break;
            if (now >= end_at + 2000000000ll) {
                timed_out = (uint64_t)busy;
                break;
            }
        }
    }
    report((double)(now - measure_from) / 1e9);
    return 0;
}
