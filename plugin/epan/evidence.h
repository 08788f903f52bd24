/*
 * evidence.h - connections without a handshake: what in their bytes says that they are WebSocket's.
 * See evidence.c. First pass.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_EVIDENCE_H
#define WSX_EPAN_EVIDENCE_H

#include "compat.h"
#include "state.h"
#include "tcpview.h"

struct wsx_evidence;

void wsx_evidence_register(void);

/* A segment of TCP. Not NULL: this is WebSocket, and *from_client says whose segment it is. */
struct wsx_evidence *wsx_evidence_segment(packet_info *pinfo, conversation_t *conversation,
                                          const struct tcp_analysis *tcp,
                                          const struct wsx_tcp_view *view, bool *from_client);
/* All segments that were looked at go to the session as early bytes. */
void wsx_evidence_replay(struct wsx_evidence *evidence, packet_info *pinfo,
                         struct wsx_session *session);

/* The same for a record of TLS. */
struct wsx_evidence *wsx_evidence_record(packet_info *pinfo, const uint8_t *bytes, unsigned length,
                                         bool *from_client);

#endif
