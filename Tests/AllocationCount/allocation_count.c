#include "allocation_count.h"

#include <errno.h>
#include <stddef.h>

// glibc's own entry points, under which its allocator stays reachable when a program defines malloc itself.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static __thread uint64_t count;
static __thread uint64_t blocks;

uint64_t allocation_count(void) { return count; }
uint64_t block_allocation_count(void) { return blocks; }

static void note(size_t size) {
  count++;
  if (size >= ALLOCATION_BLOCK) blocks++;
}

void *malloc(size_t size) {
  note(size);
  return __libc_malloc(size);
}

void *calloc(size_t members, size_t size) {
  note(members * size);
  return __libc_calloc(members, size);
}

void *realloc(void *old, size_t size) {
  note(size);
  return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  note(size);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  note(size);
  *result = __libc_memalign(alignment, size);
  return *result ? 0 : ENOMEM;
}
