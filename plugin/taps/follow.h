/*
 * follow.h - what follow.c and follow_utf8.c share. Nobody else's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TAPS_FOLLOW_H
#define WSX_TAPS_FOLLOW_H

#include "taps.h"

#include <epan/follow.h>

/* What tshark keeps behind follow_info_t's gui_data. `follower` being ours proves that it is this.
 */
struct wsx_follow_cli {
    int show_type;
    register_follow_t *follower;
    uint32_t chunk_min, chunk_max; /* from 1 */
    int stream;                    /* -1: chosen by addresses */
};
enum { WSX_FOLLOW_RAW = 4, WSX_FOLLOW_UTF8 = 5, WSX_FOLLOW_YAML = 6 }; /* show_type */

register_follow_t *wsx_follow_follower(void);
/* The display filter of a connection. For g_free. */
char *wsx_follow_filter(unsigned stream, unsigned sub_stream);
/* The tap: adds a packet's messages to a follow_info_t. */
tap_packet_status wsx_follow_packet(void *data, packet_info *pinfo, epan_dissect_t *edt,
                                    const void *queued, tap_flags_t flags);

/* -z follow,websocket,utf-8,N[,RANGE], where tshark has no such mode. */
void wsx_tap_follow_utf8_register(void);

#endif
