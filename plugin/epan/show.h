/*
 * show.h - records to the protocol tree, the columns and the taps' items. Writes no state.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_SHOW_H
#define WSX_EPAN_SHOW_H

#include "state.h"

/* Draws what a run of bytes gave: one item a frame, one for a part of a frame; one entry a frame in
 * the Info column. */
void wsx_show_chunk(const struct wsx_chunk *chunk, tvbuff_t *tvb, packet_info *pinfo,
                    proto_tree *tree);

/* Draws the handshake of a packet that holds a request or a response. */
void wsx_show_handshake(const struct wsx_session *session, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree);

/* Findings as expert items and websocket.rule items. */
void wsx_show_findings(const struct wsx_finding *findings, packet_info *pinfo, proto_tree *tree,
                       proto_item *item);

/* payload.c: hands a message to the dissectors of the built-in's tables. `top` is the packet's
 * tree, `text_item_tree` the frame's payload subtree. */
void wsx_payload_dissect(const struct wsx_session *session, const struct wsx_message *message,
                         tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                         proto_tree *payload_tree);
void wsx_payload_handoff(void);
extern wsx_bool wsx_json_by_sight;

#endif
