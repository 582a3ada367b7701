// Preloaded into the supervisor, this starts workers under callgrind; every other process starts as it would.
// COUNT_BINARY is the gateway's binary (inside valgrind /proc/self/exe would be valgrind), COUNT_OUT the file of counts.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 256 };

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const[], char *const[]);

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    spawn_function *real = (spawn_function *)dlsym(RTLD_NEXT, "posix_spawn");
    unsetenv("LD_PRELOAD");  // For the children; `environment` is this process's own.
    int is_worker = 0, count = 0;
    for (; arguments[count]; count++)
        if (!strcmp(arguments[count], "--role") && arguments[count + 1]) is_worker = !strcmp(arguments[count + 1], "worker");
    if (!is_worker || count + 5 > MOST_ARGUMENTS) return real(pid, path, actions, attributes, arguments, environment);
    char out[512];
    snprintf(out, sizeof out, "--callgrind-out-file=%s", getenv("COUNT_OUT"));
    char *counted[MOST_ARGUMENTS] = {"valgrind", "--quiet", "--tool=callgrind", out, getenv("COUNT_BINARY")};
    // Behind the title come the arguments, and the end of the list.
    memcpy(counted + 5, arguments + 1, (size_t)count * sizeof *arguments);
    return real(pid, "/usr/bin/valgrind", actions, attributes, counted, environment);
}
