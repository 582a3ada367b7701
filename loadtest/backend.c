// A backend that costs little: one thread, one epoll loop, a fixed answer on each port.
//
// Usage: backend ADDRESS:PORT=OCTETS[,NAME] …
//
// Every request is answered 200 with a body of OCTETS; NAME, if given, is sent as `x-backend`. Requests are taken to have
// no body. It exists so that a benchmark measures the gateway and not what stands behind it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_SITES = 256, MAX_FDS = 70000, EVENTS = 256, READ_SIZE = 65536 };

// What one port answers: the head and the body in one block, so that a small answer is one write.
struct site {
    char *answer;
    size_t length;
};

struct connection {
    const struct site *site;
    size_t sent;       // Octets of the current answer that are already out.
    unsigned owed;     // Answers still to be sent, the current one included.
    unsigned matched;  // How much of "\r\n\r\n" the input ended with.
};

static struct site sites[MAX_SITES];
static struct connection connections[MAX_FDS];
static const struct site *listening[MAX_FDS];
static int poller;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void open_site(const char *spec, struct site *site) {
    char address[64], name[64] = "";
    unsigned port;
    size_t octets;
    if (sscanf(spec, "%63[^:]:%u=%zu,%63s", address, &port, &octets, name) < 3) {
        fprintf(stderr, "backend: '%s' is not ADDRESS:PORT=OCTETS[,NAME]\n", spec);
        exit(2);
    }
    char head[512];
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\n"
                               "%s%s%sContent-Length: %zu\r\n\r\n",
                               *name ? "x-backend: " : "", name, *name ? "\r\n" : "", octets);
    site->length = (size_t)head_length + octets;
    site->answer = malloc(site->length);
    memcpy(site->answer, head, (size_t)head_length);
    memset(site->answer + head_length, 'x', octets);

    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address, &where.sin_addr) != 1) fail(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&where, sizeof where) || listen(fd, 4096)) fail(spec);
    listening[fd] = site;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[fd] = (struct connection){.site = listening[listener]};
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) close(fd);
    }
}

// Sends what is owed until the socket is full. False when the connection is gone.
static int send_owed(int fd, struct connection *c) {
    while (c->owed > 0) {
        ssize_t n = send(fd, c->site->answer + c->sent, c->site->length - c->sent, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        c->sent += (size_t)n;
        if (c->sent == c->site->length) {
            c->sent = 0;
            c->owed--;
        }
    }
    return 1;
}

// Reads and counts the ends of heads. False when the peer is gone.
static int read_requests(int fd, struct connection *c) {
    static char buffer[READ_SIZE];
    static const char end[] = "\r\n\r\n";
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n == 0) return 0;
        if (n < 0) return errno == EAGAIN;
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] == end[c->matched]) {
                if (++c->matched == 4) {
                    c->matched = 0;
                    c->owed++;
                }
            } else if (c->matched) {
                c->matched = buffer[i] == '\r';
            } else {
                // Most octets are neither: jump to the next CR.
                char *next = memchr(buffer + i, '\r', (size_t)(n - i));
                i = next ? next - buffer - 1 : n;
            }
        }
        if ((size_t)n < sizeof buffer) return 1;
    }
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (argc < 2 || argc > MAX_SITES) {
        fprintf(stderr, "usage: backend ADDRESS:PORT=OCTETS[,NAME] ...\n");
        return 2;
    }
    if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
    for (int i = 1; i < argc; i++) open_site(argv[i], &sites[i]);
    puts("ready");
    fflush(stdout);
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (listening[fd]) {
                accept_all(fd);
                continue;
            }
            struct connection *c = &connections[fd];
            int alive = !(events[i].events & EPOLLIN) || read_requests(fd, c);
            if (!alive || !send_owed(fd, c) || events[i].events & (EPOLLERR | EPOLLHUP)) close(fd);
        }
    }
}
