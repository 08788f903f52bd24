/*
 * framing.h - where units of a stream end, for protocols whose dissectors in Wireshark can't tell
 * by themselves when a unit is cut inside its first bytes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_FRAMING_H
#define WSX_EPAN_FRAMING_H

#include "connection.h"

/* Of one connection; zeroed at the beginning. First pass. */
struct wsx_framing {
    unsigned step[2]; /* of the handshake, each direction */
    unsigned minor;   /* RFB 3.minor */
    unsigned security;
};

/* The rest is not framed: the dissector gets it as it comes. */
#define WSX_UNFRAMED SIZE_MAX

/* Bytes that can go to the dissector in one call; 0: more are needed, *need of them in all, or
 * (*need 0) any; WSX_UNFRAMED. length is not 0. */
typedef size_t (*wsx_framer)(struct wsx_framing *framing, enum wsx_direction direction,
                             const uint8_t *bytes, size_t length, size_t *need);

/* The framer of a protocol by its filter name; NULL: none is needed. */
wsx_framer wsx_framer_of(const char *protocol);

#endif
