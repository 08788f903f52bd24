/*
 * http2.h - WebSocket in the streams of HTTP/2 and HTTP/3 (RFC 8441, RFC 9220). Two ways in:
 *
 *   the tree   what Wireshark's dissectors put into the protocol tree, read behind the packet's
 *              dissection: http2.c and http3.c. Works on every version, and needs fields that cost
 *              time in every packet: preference websocket.over_http2.
 *   the call   Wireshark 4.6 hands us the bytes of each stream. It tells nothing of ends, resets
 *              and refusals: these come from the tree, where the preference is on. Of HTTP/3 the
 *              call tells only that there is a WebSocket: all else is read from QUIC's frames.
 *
 * Streams are sessions as any other, see state.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_HTTP2_H
#define WSX_EPAN_HTTP2_H

#include "state.h"

/* Preference. */
extern wsx_bool wsx_over_http2;

/* end: the postdissector that calls wsx_http2_walk. */
void wsx_http2_register(dissector_handle_t end);
void wsx_http2_handoff(void);

/* Which of these are among a packet's layers. */
struct wsx_layers {
    bool http, http2, tls, quic;
};

/* First pass: reads the packet's tree, before what waits for the packet's end is settled. What it
 * finds is kept with its bytes, since later passes may have no tree. Each pass: the hint that the
 * preference is off. */
void wsx_http2_walk(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                    const struct wsx_layers *layers);

/* The upgrade table's data is that of a stream of HTTP/2 or HTTP/3. */
bool wsx_http2_is_stream(const void *data);
int wsx_http2_upgrade(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, const void *data);

/* ---- for http2.c and http3.c alone ---- */

struct wsx_header {
    const char *name, *value;
};

/* A header block; first pass. */
void wsx_stream_headers(packet_info *pinfo, enum wsx_http_version http, uint64_t stream_id,
                        wmem_array_t *headers, bool encrypted);
/* Bytes of a stream; first pass. */
void wsx_stream_data(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, uint64_t stream_id);
/* The same where they lie in no tvb: `missing` bytes before them are lost; unknown: maybe more. */
void wsx_stream_bytes(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                      struct wsx_session *session, enum wsx_direction direction,
                      const uint8_t *bytes, size_t length, uint64_t missing, bool unknown);

/* http3.c */
void wsx_http3_handoff(void);
void wsx_http3_want(GArray *wanted);
/* Reads the packet's tree where the preference is on; its QUIC frames and what they bring in any
 * case. */
void wsx_http3_walk(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree);
bool wsx_http3_stream_of_call(tvbuff_t *tvb, packet_info *pinfo, uint64_t *stream_id);
/* False where the call's bytes are known, or are taken from QUIC behind the packet's dissection: so
 * they are in order, with what came before the first call. */
bool wsx_http3_call_is_read(tvbuff_t *tvb, packet_info *pinfo, struct wsx_session *session);

#endif
