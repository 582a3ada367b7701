// Counts what the calling thread has asked the C library's allocator for. For tests: linking this target replaces malloc
// and its kin in the whole test process.
#pragma once
#include <stdint.h>

uint64_t allocation_count(void);
