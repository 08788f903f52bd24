/*
 * info.h - words: what an item is called in the Info column, in trees and in other surfaces. Writes
 * no state.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_INFO_H
#define WSX_EPAN_INFO_H

#include "state.h"

/* "Text", "Close", "Reserved opcode 3". Static. */
const char *wsx_opcode_name(unsigned opcode);
/* "Normal Closure"; never NULL. Static. */
const char *wsx_close_name(unsigned code);
/* "client" or "server": who sent it. */
const char *wsx_sender(enum wsx_direction direction);
/* "fin", "rst", ... as in the JSON Lines. */
const char *wsx_cause_name(enum wsx_cause cause);

/* A line being written. What does not fit is left out. */
#define WSX_LINE_MAX 4095u /* the Info column holds no more (COL_MAX_INFO_LEN) */
struct wsx_line {
    size_t length;
    bool full;
    char text[WSX_LINE_MAX]; /* not ended by a NUL, and set up to `length` only */
};
static inline void wsx_line_begin(struct wsx_line *line) {
    line->length = 0;
    line->full = false;
}
void wsx_line_put(struct wsx_line *line, const char *text);
/* The entry of one item, as in the Info column: direction, type, length, preview or close code. */
void wsx_line_put_item(struct wsx_line *line, const struct wsx_item *item, packet_info *pinfo);
/* The entry of a call that gave none: a part of a frame, or bytes without framing. */
void wsx_line_put_part(struct wsx_line *line, const struct wsx_call *call);
/* The line as a text from `pool`. */
const char *wsx_line_end(struct wsx_line *line, wmem_allocator_t *pool);

/* The entry of one item by itself, in packet memory. */
const char *wsx_info(const struct wsx_item *item, packet_info *pinfo);

/* A text for one line: at most `characters` of it, control characters escaped, an ellipsis where it
 * was cut. Bytes that are no UTF-8 stand as \xNN. */
const char *wsx_preview(wmem_allocator_t *pool, const uint8_t *bytes, size_t length,
                        unsigned characters);
/* The same of a whole text for labels and columns, as long as a line may be; a text of nothing but
 * plain ASCII is given back itself. NULL gives "". */
const char *wsx_shown(wmem_allocator_t *pool, const char *text);

#endif
