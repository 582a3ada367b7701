// Counts what the calling thread has asked the C library's allocator for. For tests: linking this target replaces malloc
// and its kin in the whole test process.
#pragma once
#include <stdint.h>

// Octets from which an allocation also counts as a block.
#define ALLOCATION_BLOCK 32768

uint64_t allocation_count(void);
uint64_t block_allocation_count(void);

// Octets that the calling thread has asked for and not given back, the allocator's headers included. Negative where it gave
// back what other threads had asked for: only differences around work of one thread mean anything.
int64_t live_octets(void);
