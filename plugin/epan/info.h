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

/* A text for one line: at most `characters` of it, control characters escaped, an ellipsis where it
 * was cut. Bytes that are no UTF-8 stand as \xNN. */
void wsx_preview_append(GString *text, const uint8_t *bytes, size_t length, unsigned characters);
/* The same as a text from `pool`. */
const char *wsx_preview(wmem_allocator_t *pool, const uint8_t *bytes, size_t length,
                        unsigned characters);

/* The entry of one item, as in the Info column: direction, type, length, preview or close code. */
void wsx_info_append(GString *text, const struct wsx_item *item, packet_info *pinfo);
/* The same as a text in packet memory. */
const char *wsx_info(const struct wsx_item *item, packet_info *pinfo);

#endif
