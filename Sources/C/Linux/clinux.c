#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long checked(long result) { return result < 0 ? -errno : result; }

int clinux_accept4(int listener, struct sockaddr *address, socklen_t *length) {
    return (int)checked(accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int clinux_pipe(int ends[2], int capacity) {
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
    // Refused past the user's limit on pipe memory (pipe(7)): the default capacity serves, more slowly.
    if (capacity > 0) fcntl(ends[0], F_SETPIPE_SZ, capacity);
    return fcntl(ends[0], F_GETPIPE_SZ);
}

int clinux_memfd(const char *name) { return (int)checked(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)); }

int clinux_seal(int memfd) {
    return (int)checked(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
}

int clinux_seal_size(int memfd) {
    return (int)checked(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

int clinux_is_sealed(int fd) {
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_WRITE) && (seals & F_SEAL_SHRINK);
}

int clinux_duplicate(int fd, int lowest) { return (int)checked(fcntl(fd, F_DUPFD_CLOEXEC, lowest)); }

int clinux_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
    return (int)checked(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

int clinux_read_signal(int fd) {
    struct signalfd_siginfo one;
    ssize_t got = read(fd, &one, sizeof one);
    if (got < 0) return -errno;
    return got == (ssize_t)sizeof one ? (int)one.ssi_signo : -EIO;
}

int clinux_spawn(const char *path, char *const arguments[], const int *from, const int *to, int count) {
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) return -result;
    // The copies made by dup2 are inherited; everything else of ours is close-on-exec.
    for (int i = 0; i < count && result == 0; i++) result = posix_spawn_file_actions_adddup2(&actions, from[i], to[i]);
    pid_t pid = 0;
    if (result == 0) result = posix_spawn(&pid, path, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return result == 0 ? pid : -result;
}

int clinux_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    limit.rlim_cur = limit.rlim_max;
    return (int)checked(setrlimit(RLIMIT_NOFILE, &limit));
}

int clinux_pidfd_open(int pid) { return (int)checked(syscall(SYS_pidfd_open, pid, 0)); }

int clinux_fd_flags(int fd, int close_on_exec) { return (int)checked(fcntl(fd, F_SETFD, close_on_exec ? FD_CLOEXEC : 0)); }

long clinux_splice(int from, int to, size_t length, int more) {
    return checked(splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0)));
}

enum { MOST_FDS = 64 };

long clinux_send_fds(int socket, const void *octets, size_t length, const int *fds, int count) {
    if (count < 0 || count > MOST_FDS) return -EINVAL;
    struct iovec part = {.iov_base = (void *)octets, .iov_len = length};
    union {
        char space[CMSG_SPACE(sizeof(int) * MOST_FDS)];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    }
    return checked(sendmsg(socket, &message, MSG_NOSIGNAL));
}

long clinux_receive_fds(int socket, void *octets, size_t length, int *fds, int *count) {
    struct iovec part = {.iov_base = octets, .iov_len = length};
    union {
        char space[CMSG_SPACE(sizeof(int) * MOST_FDS)];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    int room = *count, taken = 0;
    *count = 0;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return -errno;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        int n = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
            if (taken < room) fds[taken++] = fd;
            else close(fd);
        }
    }
    *count = taken;
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (int i = 0; i < taken; i++) close(fds[i]);
        *count = 0;
        return -EMSGSIZE;
    }
    return received;
}

int clinux_peer_credentials(int socket, int *pid, uint32_t *uid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}

int clinux_die_with_parent(int signal) { return (int)checked(prctl(PR_SET_PDEATHSIG, signal)); }
int clinux_set_name(const char *name) { return (int)checked(prctl(PR_SET_NAME, name)); }
int clinux_dumpable(int on) { return (int)checked(prctl(PR_SET_DUMPABLE, on)); }

int clinux_drop_privileges(uint32_t uid, uint32_t gid, const char *user) {
    if (initgroups(user, gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) return -errno;
    // It must not be possible to come back, nor to gain anything by executing a file.
    if (uid != 0 && setresuid(0, 0, 0) == 0) return -EPERM;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
    return 0;
}

int clinux_usable_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

int clinux_exited(int status) { return WIFEXITED(status); }
int clinux_exit_code(int status) { return WEXITSTATUS(status); }
int clinux_term_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

const char *clinux_signal_name(int signal) { return sigabbrev_np(signal); }

void clinux_malloc_trim(void) { malloc_trim(0); }
void clinux_malloc_arena_limit(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

enum { LOCAL_SPACE = CMSG_SPACE(sizeof(struct in6_pktinfo)) };

static void read_local(struct msghdr *message, struct sockaddr_storage *local) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(header), sizeof info);
            struct sockaddr_in *v4 = (struct sockaddr_in *)local;
            v4->sin_family = AF_INET;
            v4->sin_addr = info.ipi_spec_dst;  // Where a broadcast is answered from, too.
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(header), sizeof info);
            struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)local;
            v6->sin6_family = AF_INET6;
            v6->sin6_addr = info.ipi6_addr;
            // Of use where the address means something only with its interface.
            v6->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
        }
    }
}

