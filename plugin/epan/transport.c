/*
 * transport.c - entry points: the upgrade table (HTTP hands us the bytes behind a 101), TCP
 * directly (with sequence numbers), Decode As, and the postdissector that sees every packet's end.
 * Says whose bytes these are and where they lie; the rest is state.c's (first pass) and show.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "transport.h"

#include "fields.h"
#include "show.h"
#include "state.h"

wsx_bool wsx_enhanced = TRUE;
int wsx_tap = -1;

static dissector_handle_t builtin, upgrade_handle, tcp_handle, decode_handle;
static int proto_tcp = -1, proto_http = -1;

static bool relative_sequence_numbers(void) {
    module_t *module = prefs_find_module("tcp");
    pref_t *preference = module ? prefs_find_preference(module, "relative_sequence_numbers") : NULL;
    return !preference || prefs_get_bool_value(preference, pref_current);
}

/* Sequence number on the wire of the first of these bytes. */
static uint32_t wire_sequence(packet_info *pinfo, const struct tcpinfo *info) {
    if (!relative_sequence_numbers())
        return info->seq;
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    struct tcp_analysis *tcp = conversation ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    return info->seq + (tcp && tcp->fwd ? tcp->fwd->base_seq : 0);
}

/* The bytes' offset in their direction; sequence numbers are followed over their wrap. False:
 * before the beginning. */
static bool place(packet_info *pinfo, struct wsx_session *session, enum wsx_direction direction,
                  const struct tcpinfo *info, tvbuff_t **tvb, uint64_t *offset) {
    uint32_t sequence = wire_sequence(pinfo, info);
    if (!session->sequence_known[direction]) {
        session->sequence[direction] = sequence;
        session->offset[direction] = session->core->side[direction].stream.next;
        session->sequence_known[direction] = true;
    }
    int64_t apart = (int32_t)(sequence - session->sequence[direction]);
    int64_t at = (int64_t)session->offset[direction] + apart;
    if (at < 0) {
        if (-at >= (int64_t)tvb_captured_length(*tvb))
            return false;
        *tvb = tvb_new_subset_remaining(*tvb, (int)-at);
        at = 0;
    }
    *offset = (uint64_t)at;
    if (apart > 0x20000000) { /* keep the reference near, long before 2^31 */
        session->offset[direction] += 0x10000000;
        session->sequence[direction] += 0x10000000;
    }
    return true;
}

static int run(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, struct wsx_session *session,
               const struct tcpinfo *info) {
    const struct wsx_chunk *chunk;
    int length = (int)tvb_captured_length(tvb);
    if (!PINFO_FD_VISITED(pinfo)) {
        if (!session || !session->core)
            return 0;
        enum wsx_direction direction = wsx_state_direction(session, pinfo);
        uint64_t offset = session->core->side[direction].stream.next;
        if (info && !place(pinfo, session, direction, info, &tvb, &offset)) {
            wsx_state_packet(pinfo)->calls++;
            return length;
        }
        chunk = wsx_state_feed(pinfo, session, tvb, direction, offset);
    } else {
        chunk = wsx_state_recall(pinfo, tvb_reported_length(tvb));
        if (!chunk)
            return length;
    }
    wsx_show_chunk(chunk, tvb, pinfo, tree);
    return length;
}

void wsx_transport_take_tcp(packet_info *pinfo) {
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    if (conversation)
        conversation_set_dissector_from_frame_number(conversation, pinfo->num + 1, tcp_handle);
}

/* HTTP directly on TCP, nothing between: then TCP can call us itself. */
static bool http_on_tcp(packet_info *pinfo) {
    wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers);
    while (layer && GPOINTER_TO_INT(wmem_list_frame_data(layer)) != proto_http)
        layer = wmem_list_frame_prev(layer);
    layer = layer ? wmem_list_frame_prev(layer) : NULL;
    return layer && GPOINTER_TO_INT(wmem_list_frame_data(layer)) == proto_tcp;
}

static int dissect_upgrade(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return call_dissector_only(builtin, tvb, pinfo, tree, data);
    if (!PINFO_FD_VISITED(pinfo))
        wsx_upgrade_scan(pinfo);
    return run(tvb, pinfo, tree, wsx_state_find(pinfo), NULL);
}

static int dissect_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return call_dissector_only(builtin, tvb, pinfo, tree, data);
    return run(tvb, pinfo, tree, wsx_state_find(pinfo), data);
}

/* Decode As: no handshake is known; who masks is the client. */
static int dissect_decode_as(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return call_dissector_only(builtin, tvb, pinfo, tree, data);
    struct wsx_session *session = wsx_state_find(pinfo);
    if (!PINFO_FD_VISITED(pinfo) && !session && tvb_captured_length(tvb) >= 2)
        session = wsx_state_midstream(pinfo, (tvb_get_guint8(tvb, 1) & 0x80) != 0);
    wmem_list_frame_t *below = wmem_list_frame_prev(wmem_list_tail(pinfo->layers));
    bool tcp = below && GPOINTER_TO_INT(wmem_list_frame_data(below)) == proto_tcp;
    return run(tvb, pinfo, tree, session, tcp ? data : NULL);
}

/* Sees every packet when all dissectors are done: reads handshakes, and hands the packet's items to
 * the taps. */
static int dissect_end(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data _U_) {
    if (!wsx_enhanced)
        return 0;
    if (!PINFO_FD_VISITED(pinfo))
        wsx_upgrade_scan(pinfo);
    struct wsx_session *session = wsx_state_handshake(pinfo->num);
    if (session) {
        wsx_show_handshake(session, tvb, pinfo, tree);
        if (!PINFO_FD_VISITED(pinfo) && session->opened && session->response_packet == pinfo->num &&
            http_on_tcp(pinfo)) {
            wsx_state_anchor(pinfo, session, WSX_SERVER_TO_CLIENT);
            session->direct = true;
            wsx_transport_take_tcp(pinfo);
        }
        tap_queue_packet(wsx_tap, pinfo, wsx_state_packet(pinfo));
        return 0;
    }
    struct wsx_packet *packet = p_get_proto_data(pinfo->pool, pinfo, wsx_proto, 0x777378);
    if (packet && wmem_array_get_count(packet->items))
        tap_queue_packet(wsx_tap, pinfo, packet);
    return 0;
}

void wsx_transport_register(void) {
    wsx_tap = register_tap("websocket");
    upgrade_handle = register_dissector_with_description(
        "websocket_upgrade", "WebSocket after its handshake", dissect_upgrade, wsx_proto);
    tcp_handle = create_dissector_handle(dissect_tcp, wsx_proto);
    decode_handle = register_dissector_with_description("websocket_stream", "WebSocket (wsx)",
                                                        dissect_decode_as, wsx_proto);
    register_postdissector(create_dissector_handle(dissect_end, wsx_proto));
}

void wsx_transport_handoff(void) {
    builtin = find_dissector("websocket");
    proto_tcp = proto_get_id_by_filter_name("tcp");
    proto_http = proto_get_id_by_filter_name("http");
    dissector_add_string("http.upgrade", "websocket", upgrade_handle);
    dissector_add_string("http.upgrade", "WebSocket", upgrade_handle);
    dissector_add_for_decode_as("tcp.port", decode_handle);
    dissector_add_for_decode_as("tls.port", decode_handle);
}
