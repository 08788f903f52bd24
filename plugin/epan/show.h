/*
 * show.h - items to the protocol tree, the columns and the taps. Writes no state.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_SHOW_H
#define WSX_EPAN_SHOW_H

#include "state.h"

/* Draws what a call gave: one item a frame, one for a part of a frame; one entry an item in the
 * Info column; the items of the packet for the taps. tvb: the call's bytes, or any of the packet's
 * for what lies behind its dissection. */
void wsx_show_call(const struct wsx_call *call, tvbuff_t *tvb, packet_info *pinfo,
                   proto_tree *tree);

/* Draws the handshake of a packet that holds a request or a response. */
void wsx_show_handshake(const struct wsx_session *session, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree);

/* payload.c: hands a message to the dissectors of the built-in's tables. tvb: the message. top: the
 * packet's tree; payload_tree: the frame's payload subtree. */
void wsx_payload_dissect(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                         proto_tree *top, proto_tree *payload_tree);
/* payload.c: false when no dissector has to see the message where no tree is built. */
bool wsx_payload_wanted(const struct wsx_item *item);
/* payload.c: the user's table, a preference. */
void wsx_payload_register(module_t *module);
void wsx_payload_handoff(void);
extern wsx_bool wsx_json_by_sight;

/* Preference: frames drawn of one packet. */
extern unsigned wsx_frames_drawn;

#endif
