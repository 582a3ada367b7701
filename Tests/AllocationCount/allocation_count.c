#include "allocation_count.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

// glibc's own entry points, under which its allocator stays reachable when a program defines malloc itself.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static __thread uint64_t count;
static __thread uint64_t blocks;
static __thread int64_t live;

uint64_t allocation_count(void) { return count; }
uint64_t block_allocation_count(void) { return blocks; }
int64_t live_octets(void) { return live; }

static void note(size_t size) {
  count++;
  if (size >= ALLOCATION_BLOCK) blocks++;
}

// What the allocator itself needs for a block comes to it: eight octets of header.
static int64_t weight(void *memory) { return memory ? (int64_t)malloc_usable_size(memory) + 8 : 0; }

static void *given(void *memory) {
  live += weight(memory);
  return memory;
}

void *malloc(size_t size) {
  note(size);
  return given(__libc_malloc(size));
}

void *calloc(size_t members, size_t size) {
  note(members * size);
  return given(__libc_calloc(members, size));
}

void *realloc(void *old, size_t size) {
  note(size);
  int64_t before = weight(old);
  void *grown = __libc_realloc(old, size);
  // A realloc that fails leaves the old block as it was.
  if (grown || size == 0) live += weight(grown) - before;
  return grown;
}

void *aligned_alloc(size_t alignment, size_t size) {
  note(size);
  return given(__libc_memalign(alignment, size));
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  note(size);
  *result = given(__libc_memalign(alignment, size));
  return *result ? 0 : ENOMEM;
}

void free(void *memory) {
  live -= weight(memory);
  __libc_free(memory);
}
