/*
 * writable.h - what its owner may write or free, behind a pointer that lets all others only read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_WRITABLE_H
#define WSX_CORE_WRITABLE_H

static inline void *wsx_writable(const void *pointer) {
    union {
        const void *read;
        void *written;
    } both = {pointer};
    return both.written;
}

#endif
