/*
 * h3data.h - the payload of the DATA frames of one direction of an HTTP/3 stream (RFC 9114 7.2.1):
 * pieces of the QUIC stream in any order in, DATA's bytes in order out. A hole inside a frame is
 * passed over exactly; behind one over a frame's header, the next piece that begins like a frame is
 * taken for one. Knows no Wireshark type.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_H3DATA_H
#define WSX_CORE_H3DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wsx_h3_data;

/* Bytes of DATA: `missing` ones before them are known to be lost. unknown: more may be, of whatever
 * number. */
typedef void (*wsx_h3_take)(void *context, const uint8_t *bytes, size_t length, uint64_t missing,
                            bool unknown);

/* `first`: the offset of the first piece that will be pushed; other than 0, it is looked for a
 * frame there. */
struct wsx_h3_data *wsx_h3_data_new(uint64_t first);
/* NULL is allowed. */
void wsx_h3_data_free(struct wsx_h3_data *data);

/* Takes a piece; what is known of it is passed over. One behind a hole waits, up to named bounds.
 * `time` in ns. */
void wsx_h3_data_push(struct wsx_h3_data *data, uint64_t offset, const uint8_t *bytes,
                      size_t length, int64_t time, wsx_h3_take take, void *context);
/* What is before the pieces that wait will not come any more: goes on behind all holes. */
void wsx_h3_data_give_up(struct wsx_h3_data *data, wsx_h3_take take, void *context);
/* How many pieces wait, and since when the first of them does (ns). */
unsigned wsx_h3_data_waiting(const struct wsx_h3_data *data, int64_t *since);

#endif