int clinux_receive_datagrams(int fd, struct clinux_datagram *batch, int count, int addressed) {
    struct mmsghdr messages[CLINUX_DATAGRAMS];
    struct iovec parts[CLINUX_DATAGRAMS];
    union {
        char space[2 * LOCAL_SPACE];
        struct cmsghdr align;
    } control[CLINUX_DATAGRAMS];
    if (count > CLINUX_DATAGRAMS) count = CLINUX_DATAGRAMS;
    memset(messages, 0, sizeof messages[0] * count);
    for (int i = 0; i < count; i++) {
        parts[i] = (struct iovec){.iov_base = batch[i].octets, .iov_len = batch[i].length};
        struct msghdr *message = &messages[i].msg_hdr;
        message->msg_iov = &parts[i];
        message->msg_iovlen = 1;
        batch[i].peer_length = 0;
        batch[i].local.ss_family = 0;
        if (!addressed) continue;
        message->msg_name = &batch[i].peer;
        message->msg_namelen = sizeof batch[i].peer;
        message->msg_control = &control[i];
        message->msg_controllen = sizeof control[i];
    }
    int got = (int)checked(recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL));
    for (int i = 0; i < got; i++) {
        batch[i].length = messages[i].msg_len;
        batch[i].truncated = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        if (!addressed) continue;
        batch[i].peer_length = messages[i].msg_hdr.msg_namelen;
        read_local(&messages[i].msg_hdr, &batch[i].local);
    }
    return got;
}

// IPv6 sockets that take IPv4 too understand both forms (ip(7), ipv6(7)).
static void write_local(struct msghdr *message, const struct sockaddr_storage *local, void *space) {
    if (local->ss_family == 0) return;
    memset(space, 0, LOCAL_SPACE);
    message->msg_control = space;
    struct cmsghdr *header = space;
    if (local->ss_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = ((const struct sockaddr_in *)local)->sin_addr};
        message->msg_controllen = CMSG_SPACE(sizeof info);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(header), &info, sizeof info);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)local;
        struct in6_pktinfo info = {.ipi6_addr = v6->sin6_addr, .ipi6_ifindex = v6->sin6_scope_id};
        message->msg_controllen = CMSG_SPACE(sizeof info);
        header->cmsg_level = IPPROTO_IPV6;
        header->cmsg_type = IPV6_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(header), &info, sizeof info);
    }
}

int clinux_send_datagrams(int fd, const struct clinux_datagram *batch, int count) {
    struct mmsghdr messages[CLINUX_DATAGRAMS];
    struct iovec parts[CLINUX_DATAGRAMS];
    union {
        char space[LOCAL_SPACE];
        struct cmsghdr align;
    } control[CLINUX_DATAGRAMS];
    if (count > CLINUX_DATAGRAMS) count = CLINUX_DATAGRAMS;
    memset(messages, 0, sizeof messages[0] * count);
    for (int i = 0; i < count; i++) {
        parts[i] = (struct iovec){.iov_base = batch[i].octets, .iov_len = batch[i].length};
        struct msghdr *message = &messages[i].msg_hdr;
        message->msg_iov = &parts[i];
        message->msg_iovlen = 1;
        if (batch[i].peer_length > 0) {
            message->msg_name = (void *)&batch[i].peer;
            message->msg_namelen = batch[i].peer_length;
        }
        write_local(message, &batch[i].local, &control[i]);
    }
    return (int)checked(sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static volatile uint64_t *fatal_word;
static struct sigaction before_fatal[NSIG];
static const int fatal_signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};

static void note_fatal(int number, siginfo_t *info, void *context) {
    (void)info, (void)context;
    *fatal_word = (uint64_t)number;
    // The instruction is tried again, and whoever was asked before is asked now.
    sigaction(number, &before_fatal[number], NULL);
    if (number == SIGABRT || number == SIGTRAP) raise(number);
}

void clinux_note_fatal_signals(uint64_t *word) {
    // A stack that is full has no room for a handler.
    static char memory[16384];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof memory};
    stack_t known;
    if (sigaltstack(NULL, &known) == 0 && known.ss_flags & SS_DISABLE) sigaltstack(&own, NULL);
    fatal_word = word;
    struct sigaction action = {.sa_sigaction = note_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        sigaction(fatal_signals[i], &action, &before_fatal[fatal_signals[i]]);
}
