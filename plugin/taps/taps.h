/*
 * taps.h - the command line surfaces; each file registers one. They read the items that state.h
 * describes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TAPS_H
#define WSX_TAPS_H

#include "epan/state.h"

/* -z websocket,messages[,FILE[,FILTER]]: JSON Lines. */
void wsx_tap_messages_register(void);
/* -z websocket,check[,SEVERITY]: one line a finding. */
void wsx_tap_check_register(void);
/* -z websocket,connections. */
void wsx_tap_connections_register(void);
/* -z conv,websocket, -z endpoints,websocket, and the conversation filter. */
void wsx_tap_conversations_register(void);
/* -z websocket,srt: Ping and Pong, opening and closing handshake. */
void wsx_tap_srt_register(void);
/* -z websocket,tree. */
void wsx_tap_tree_register(void);
/* -z follow,websocket,MODE,N. */
void wsx_tap_follow_register(void);
/* The follower's tap: a struct wsx_packet, like wsx_tap's. */
extern int wsx_follow_tap;

/* ---- common.c ---- */

typedef void (*wsx_finding_visit)(const struct wsx_session *session,
                                  const struct wsx_finding *finding, uint32_t packet, void *data);
typedef void (*wsx_item_visit)(const struct wsx_item *item, packet_info *pinfo, void *data);

/* Each finding of a packet once: those of its handshakes, then those of its items. */
void wsx_taps_findings(const struct wsx_packet *packet, packet_info *pinfo, wsx_finding_visit visit,
                       void *data);
void wsx_taps_item_findings(const struct wsx_item *item, wsx_finding_visit visit, void *data);
/* What a peer sent may hold commands to a terminal: escaped, cut at so many characters. For g_free.
 */
char *wsx_taps_shown(const char *text, unsigned characters);
/* In the words of the expert item, on one line. For g_free. */
char *wsx_taps_finding_text(const struct wsx_finding *finding);

/* Says what a -z can't write, and why (errno), and ends tshark with status 1. */
G_GNUC_NORETURN void wsx_taps_cannot_write(const char *surface, const char *name);

/* Bytes after inflating: all of them where that is known, else those that were inflated. */
uint64_t wsx_taps_message_length(const struct wsx_message *message);

/* The connection that a packet belongs to, in any pass; NULL when there is none. */
const struct wsx_session *wsx_taps_session(packet_info *pinfo);

/* Whether the client sent this packet. One side's packet may complete an item of the other's: item,
 * which may be NULL, tells only where both ports are the same. */
bool wsx_taps_from_client(const packet_info *pinfo, const struct wsx_session *session,
                          const struct wsx_item *item);

/* True in a program that draws its statistics once, at the end of the file. A window may be drawn
 * while packets are still coming: nothing can be said to be the last there. */
bool wsx_taps_draw_once(void);
/* In such a program: visits what the end of the file leaves unfinished and then calls `behind`,
 * before any tap is drawn whose listener was registered earlier. Either may be NULL. */
void wsx_taps_before_drawing(wsx_item_visit visit, void (*behind)(void *data), void *data);
/* -z websocket,har,FILE: an HTTP Archive. */
void wsx_tap_har_register(void);
/* --export-objects websocket,DIR: one file a message. proto: the protocol's id. */
void wsx_tap_objects_register(int proto);
/* Export PDUs: one packet a message. */
void wsx_tap_pdus_register(void);
/* Decode As for ws.port and ws.protocol. */
void wsx_decode_as_register(void);
/* Statistics > Flow Graph, -z flow,websocket,standard: one arrow a message or control frame. */
void wsx_tap_flow_register(int proto);

/* These two have taps of their own, which transport.c fills beside the tap "websocket". */
void wsx_tap_objects_queue(packet_info *pinfo, const struct wsx_packet *packet);
void wsx_tap_pdus_queue(tvbuff_t *tvb, packet_info *pinfo, const struct wsx_packet *packet);

#endif
