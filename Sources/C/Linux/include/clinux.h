// What Glibc's Swift module does not export: Linux's own calls, macros and variadic functions.
// _GNU_SOURCE must not be defined here: fd_set would differ from the one that Swift's Glibc module saw.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/types.h>

// A descriptor, or -errno.
int clinux_accept4(int listener, struct sockaddr *address, socklen_t *length);  // non-blocking, close-on-exec
int clinux_pipe(int ends[2], int capacity);                                     // non-blocking, close-on-exec
int clinux_memfd(const char *name);                                             // sealable, close-on-exec
int clinux_seal(int memfd);                                                     // no more writing, growing, shrinking
int clinux_seal_size(int memfd);                                                // no more growing, shrinking
int clinux_is_sealed(int fd);                                                   // 1: against writing and shrinking
int clinux_duplicate(int fd, int lowest);                                       // close-on-exec, from `lowest` up
int clinux_signalfd(const int *signals, int count);                             // blocks them for the process, too
int clinux_read_signal(int signalfd);                                           // its number, or -errno
// Starts a program; descriptor from[i] becomes its to[i]. Signals stay blocked as they are. A pid, or -errno.
int clinux_spawn(const char *path, char *const arguments[], const int *from, const int *to, int count);
int clinux_raise_descriptor_limit(void);  // RLIMIT_NOFILE: soft to hard
// From now on a signal that ends the process because of what it did itself (SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT)
// leaves its number in *word first; then it takes its course.
void clinux_note_fatal_signals(uint64_t *word);
int clinux_pidfd_open(int pid);
int clinux_fd_flags(int fd, int close_on_exec);

// Octets moved, 0 at end of file, or -errno.
long clinux_splice(int from, int to, size_t length, int more);

// One datagram with the addresses it has, or is to have; a length of 0 stands for none. The family of `local` is AF_INET,
// AF_INET6 or 0; its port is not used.
struct clinux_datagram {
    void *octets;
    uint32_t length;  // Room when receiving, then what came.
    uint32_t truncated;
    struct sockaddr_storage peer;
    socklen_t peer_length;
    struct sockaddr_storage local;
};
enum { CLINUX_DATAGRAMS = 32 };  // Most in one call.
// How many were received or sent, or -errno. `addressed`: peers and local addresses are told.
int clinux_receive_datagrams(int fd, struct clinux_datagram *batch, int count, int addressed);
int clinux_send_datagrams(int fd, const struct clinux_datagram *batch, int count);

// Messages with descriptors over a SOCK_SEQPACKET pair. Octets sent, or -errno.
long clinux_send_fds(int socket, const void *octets, size_t length, const int *fds, int count);
// Octets received (0: the peer is gone) or -errno; *count is the room in fds, then how many came (close-on-exec).
long clinux_receive_fds(int socket, void *octets, size_t length, int *fds, int *count);

// Who is at the other end of a Unix socket, as of when it connected (SO_PEERCRED). 0, or -errno.
int clinux_peer_credentials(int socket, int *pid, uint32_t *uid);

int clinux_die_with_parent(int signal);  // PR_SET_PDEATHSIG
int clinux_set_name(const char *name);   // PR_SET_NAME
int clinux_dumpable(int on);
int clinux_drop_privileges(uint32_t uid, uint32_t gid, const char *user);
int clinux_usable_cores(void);

int clinux_exited(int status);
int clinux_exit_code(int status);
int clinux_term_signal(int status);
const char *clinux_signal_name(int signal);  // without its SIG; NULL: unknown

void clinux_malloc_trim(void);
void clinux_malloc_arena_limit(void);  // One arena, freed memory returned early: for processes that hold much for a moment.

// Orders plain loads and stores of shared memory between processes.
static inline void clinux_release_fence(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
static inline void clinux_acquire_fence(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }

