/*
 * tcpview.h - what TCP knows of a packet and does not hand on: its header, read again in the
 * packet's bytes. Needed behind the dissection, where a FIN, an RST or a late segment has called
 * nobody. First pass.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_TCPVIEW_H
#define WSX_EPAN_TCPVIEW_H

#include "compat.h"

struct wsx_tcp_view {
    uint32_t sequence, acknowledgement; /* absolute */
    uint8_t flags;
    uint32_t length;        /* of the payload */
    const uint8_t *payload; /* `captured` bytes of it */
    uint32_t captured;
};

/* Flags that any TCP header of this packet may have, and this one where bytes may follow it: a
 * quick look, that errs on the side of more. */
#define WSX_TCP_PAYLOAD 0x100u
unsigned wsx_tcp_flags(packet_info *pinfo);

/* The packet's TCP header. False where it can't be found for certain. */
bool wsx_tcp_view(packet_info *pinfo, const struct tcp_analysis *tcp, struct wsx_tcp_view *view);

/* The segment lies within a message that began before, as its dissector told TCP. */
bool wsx_tcp_is_inside(const struct tcp_analysis *tcp, const struct wsx_tcp_view *view);

/* TCP hands on nothing behind a missing segment, and so everything in order
 * (tcp.reassemble_out_of_order). */
bool wsx_tcp_waits_for_late(void);

/* The sequence number on the wire for one of struct tcpinfo, in the packet's own direction. */
uint32_t wsx_tcp_sequence(const struct tcp_analysis *tcp, uint32_t sequence);

#endif
