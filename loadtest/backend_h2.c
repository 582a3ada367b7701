// A backend that costs little and speaks HTTP/2 in clear text by prior knowledge: one thread, one epoll loop.
//
// Usage: backend_h2 ADDRESS:PORT=OCTETS[,NAME] …
//
// Every request, once it is complete, is answered 200 with a body of OCTETS; NAME, if given, is sent as `x-backend`. A
// request whose content-type begins with application/grpc gets one message of OCTETS and the trailer `grpc-status: 0`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SITES = 64, MAX_FDS = 20000, EVENTS = 256, READ_SIZE = 65536, WINDOW = 1 << 20, STREAMS = 1000 };

struct site {
    char name[64];
    uint8_t *body;  // A gRPC message's five octets of length first; a plain answer begins after them.
    size_t octets;
    char length[24];
};

struct connection {
    const struct site *site;
    nghttp2_session *session;
    uint8_t *waiting;  // What the socket did not take.
    size_t waiting_from, waiting_to, waiting_room;
};

// One request. Freed with its stream.
struct stream {
    int grpc;
    size_t sent;
};

static struct site sites[MAX_SITES];
static const struct site *listening[MAX_FDS];
static struct connection *connections[MAX_FDS];
static nghttp2_session_callbacks *callbacks;
static int poller;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    const struct site *site = ((struct connection *)user)->site;
    struct stream *stream = source->ptr;
    const uint8_t *body = stream->grpc ? site->body : site->body + 5;
    size_t left = site->octets + (stream->grpc ? 5 : 0) - stream->sent;
    size_t count = left < room ? left : room;
    memcpy(into, body + stream->sent, count);
    stream->sent += count;
    if (count == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->grpc) {
            static nghttp2_nv trailers[] = {
                {(uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}};
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, trailers, 1);
        }
    }
    return (ssize_t)count;
}

static void answer(nghttp2_session *session, int32_t id, const struct site *site, struct stream *stream) {
#define FIELD(n, v) \
    {(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}
    nghttp2_nv fields[6] = {FIELD(":status", "200"), FIELD("date", "Sat, 21 Nov 2026 12:00:00 GMT")};
    size_t count = 2;
    fields[count++] = (nghttp2_nv)FIELD("content-type", stream->grpc ? "application/grpc" : "text/plain");
    if (!stream->grpc) fields[count++] = (nghttp2_nv)FIELD("content-length", site->length);
    if (*site->name) fields[count++] = (nghttp2_nv)FIELD("x-backend", site->name);
#undef FIELD
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_body};
    nghttp2_submit_response(session, id, fields, count, &body);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, calloc(1, sizeof(struct stream)));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *user) {
    (void)flags, (void)user;
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream && name_length == 12 && !memcmp(name, "content-type", 12) && value_length >= 16)
        stream->grpc = !memcmp(value, "application/grpc", 16);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream) answer(session, frame->hd.stream_id, ((struct connection *)user)->site, stream);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)code, (void)user;
    free(nghttp2_session_get_stream_user_data(session, id));
    return 0;
}

static void open_site(const char *spec, struct site *site) {
    char address[64];
    unsigned port;
    if (sscanf(spec, "%63[^:]:%u=%zu,%63s", address, &port, &site->octets, site->name) < 3) {
        fprintf(stderr, "backend_h2: '%s' is not ADDRESS:PORT=OCTETS[,NAME]\n", spec);
        exit(2);
    }
    site->body = malloc(site->octets + 5);
    uint32_t length = htonl((uint32_t)site->octets);
    site->body[0] = 0;  // Not compressed.
    memcpy(site->body + 1, &length, 4);
    memset(site->body + 5, 'x', site->octets);
    snprintf(site->length, sizeof site->length, "%zu", site->octets);
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
        struct connection *c = connections[fd] = calloc(1, sizeof *c);
        c->site = listening[listener];
        nghttp2_session_server_new(&c->session, callbacks, c);
        nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
        nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
        nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, 16 * WINDOW);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
}

static void close_connection(int fd) {
    struct connection *c = connections[fd];
    connections[fd] = NULL;
    nghttp2_session_del(c->session);
    free(c->waiting);
    free(c);
    close(fd);
}

// Gathers all that is to be sent, so that many small answers are one write. False when the connection is gone.
static int flush(int fd, struct connection *c) {
    for (;;) {
        if (c->waiting_from == c->waiting_to) {
            c->waiting_from = c->waiting_to = 0;
            const uint8_t *octets;
            ssize_t count;
            // A bound on what is gathered: the rest follows when the socket took this.
            while (c->waiting_to < WINDOW && (count = nghttp2_session_mem_send(c->session, &octets)) > 0) {
                if (c->waiting_to + (size_t)count > c->waiting_room) {
                    c->waiting_room = (c->waiting_to + (size_t)count) * 2;
                    c->waiting = realloc(c->waiting, c->waiting_room);
                }
                memcpy(c->waiting + c->waiting_to, octets, (size_t)count);
                c->waiting_to += (size_t)count;
            }
            if (c->waiting_to == 0) break;
        }
        ssize_t n = send(fd, c->waiting + c->waiting_from, c->waiting_to - c->waiting_from, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        c->waiting_from += (size_t)n;
    }
    return nghttp2_session_want_read(c->session) || nghttp2_session_want_write(c->session);
}

// False when the connection is gone.
static int take_input(int fd, struct connection *c) {
    static uint8_t buffer[READ_SIZE];
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n == 0) return 0;
        if (n < 0) return errno == EAGAIN;
        if (nghttp2_session_mem_recv(c->session, buffer, (size_t)n) < 0) return 0;
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
        fprintf(stderr, "usage: backend_h2 ADDRESS:PORT=OCTETS[,NAME] ...\n");
        return 2;
    }
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
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
            struct connection *c = connections[fd];
            int alive = !(events[i].events & EPOLLIN) || take_input(fd, c);
            if (!alive || !flush(fd, c) || events[i].events & (EPOLLERR | EPOLLHUP)) close_connection(fd);
        }
    }
}
