/*
 * guard.h - test inputs that end at an inaccessible page, so that a read of one byte too many is a
 * crash, with or without AddressSanitizer. Include it first: it asks libc for mmap's flags.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_GUARD_H
#define WSX_TESTS_GUARD_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS under -std=c11 */
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes in front of the guard page that `length` takes, in whole pages, at least one. */
static inline size_t guard_span(size_t length) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (length / page + 1) * page;
}

/* A writable copy whose end touches an inaccessible page. Free it with guard_free. */
static inline uint8_t *guard_copy(const void *bytes, size_t length) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t span = guard_span(length);
    uint8_t *base =
        mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + span, page, PROT_NONE) != 0)
        abort();
    uint8_t *copy = base + (span - length);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

static inline void guard_free(uint8_t *copy, size_t length) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t span = guard_span(length);
    munmap(copy - (span - length), span + page);
}

#endif
