/*
 * transport.h - registration of the entry points, and what upgrade.c and the taps need of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_TRANSPORT_H
#define WSX_EPAN_TRANSPORT_H

#include "compat.h"

/* Preference websocket.enhanced. */
extern wsx_bool wsx_enhanced;
/* The tap "websocket": a struct wsx_packet, once a packet. */
extern int wsx_tap;

void wsx_transport_register(void);
void wsx_transport_handoff(void);

/* upgrade.c, first pass: looks for the head of a request or an answer in a packet of HTTP/1. Does
 * nothing when the packet's connection needs none. `handed`: what HTTP hands on as the bytes behind
 * an answer; NULL at the packet's end. */
void wsx_upgrade_scan(packet_info *pinfo, tvbuff_t *handed);
void wsx_upgrade_handoff(void);

/* The same in a packet that TCP handed to nobody: a request out of order. */
void wsx_upgrade_held_back(packet_info *pinfo);

struct wsx_session;
struct wsx_tcp_view;
/* The answer is due, and HTTP did not find it in this packet of the server: looks for its head in
 * all that the server sent so far, in any order. */
void wsx_upgrade_answer(packet_info *pinfo, struct wsx_session *session,
                        const struct wsx_tcp_view *view);
/* The same under TLS, behind the dissection: records with frames that HTTP took for its own,
 * because they lie in the answer's packet or came before it. */
void wsx_upgrade_rest(packet_info *pinfo, struct wsx_session *session);
/* The packet's next TLS record that nobody has handed to us; NULL behind the last. *list: where to
 * go on, at first pinfo->data_src. */
tvbuff_t *wsx_upgrade_next_record(packet_info *pinfo, GSList **list);

#endif
