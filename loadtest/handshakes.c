// TLS 1.3 handshakes, as many as the peer can do: one thread, one epoll loop, a closed loop on each connection.
//
// Usage: handshakes --target ADDRESS:PORT [--host SNI] [--connections N] [--duration S] [--resume]
//
// A connection is opened, handshaken, told to be over (close_notify and FIN) and counted when the peer has closed it too:
// so the peer did its half of the handshake to the end, the tickets included, and nothing else. All use X25519 and
// TLS_AES_128_GCM_SHA256. With --resume a first connection fetches a ticket, and every other resumes with it (with (EC)DHE,
// as the peers' default is); what was not resumed then counts as failed.
//
// The result is one line of JSON on stdout; latencies, from connect() to the client's Finished, are in microseconds.
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
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, SOURCES = 32, LATENCIES = 1 << 20 };

struct connection {
    int fd;  // -1: none.
    SSL *tls;
    int finished;  // The handshake is done, and the end was said.
    int64_t begun;
};

static struct sockaddr_in target;
static const char *host = "localhost";
static SSL_CTX *settings;
static SSL_SESSION *ticket;
static struct connection *connections;
static int connection_count = 16, resume, poller;
static int64_t end_at;
static uint64_t done, failed, resumed, opened;
static uint32_t *latencies;
static uint64_t latency_count;
static char suite[64], version[16];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int keep_ticket(SSL *tls, SSL_SESSION *session) {
    (void)tls;
    if (ticket) SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static SSL *new_tls(int fd) {
    SSL *tls = SSL_new(settings);
    SSL_set_fd(tls, fd);
    SSL_set_tlsext_host_name(tls, host);
    return tls;
}

// One blocking exchange, so that the peer's ticket comes.
static void fetch_ticket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&target, sizeof target)) {
        perror("handshakes: connect");
        exit(1);
    }
    SSL *tls = new_tls(fd);
    char request[256], answer[4096];
    int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    if (SSL_connect(tls) == 1 && SSL_write(tls, request, length) == length)
        while (SSL_read(tls, answer, sizeof answer) > 0) continue;
    SSL_shutdown(tls);
    SSL_free(tls);
    close(fd);
    if (!ticket) {
        fprintf(stderr, "handshakes: the peer sent no ticket\n");
        exit(1);
    }
}

static void drop(struct connection *c) {
    if (c->fd < 0) return;
    SSL_free(c->tls);
    close(c->fd);
    c->fd = -1;
}

static void begin(struct connection *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->finished = 0;
    c->begun = now_ns();
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    // Several addresses of loopback: the ports of one would be used up by connections that wait in TIME_WAIT.
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(opened++ % SOURCES))};
    if (bind(c->fd, (struct sockaddr *)&source, sizeof source) ||
        (connect(c->fd, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS)) {
        perror("handshakes: connect");
        exit(1);
    }
    c->tls = new_tls(c->fd);
    if (resume) SSL_set_session(c->tls, ticket);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

// 1: this connection is over; 0: more to come.
static int advance(struct connection *c) {
    if (!c->finished) {
        int result = SSL_connect(c->tls);
        if (result != 1) {
            int error = SSL_get_error(c->tls, result);
            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
            failed++;
            return 1;
        }
        if (latency_count < LATENCIES) latencies[latency_count++] = (uint32_t)((now_ns() - c->begun) / 1000);
        if (!*suite) {
            snprintf(suite, sizeof suite, "%s", SSL_get_cipher_name(c->tls));
            snprintf(version, sizeof version, "%s", SSL_get_version(c->tls));
        }
        resumed += (uint64_t)SSL_session_reused(c->tls);
        if (SSL_session_reused(c->tls) != resume) failed++;
        c->finished = 1;
        SSL_shutdown(c->tls);
        shutdown(c->fd, SHUT_WR);
    }
    // Tickets and the peer's close_notify are not looked at; only that it closes.
    char rest[4096];
    for (;;) {
        ssize_t n = recv(c->fd, rest, sizeof rest, 0);
        if (n > 0) continue;
        if (n < 0 && errno == EAGAIN) return 0;
        done++;
        return 1;
    }
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile(double share) {
    if (!latency_count) return 0;
    return latencies[(uint64_t)(share * (double)(latency_count - 1))];
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"target", 1, 0, 't'},   {"host", 1, 0, 'h'},   {"connections", 1, 0, 'c'},
                                            {"duration", 1, 0, 'd'}, {"resume", 0, 0, 'r'}, {0}};
    double duration = 2;
    char address[64];
    unsigned port;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 't':
            if (sscanf(optarg, "%63[^:]:%u", address, &port) != 2 || inet_pton(AF_INET, address, &target.sin_addr) != 1)
                return 2;
            target.sin_family = AF_INET;
            target.sin_port = htons((uint16_t)port);
            break;
        case 'h': host = optarg; break;
        case 'c': connection_count = atoi(optarg); break;
        case 'd': duration = atof(optarg); break;
        case 'r': resume = 1; break;
        default: return 2;
        }
    signal(SIGPIPE, SIG_IGN);
    settings = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(settings, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(settings, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(settings, "X25519");
    SSL_CTX_set_alpn_protos(settings, (const unsigned char *)"\x08http/1.1", 9);
    SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (resume) {
        SSL_CTX_sess_set_new_cb(settings, keep_ticket);
        fetch_ticket();
        // A client's cache strikes out a TLS 1.3 ticket that was used once; here all use the same.
        SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    latencies = malloc(LATENCIES * sizeof *latencies);
    connections = calloc((size_t)connection_count, sizeof *connections);
    int64_t started = now_ns(), now = started;
    end_at = started + (int64_t)(duration * 1e9);
    int open = connection_count;
    for (int i = 0; i < connection_count; i++) begin(&connections[i]);
    struct epoll_event events[EVENTS];
    // After the end, what is under way gets two seconds.
    while (open > 0 && now < end_at + 2000000000ll) {
        int count = epoll_wait(poller, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!advance(c)) continue;
            drop(c);
            now = now_ns();
            if (now < end_at)
                begin(c);
            else
                open--;
        }
        now = now_ns();
    }
    double seconds = (double)(now - started) / 1e9;
    qsort(latencies, latency_count, sizeof *latencies, by_size);
    printf("{\"requests\": %lu, \"seconds\": %.3f, \"rps\": %.1f, \"octets\": 0, \"failed\": %lu, \"not_200\": 0, "
           "\"timed_out\": %d, \"resumed\": %lu, \"agreed\": [\"%s\", \"%s\"], \"backends\": {}, "
           "\"latency\": {\"p50\": %.0f, \"p99\": %.0f}}\n",
           done, seconds, (double)done / seconds, failed, open, resumed, version, suite, percentile(.5), percentile(.99));
    return 0;
}
