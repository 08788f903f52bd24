/*
 * distance.h - how far back a message's deflate data (RFC 1951) refers, without inflating it. Here
 * because zlib holds a distance against the window only where the output buffer ends, so that it
 * accepts a distance over the negotiated window (RFC 7692 7.1.2) whenever the buffer is large.
 * Knows no Wireshark type, takes no memory. Used by inflate.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_DISTANCE_H
#define WSX_CORE_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the largest back-reference distance over `window` bytes in `length` bytes of raw deflate
 * data; 0 when there is none. The data is a message's payload: behind a final block the next one
 * begins at the next byte boundary (RFC 7692 7.2.3.4), and the end of the data may lie anywhere.
 *
 * history_length: bytes of output known before this data. The scan ends where zlib's inflate would
 * refuse the data, which includes a distance that reaches before all history; that last distance
 * still counts. Any input is safe; time grows with `length` alone.
 */
uint32_t wsx_distance_over(const uint8_t *bytes, size_t length, size_t history_length,
                           uint32_t window);

#endif
