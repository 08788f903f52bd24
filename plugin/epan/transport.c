/*
 * transport.c - entry points: the upgrade table (HTTP hands us the bytes behind a 101), TCP
 * directly (with sequence numbers), Decode As, the heuristics, and the postdissector that sees
 * every packet's end. Says whose bytes these are and where they lie; the rest is state.c's (first
 * pass) and show.c's. tcpview.c reads what TCP does not hand on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "transport.h"

#include "evidence.h"
#include "fields.h"
#include "http2.h"
#include "request.h"
#include "show.h"
#include "state.h"
#include "taps/taps.h"
#include "tcpview.h"

wsx_bool wsx_enhanced = TRUE;
int wsx_tap = -1;

/* Bytes that the other side has acknowledged may still come, when packets lie in the capture in
 * another order than on the wire; not behind so many later segments, nor after so long. */
#define WSX_ACKNOWLEDGED_SEGMENTS 12u
#define WSX_ACKNOWLEDGED_NS INT64_C(200000000)
/* Where no packet of the other side is in the capture, nothing is ever acknowledged: so many later
 * segments show that bytes were lost. */
#define WSX_LATER_SEGMENTS 32u

/* Packets that may hold the beginning of a request, which can be cut anywhere, are longer than
 * TCP's own words: SYN has 78 bytes over IPv4, an acknowledgement 66, over IPv6 20 more. */
#define REQUEST_MIN_IPV4 80u
#define REQUEST_MIN_IPV6 100u

static dissector_handle_t builtin, http_handle;
static dissector_handle_t upgrade_handle, tcp_handle, pending_handle, decode_handle;
static heur_dissector_t builtin_heuristic;
static heur_dtbl_entry_t *tcp_entry, *tls_entry; /* of the heuristics: are they on? */
static int proto_tcp = -1, proto_http = -1, proto_http2 = -1, proto_tls = -1, proto_quic = -1;
static int proto_data = -1, proto_icmp = -1, proto_icmp6 = -1, proto_socks = -1;

/* ---- layers ---- */

static bool has_layer(const packet_info *pinfo, int proto) {
    for (wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers); layer;
         layer = wmem_list_frame_prev(layer))
        if (GPOINTER_TO_INT(wmem_list_frame_data(layer)) == proto)
            return true;
    return false;
}

/* An ICMP error quotes a packet: no part of the connection. */
static bool is_quoted(const packet_info *pinfo) {
    return has_layer(pinfo, proto_icmp) || has_layer(pinfo, proto_icmp6);
}

/* So few layers below TCP hold none of an application: that would need TCP, and what is below it,
 * once more. */
#define LAYERS_BELOW_TCP 4u

/* What is asked of every packet, in one walk. */
static struct wsx_layers layers_of(const packet_info *pinfo) {
    struct wsx_layers layers = {false, false, false, false};
    unsigned below = wmem_list_count(pinfo->layers);
    for (wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers); layer;
         layer = wmem_list_frame_prev(layer)) {
        int proto = GPOINTER_TO_INT(wmem_list_frame_data(layer));
        if (--below <= LAYERS_BELOW_TCP && proto == proto_tcp)
            break;
        layers.http |= proto == proto_http;
        layers.http2 |= proto == proto_http2;
        layers.tls |= proto == proto_tls;
        layers.quic |= proto == proto_quic;
    }
    return layers;
}

static bool is_http_or_socks(int proto) { return proto == proto_http || proto == proto_socks; }

/* HTTP directly on TCP, or in a tunnel of HTTP or SOCKS on TCP: the WebSocket's bytes are TCP's. */
static bool http_on_tcp(const packet_info *pinfo) {
    wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers);
    while (layer && GPOINTER_TO_INT(wmem_list_frame_data(layer)) != proto_http)
        layer = wmem_list_frame_prev(layer);
    while (layer && is_http_or_socks(GPOINTER_TO_INT(wmem_list_frame_data(layer))))
        layer = wmem_list_frame_prev(layer);
    return layer && GPOINTER_TO_INT(wmem_list_frame_data(layer)) == proto_tcp;
}

/* ---- bytes ---- */

/* Up to where bytes of this direction that are missing won't come any more; 0 if there are none. */
static uint64_t given_up(packet_info *pinfo, struct wsx_session *session,
                         enum wsx_direction direction) {
    const struct wsx_stream *stream = &session->core->side[direction].stream;
    const tcp_flow_t *peer = session->tcp->rev;
    if (!stream->queue || !peer || !peer->tcp_analyze_seq_info)
        return 0;
    if (!peer->tcp_analyze_seq_info->lastack)
        return stream->queue_count >= WSX_LATER_SEGMENTS ? UINT64_MAX : 0;
    if (stream->queue_count < WSX_ACKNOWLEDGED_SEGMENTS &&
        wsx_state_waited(pinfo, session, direction) < WSX_ACKNOWLEDGED_NS)
        return 0;
    uint64_t before;
    return wsx_state_offset(session, direction, peer->tcp_analyze_seq_info->lastack, &before);
}

/* What the packet's sender had received of the other side. */
static void tell_received(struct wsx_session *session, enum wsx_direction direction) {
    const tcp_flow_t *flow = session->tcp->fwd;
    uint64_t before;
    if (flow && flow->tcp_analyze_seq_info && flow->tcp_analyze_seq_info->lastack &&
        session->position[!direction].known)
        wsx_connection_received(
            session->core, !direction,
            wsx_state_offset(session, !direction, flow->tcp_analyze_seq_info->lastack, &before),
            true);
}

static struct wsx_call *feed_tcp(tvbuff_t *tvb, packet_info *pinfo, struct wsx_session *session,
                                 struct wsx_packet *packet, const struct tcpinfo *info) {
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    unsigned captured = tvb_captured_length(tvb), length = tvb_reported_length(tvb);
    const uint8_t *bytes = captured ? tvb_get_ptr(tvb, 0, (int)captured) : NULL;
    uint64_t before, offset = wsx_state_offset(session, direction,
                                               wsx_tcp_sequence(session->tcp, info->seq), &before);
    if (info->flags & TH_FIN) /* one that ends before the direction begins tells no offset */
        wsx_state_fin(session, direction, length > before ? offset + length - before : 0);
    packet->end_told = !(info->flags & TH_RST);
    /* what lies before the direction's beginning is not WebSocket's: it is known and dropped */
    uint64_t acked = 0;
    if (before) {
        if (before >= length)
            return NULL;
        unsigned drop = (unsigned)before, dropped = MIN(drop, captured);
        bytes = captured ? bytes + dropped : NULL;
        captured -= dropped;
        length -= drop;
        return wsx_state_feed(pinfo, session, NULL, bytes, captured, length, direction, 0, 0);
    }
    acked = given_up(pinfo, session, direction);
    tell_received(session, direction);
    return wsx_state_feed(pinfo, session, tvb, bytes, captured, length, direction, offset, acked);
}

static struct wsx_call *feed_next(tvbuff_t *tvb, packet_info *pinfo, struct wsx_session *session) {
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    unsigned captured = tvb_captured_length(tvb);
    const uint8_t *bytes = captured ? tvb_get_ptr(tvb, 0, (int)captured) : NULL;
    uint64_t offset = session->encrypted && session->tcp
                          ? wsx_state_stream_offset(session, direction)
                          : session->core->side[direction].stream.next;
    return wsx_state_feed(pinfo, session, tvb, bytes, captured, tvb_reported_length(tvb), direction,
                          offset, 0);
}

/* Bytes of a session, or of what was one in the first pass. info NULL: contiguous. */
static int run(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, struct wsx_session *session,
               const struct tcpinfo *info) {
    struct wsx_call *call;
    int length = (int)tvb_captured_length(tvb);
    if (wsx_state_first_pass(pinfo)) {
        struct wsx_packet *packet = wsx_state_packet(pinfo);
        packet->called = true;
        packet->session = session;
        if (!session || !session->core)
            return length;
        call = info ? feed_tcp(tvb, pinfo, session, packet, info) : feed_next(tvb, pinfo, session);
        if (call)
            call->packet = packet;
    } else {
        call = wsx_state_recall(pinfo, tvb_reported_length(tvb));
    }
    if (call)
        wsx_show_call(call, tvb, pinfo, tree);
    return length;
}

/* From the next packet on, TCP calls us itself. */
static void take_tcp(packet_info *pinfo, struct wsx_session *session, dissector_handle_t handle) {
    session->direct = true;
    conversation_set_dissector_from_frame_number(session->conversation, pinfo->num + 1, handle);
}

/* ---- entry points ---- */

/* The built-in in our place: as if it had been called itself, with one layer and the right to ask
 * for more bytes, of which each call takes one away. */
static int call_builtin(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    wmem_list_frame_t *own = wmem_list_tail(pinfo->layers);
    if (own && GPOINTER_TO_INT(wmem_list_frame_data(own)) == wsx_proto) {
        wmem_list_remove_frame(pinfo->layers, own);
        pinfo->curr_layer_num--;
    }
    pinfo->can_desegment = pinfo->saved_can_desegment;
    return call_dissector_only(builtin, tvb, pinfo, tree, data);
}

/* First pass: a data source that we were called with. */
static void note_taken(packet_info *pinfo, tvbuff_t *tvb) {
    struct wsx_packet *packet = wsx_state_packet(pinfo);
    if (!packet->tvbs)
        packet->tvbs = wmem_list_new(pinfo->pool);
    wmem_list_append(packet->tvbs, tvb_get_ds_tvb(tvb));
}

/* First pass: we were called with it and know of no session. Inside an HTTP tunnel, HTTP and TLS
 * see the port of the tunnel's end in place of the proxy's: see feed_tunnelled. */
static void note_tunnelled(packet_info *pinfo, tvbuff_t *tvb) {
    struct wsx_packet *packet = wsx_state_packet(pinfo);
    if (!packet->tunnelled)
        packet->tunnelled = wmem_list_new(pinfo->pool);
    wmem_list_append(packet->tunnelled, tvb);
}

/* What lies behind the answer's head is taken without HTTP; or the answer was lost, or cut, and
 * HTTP has read enough of it to hand on what dissect_pending has taken. */
static bool is_not_handed(const struct wsx_session *session, const packet_info *pinfo,
                          tvbuff_t *tvb) {
    if (!session->response_packet)
        return session->direct;
    return session->response_packet == pinfo->num && session->not_handed == tvb_get_ds_tvb(tvb);
}

static int dissect_upgrade(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return call_builtin(tvb, pinfo, tree, data);
    if (pinfo->flags.in_error_pkt)
        return (int)tvb_captured_length(tvb);
    wsx_state_enter(pinfo);
    if (wsx_http2_is_stream(data))
        return wsx_http2_upgrade(tvb, pinfo, tree, data);
    struct wsx_session *session = NULL;
    if (wsx_state_first_pass(pinfo)) {
        note_taken(pinfo, tvb);
        wsx_upgrade_scan(pinfo, tvb);
        session = wsx_state_find(pinfo);
        if (!session) {
            note_tunnelled(pinfo, tvb);
            return (int)tvb_captured_length(tvb);
        }
        /* the rest of the answer's head, where HTTP does not wait for it */
        if (!session->opened || is_not_handed(session, pinfo, tvb))
            return (int)tvb_captured_length(tvb);
    }
    return run(tvb, pinfo, tree, session, NULL);
}

/* The built-in of 4.6 takes what it is given for HTTP's http_upgrade_info_t: what TCP or TLS gives
 * is not. */
static int dissect_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return call_builtin(tvb, pinfo, tree, NULL);
    if (pinfo->flags.in_error_pkt)
        return (int)tvb_captured_length(tvb);
    wsx_state_enter(pinfo);
    struct wsx_session *session = wsx_state_first_pass(pinfo) ? wsx_state_find(pinfo) : NULL;
    return run(tvb, pinfo, tree, session, data);
}

/* Bits of evidence that what comes behind a hole in the place of the answer is frames. */
#define ANSWER_EVIDENCE 12
/* So many of them, and the answer is lost. */
#define WSX_ANSWER_SEGMENTS 4u

/* How well the bytes of a segment read as frames. */
static int frames_evidence(tvbuff_t *tvb, enum wsx_masking masking) {
    const struct wsx_expectation expectation = {masking, true, false};
    unsigned length = tvb_captured_length(tvb);
    if (length < 2)
        return 0;
    struct wsx_chain chain = wsx_chain_read(tvb_get_ptr(tvb, 0, (int)length), length, &expectation);
    return chain.frames ? chain.bits + (chain.ends_exactly ? WSX_EVIDENCE_SEGMENT_END : 0) : 0;
}

/* Bytes of the server where its answer is due. False: they lie behind a hole, and may be frames. */
static bool is_answer(tvbuff_t *tvb, struct wsx_session *session, uint32_t sequence) {
    uint64_t before, offset = wsx_state_offset(session, WSX_SERVER_TO_CLIENT, sequence, &before);
    if (offset > session->answer_seen)
        return tvb_captured_length(tvb) < 2 || frames_evidence(tvb, WSX_UNMASKED) < ANSWER_EVIDENCE;
    /* what the capture has cut off is a hole, too */
    session->answer_seen = MAX(session->answer_seen, offset + tvb_captured_length(tvb));
    session->lossy[WSX_SERVER_TO_CLIENT] |= tvb_captured_length(tvb) < tvb_reported_length(tvb);
    return true;
}

/* So many segments of the client that read as frames, and that acknowledge bytes of the server of
 * which none was captured, show that it has its answer. */
#define WSX_CLIENT_SEGMENTS 3u

/* A packet of the server acknowledges the request: its answer may still come, out of order. */
static bool has_request(const struct wsx_session *session) {
    const tcp_flow_t *peer = session->tcp->rev;
    const tcp_analyze_seq_flow_info_t *info = peer ? peer->tcp_analyze_seq_info : NULL;
    const struct wsx_position *client = &session->position[WSX_CLIENT_TO_SERVER];
    return info && info->lastack && (int32_t)(info->lastack - client->sequence) >= 0;
}

static bool server_is_unseen(tvbuff_t *tvb, struct wsx_session *session) {
    const tcp_flow_t *flow = session->tcp->fwd;
    const tcp_analyze_seq_flow_info_t *info = flow ? flow->tcp_analyze_seq_info : NULL;
    const struct wsx_position *server = &session->position[WSX_SERVER_TO_CLIENT];
    bool unseen = info && info->lastack && server->known && !session->answer_seen &&
                  !session->early_count[WSX_SERVER_TO_CLIENT] && !has_request(session) &&
                  (int32_t)(info->lastack - server->sequence) > 0;
    if (unseen && frames_evidence(tvb, WSX_MASKED) >= ANSWER_EVIDENCE)
        session->client_segments++;
    else
        session->client_segments = 0;
    return session->client_segments >= WSX_CLIENT_SEGMENTS;
}

/* First pass, the answer is due: keeps what may be frames. True when the answer was lost, and they
 * are read without it. */
static bool watch_pending(tvbuff_t *tvb, packet_info *pinfo, struct wsx_session *session,
                          const struct tcpinfo *info) {
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    uint32_t sequence = wsx_tcp_sequence(session->tcp, info->seq);
    unsigned captured = tvb_captured_length(tvb);
    if (!session->position[direction].known)
        return false;
    const uint8_t *bytes = captured ? tvb_get_ptr(tvb, 0, (int)captured) : NULL;
    unsigned length = tvb_reported_length(tvb);
    bool server = direction == WSX_SERVER_TO_CLIENT;
    if (server && is_answer(tvb, session, sequence))
        return false;
    /* TCP hands on again what HTTP wanted more of */
    uint32_t known = session->early_until[direction] - sequence;
    if (info->is_reassembled && session->early_bytes && known <= length) {
        bytes += MIN(known, captured);
        captured -= MIN(known, captured);
        length -= known;
        sequence += known;
    }
    session->early_until[direction] = sequence + length;
    wsx_state_early(pinfo, session, direction, sequence, bytes, captured, length);
    if (!server && server_is_unseen(tvb, session))
        return true;
    int64_t since;
    unsigned waiting = wsx_state_early_count(session, WSX_SERVER_TO_CLIENT, &since);
    return waiting >= WSX_ANSWER_SEGMENTS ||
           (waiting && wsx_apart(wsx_state_time(pinfo), since) > WSX_ACKNOWLEDGED_NS);
}

/* HTTP in our place, as if TCP had called it. */
static int call_http(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    pinfo->can_desegment = pinfo->saved_can_desegment;
    return call_dissector_only(http_handle, tvb, pinfo, tree, data);
}

/* Between the request and its answer: HTTP's bytes still, but a client may send frames too soon. */
static int dissect_pending(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced || pinfo->flags.in_error_pkt)
        return call_http(tvb, pinfo, tree, data);
    wsx_state_enter(pinfo);
    const struct tcpinfo *info = data;
    if (wsx_state_first_pass(pinfo)) {
        struct wsx_session *session = wsx_state_find(pinfo);
        bool waits =
            session && info && !session->response_packet && !session->cause && !session->opened;
        if (waits && watch_pending(tvb, pinfo, session, info)) {
            wsx_state_open_unanswered(pinfo, session);
            take_tcp(pinfo, session, tcp_handle);
            wsx_state_packet(pinfo)->session = session;
        }
    }
    return call_http(tvb, pinfo, tree, data);
}

/* Who is the client, where no handshake tells: the one that opened the TCP connection, or the one
 * that masks. False when it can't be told yet. */
static bool find_client(tvbuff_t *tvb, packet_info *pinfo, bool *from_client) {
    static const struct wsx_expectation expectation = {WSX_MASKING_UNKNOWN, true, true};
    unsigned length = tvb_captured_length(tvb);
    const uint8_t *bytes = tvb_get_ptr(tvb, 0, (int)length);
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    struct tcp_analysis *tcp = conversation && pinfo->ptype == PT_TCP
                                   ? get_tcp_conversation_data(conversation, pinfo)
                                   : NULL;
    if (tcp && tcp->server_port && pinfo->srcport != pinfo->destport) {
        *from_client = pinfo->destport == tcp->server_port;
        return true;
    }
    struct wsx_chain chain = wsx_chain_read(bytes, length, &expectation);
    if (chain.bits > 0 && chain.frames) {
        *from_client = chain.masked;
        return true;
    }
    struct wsx_search *search = wsx_search_new(&expectation);
    struct wsx_found found;
    wsx_search_add(search, 0, bytes, MIN(length, WSX_SEARCH_BYTES), pinfo->num,
                   WSX_EVIDENCE_SEGMENT_START, length <= WSX_SEARCH_BYTES);
    bool there = wsx_search_find(search, &found) && found.offset + 1 < length;
    if (there)
        *from_client = (bytes[found.offset + 1] & 0x80) != 0;
    wsx_search_free(search);
    return there;
}

static bool tcp_is_below(const packet_info *pinfo) {
    wmem_list_frame_t *below = wmem_list_frame_prev(wmem_list_tail(pinfo->layers));
    return below && GPOINTER_TO_INT(wmem_list_frame_data(below)) == proto_tcp;
}

/* At the packet's end: no dissector has taken what TCP has. */
static bool is_unread(const packet_info *pinfo) {
    wmem_list_frame_t *below = wmem_list_frame_prev(wmem_list_tail(pinfo->layers));
    if (below && GPOINTER_TO_INT(wmem_list_frame_data(below)) == proto_data)
        below = wmem_list_frame_prev(below);
    return below && GPOINTER_TO_INT(wmem_list_frame_data(below)) == proto_tcp;
}

/* Decode As: no handshake is known. */
static int dissect_decode_as(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return call_builtin(tvb, pinfo, tree, NULL);
    if (pinfo->flags.in_error_pkt)
        return (int)tvb_captured_length(tvb);
    wsx_state_enter(pinfo);
    struct wsx_session *session = NULL;
    bool from_client, tcp = tcp_is_below(pinfo);
    if (wsx_state_first_pass(pinfo)) {
        session = wsx_state_find(pinfo);
        if ((!session || (session->cause && !session->core)) && tvb_captured_length(tvb) >= 2 &&
            find_client(tvb, pinfo, &from_client))
            session = wsx_state_midstream(pinfo, from_client, has_layer(pinfo, proto_tls));
        if (session && tcp)
            session->direct = true;
    }
    return run(tvb, pinfo, tree, session, tcp ? data : NULL);
}

/* ---- heuristics ---- */

/* A record of TLS in a connection that is not known: when it shows WebSocket, what came before is
 * read, too, at the packet's end. */
static struct wsx_session *find_in_record(packet_info *pinfo, const uint8_t *bytes,
                                          unsigned length) {
    bool from_client;
    struct wsx_evidence *evidence = wsx_evidence_record(pinfo, bytes, length, &from_client);
    if (!evidence)
        return NULL;
    struct wsx_session *session = wsx_state_midstream(pinfo, from_client, true);
    wsx_evidence_replay(evidence, pinfo, session);
    return session;
}

/* TLS calls for each record of a connection that nobody else takes. On TCP the evidence is gathered
 * behind the dissection, see watch_unknown: HTTP's ports are HTTP's before any heuristic. */
static wsx_bool heuristic(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    if (!wsx_enhanced)
        return builtin_heuristic && builtin_heuristic(tvb, pinfo, tree, data);
    wsx_state_enter(pinfo);
    if (tcp_is_below(pinfo) || pinfo->flags.in_error_pkt)
        return FALSE;
    if (!wsx_state_first_pass(pinfo)) {
        struct wsx_call *call = wsx_state_recall(pinfo, tvb_reported_length(tvb));
        if (call)
            wsx_show_call(call, tvb, pinfo, tree);
        return call != NULL;
    }
    struct wsx_session *session = wsx_state_find(pinfo);
    unsigned length = tvb_captured_length(tvb);
    const uint8_t *bytes = length ? tvb_get_ptr(tvb, 0, (int)length) : NULL;
    note_taken(pinfo, tvb);
    if (!length || (session && !(session->midstream && session->encrypted && session->core)))
        return FALSE;
    if (!session) {
        find_in_record(pinfo, bytes, length);
        return FALSE;
    }
    if (session->early) { /* what this packet showed to be WebSocket's waits for its end */
        wsx_state_early(pinfo, session, wsx_state_direction(session, pinfo), 0, bytes, length,
                        length);
        return FALSE;
    }
    run(tvb, pinfo, tree, session, NULL);
    return TRUE;
}

/* ---- behind every packet ---- */

/* A segment that TCP did not hand on: because it was late, or (with tcp.reassemble_out_of_order)
 * because an earlier one is missing. */
static void feed_held_back(packet_info *pinfo, struct wsx_session *session,
                           const struct wsx_tcp_view *view, tvbuff_t *tvb, proto_tree *tree) {
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    const struct wsx_stream *stream = &session->core->side[direction].stream;
    uint64_t before, offset = wsx_state_offset(session, direction, view->sequence, &before);
    /* the end of the answer's head, and frames behind it */
    unsigned head = (unsigned)MIN(before, view->length), there = MIN(head, view->captured);
    if (offset + view->length - head <= stream->next)
        return;
    struct wsx_call *call = wsx_state_feed(
        pinfo, session, NULL, view->payload ? view->payload + there : NULL, view->captured - there,
        view->length - head, direction, offset, given_up(pinfo, session, direction));
    wsx_show_call(call, tvb, pinfo, tree);
}

/* Of a RST: its receiver has acknowledged bytes behind its number and drops it (RFC 9293
 * 3.10.7.4). One that is behind by a FIN answers what was sent before that FIN had come, and is
 * heeded. */
static bool is_stale(const struct wsx_session *session, const struct wsx_tcp_view *view) {
    const tcp_flow_t *receiver = session->tcp->rev;
    uint32_t acknowledged =
        receiver && receiver->tcp_analyze_seq_info ? receiver->tcp_analyze_seq_info->lastack : 0;
    return acknowledged && (int32_t)(view->sequence + 1 - acknowledged) < 0;
}

static void watch_end(packet_info *pinfo, struct wsx_session *session,
                      const struct wsx_tcp_view *view) {
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    bool rst = (view->flags & TH_RST) != 0;
    if (rst && is_stale(session, view))
        return;
    if (view->flags & (TH_RST | TH_FIN)) {
        if (!(view->flags & TH_FIN) || !session->opened)
            wsx_state_reach(session, direction, view->sequence, rst);
        if (view->flags & TH_ACK)
            wsx_state_reach(session, !direction, view->acknowledgement, rst);
        else
            wsx_state_elicited(session, !direction, view->sequence);
    }
    if (rst) {
        wsx_state_end(session, WSX_CAUSE_RST);
    } else if (view->flags & TH_FIN) {
        uint64_t before = 0, offset = 0;
        if (session->position[direction].known)
            offset = wsx_state_offset(session, direction, view->sequence, &before) + view->length;
        offset = offset > before ? offset - before : 0;
        wsx_state_fin(session, direction, offset);
    }
}

/* The same for what carries HTTP/2: it ends all its streams. */
static void watch_carrier(packet_info *pinfo, struct wsx_session *session,
                          const struct wsx_tcp_view *view) {
    if ((view->flags & TH_RST) && is_stale(session, view))
        return;
    if ((view->flags & (TH_RST | TH_ACK)) == TH_RST)
        wsx_state_elicited(session, !wsx_state_direction(session, pinfo), view->sequence);
    if (view->flags & TH_RST)
        wsx_state_carrier_end(session, WSX_CAUSE_RST);
    else if (view->flags & TH_FIN)
        wsx_state_carrier_fin(session, wsx_state_direction(session, pinfo));
}

static bool holds_decrypted(const packet_info *pinfo) {
    bool found = false;
    for (GSList *list = pinfo->data_src; list && !found; list = list->next) {
        char *name = wsx_data_source_name(list->data);
        found = name && g_str_has_prefix(name, "Decrypted TLS");
        wmem_free(NULL, name);
    }
    return found;
}

/* TLS: whether the last bytes of a direction could be decrypted. */
static void watch_records(packet_info *pinfo, struct wsx_session *session, unsigned flags) {
    if (session && session->encrypted && session->tcp && (flags & WSX_TCP_PAYLOAD))
        wsx_state_carrier_read(pinfo, session, wsx_state_direction(session, pinfo),
                               holds_decrypted(pinfo));
}

static void begin_direct(packet_info *pinfo, struct wsx_session *session) {
    if (!session->tcp || session->direct || session->cause || session->http != WSX_HTTP_1 ||
        !(session->on_tcp || http_on_tcp(pinfo)))
        return;
    struct wsx_tcp_view view;
    if (!wsx_tcp_view(pinfo, session->tcp, &view))
        return;
    session->on_tcp = true;
    if (session->opened && session->response_packet == pinfo->num) {
        if (session->frames_known)
            session->position[WSX_SERVER_TO_CLIENT] =
                (struct wsx_position){.known = true, .sequence = session->frames_from};
        else
            wsx_state_anchor(session, WSX_SERVER_TO_CLIENT,
                             view.sequence + view.length - session->answer_rest);
        if (!session->position[WSX_CLIENT_TO_SERVER].known)
            wsx_state_anchor(session, WSX_CLIENT_TO_SERVER, view.acknowledgement);
        take_tcp(pinfo, session, tcp_handle);
    } else if (!session->opened && session->request_packet == pinfo->num) {
        wsx_state_anchor(session, WSX_SERVER_TO_CLIENT, view.acknowledgement);
        conversation_set_dissector_from_frame_number(session->conversation, pinfo->num + 1,
                                                     pending_handle);
    }
}

static bool waits_for_answer(const struct wsx_session *session) {
    return session->on_tcp && !session->response_packet && !session->opened && !session->cause;
}

/* A segment before the answer, which may be it; or frames of the client that TCP handed to nobody.
 */
static void feed_waiting(packet_info *pinfo, struct wsx_session *session,
                         const struct wsx_tcp_view *view) {
    if (wsx_state_direction(session, pinfo) == WSX_SERVER_TO_CLIENT)
        wsx_upgrade_answer(pinfo, session, view);
    else if (session->request_packet != pinfo->num && is_unread(pinfo))
        wsx_state_early(pinfo, session, WSX_CLIENT_TO_SERVER, view->sequence, view->payload,
                        view->captured, view->length);
}

/* First pass, TCP: late segments, FIN and RST. Returns the packet's session. */
static struct wsx_session *watch_tcp(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                                     struct wsx_packet *packet) {
    struct wsx_session *session = packet ? packet->session : NULL;
    bool called = packet && packet->called;
    if (packet && packet->end_told)
        return session;
    unsigned flags = wsx_tcp_flags(pinfo);
    if (called)
        watch_records(pinfo, session, flags);
    if (!(flags & (TH_FIN | TH_RST)) && (called || !(flags & WSX_TCP_PAYLOAD)))
        return session;
    if (!session)
        session = wsx_state_find(pinfo);
    watch_records(pinfo, session, flags);
    bool streams = session && session->http != WSX_HTTP_1;
    if (!session || (session->cause && !streams) || !session->tcp)
        return session;
    struct wsx_tcp_view view;
    if (!wsx_tcp_view(pinfo, session->tcp, &view))
        return session;
    if (streams) {
        watch_carrier(pinfo, session, &view);
        return session;
    }
    if (!called && session->core && session->direct && view.length)
        feed_held_back(pinfo, session, &view, tvb, tree);
    if (!called && waits_for_answer(session) && view.length)
        feed_waiting(pinfo, session, &view);
    if (session->response_packet == pinfo->num)
        begin_direct(pinfo, session);
    watch_end(pinfo, session, &view);
    return session;
}

/* The same of records that TLS hands to others, as HTTP's on its ports. */
static struct wsx_session *watch_unknown_records(packet_info *pinfo) {
    struct wsx_session *session = wsx_state_find(pinfo);
    GSList *list = pinfo->data_src;
    if ((session && !session->by_records) || has_layer(pinfo, proto_http2))
        return NULL;
    for (tvbuff_t *tvb; (tvb = wsx_upgrade_next_record(pinfo, &list)) != NULL;) {
        unsigned length = tvb_captured_length(tvb);
        const uint8_t *bytes = tvb_get_ptr(tvb, 0, (int)length);
        if (session)
            wsx_state_early(pinfo, session, wsx_state_direction(session, pinfo), 0, bytes, length,
                            length);
        else if ((session = find_in_record(pinfo, bytes, length)) != NULL)
            session->by_records = true;
    }
    return session;
}

/* First pass, the heuristic is on: a TCP connection that nobody knows for WebSocket. What came
 * before it was known is read, too. */
static struct wsx_session *watch_unknown(packet_info *pinfo) {
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    struct tcp_analysis *tcp = conversation ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    struct wsx_tcp_view view;
    bool from_client;
    if (!tcp || has_layer(pinfo, proto_tls) || wsx_state_find(pinfo) ||
        !wsx_tcp_view(pinfo, tcp, &view) || !view.captured)
        return NULL;
    struct wsx_evidence *evidence =
        wsx_evidence_segment(pinfo, conversation, tcp, &view, &from_client);
    if (!evidence)
        return NULL;
    struct wsx_session *session = wsx_state_midstream(pinfo, from_client, false);
    wsx_evidence_replay(evidence, pinfo, session);
    session->on_tcp = true;
    take_tcp(pinfo, session, tcp_handle);
    return session;
}

/* What note_tunnelled has: the packet has its own ports again, and so its session. */
static void feed_tunnelled(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                           struct wsx_session *session) {
    struct wsx_packet *packet = wsx_state_packet_here(pinfo);
    if (!packet || !packet->tunnelled || !session->core || session->cause || !session->encrypted ||
        session->http != WSX_HTTP_1)
        return;
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    for (wmem_list_frame_t *at = wmem_list_head(packet->tunnelled); at;
         at = wmem_list_frame_next(at)) {
        tvbuff_t *piece = wmem_list_frame_data(at);
        unsigned length = tvb_captured_length(piece);
        if (!length)
            continue;
        const uint8_t *bytes = tvb_get_ptr(piece, 0, (int)length);
        if (session->early) {
            wsx_state_early(pinfo, session, direction, 0, bytes, length, length);
            continue;
        }
        struct wsx_call *call =
            wsx_state_feed(pinfo, session, NULL, bytes, length, tvb_reported_length(piece),
                           direction, wsx_state_stream_offset(session, direction), 0);
        wsx_show_call(call, tvb, pinfo, tree);
    }
}

static void settle(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                   struct wsx_session *session) {
    struct wsx_call *call;
    while ((call = wsx_state_settle(pinfo, session)) != NULL)
        wsx_show_call(call, tvb, pinfo, tree);
}

static bool may_hold_request(const packet_info *pinfo) {
    return pinfo->fd->pkt_len >= (pinfo->src.type == AT_IPv6 ? REQUEST_MIN_IPV6 : REQUEST_MIN_IPV4);
}

/* `packet`: what its dissectors have left there. */
static void watch_packet(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                         const struct wsx_layers *layers, struct wsx_packet *packet) {
    struct wsx_session *session = NULL;
    if (layers->http)
        wsx_upgrade_scan(pinfo, NULL);
    else if (pinfo->ptype == PT_TCP && (may_hold_request(pinfo) || wsx_request_waits()) &&
             is_unread(pinfo))
        wsx_upgrade_held_back(pinfo);
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    for (unsigned i = 0; i < handshakes.count; i++)
        begin_direct(pinfo, session = handshakes.sessions[i]);
    if (pinfo->ptype == PT_TCP && tcp_entry && tcp_entry->enabled)
        session = session ? session : watch_unknown(pinfo);
    if (!session && tls_entry && tls_entry->enabled && layers->tls)
        session = watch_unknown_records(pinfo);
    if (!wsx_sessions_open && !session && !wsx_state_has_unsettled(NULL))
        return;
    if (pinfo->ptype == PT_TCP) {
        struct wsx_session *of_packet =
            watch_tcp(tvb, pinfo, tree, packet ? packet : wsx_state_packet_here(pinfo));
        session = session ? session : of_packet;
    }
    if (session && session->encrypted && layers->tls) {
        wsx_upgrade_rest(pinfo, session);
        feed_tunnelled(tvb, pinfo, tree, session);
    }
    settle(tvb, pinfo, tree, session);
}

static int dissect_end(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data _U_) {
    if (!wsx_enhanced)
        return 0;
    wsx_state_enter(pinfo);
    const struct wsx_layers layers = layers_of(pinfo);
    if ((layers.http || layers.http2 || layers.tls) && is_quoted(pinfo))
        return 0;
    wsx_http2_walk(tvb, pinfo, tree, &layers);
    struct wsx_packet *packet = wsx_state_packet_here(pinfo);
    if (wsx_state_first_pass(pinfo)) {
        watch_packet(tvb, pinfo, tree, &layers, packet);
    } else if (wsx_state_session_count()) {
        struct wsx_call *call;
        while ((call = wsx_state_recall_settled(pinfo)) != NULL)
            wsx_show_call(call, tvb, pinfo, tree);
    }
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    for (unsigned i = 0; i < handshakes.count; i++)
        wsx_show_handshake(handshakes.sessions[i], tvb, pinfo, tree);
    if (!packet)
        packet = handshakes.count ? wsx_state_packet(pinfo) : wsx_state_packet_here(pinfo);
    if (packet && (handshakes.count || wmem_array_get_count(packet->items))) {
        tap_queue_packet(wsx_tap, pinfo, packet);
        tap_queue_packet(wsx_follow_tap, pinfo, packet);
        wsx_tap_objects_queue(pinfo, packet);
        wsx_tap_pdus_queue(tvb, pinfo, packet);
    }
    return 0;
}

/* ---- registration ---- */

void wsx_transport_register(void) {
    wsx_tap = register_tap("websocket");
    upgrade_handle = register_dissector_with_description(
        "websocket_upgrade", "WebSocket after its handshake", dissect_upgrade, wsx_proto);
    tcp_handle = create_dissector_handle(dissect_tcp, wsx_proto);
    pending_handle = create_dissector_handle(dissect_pending, -1); /* no layer of its own */
    decode_handle = register_dissector_with_description("websocket_stream", "WebSocket (wsx)",
                                                        dissect_decode_as, wsx_proto);
    dissector_handle_t end_handle = create_dissector_handle(dissect_end, wsx_proto);
    register_postdissector(end_handle);
    wsx_http2_register(end_handle);
}

void wsx_transport_handoff(void) {
    wsx_upgrade_handoff();
    wsx_http2_handoff();
    builtin = find_dissector("websocket");
    http_handle = find_dissector("http-over-tcp");
    if (!http_handle)
        http_handle = find_dissector("http");
    proto_tcp = proto_get_id_by_filter_name("tcp");
    proto_http = proto_get_id_by_filter_name("http");
    proto_http2 = proto_get_id_by_filter_name("http2");
    proto_tls = proto_get_id_by_filter_name("tls");
    proto_data = proto_get_id_by_filter_name("data");
    proto_quic = proto_get_id_by_filter_name("quic");
    proto_socks = proto_get_id_by_filter_name("socks");
    proto_icmp = proto_get_id_by_filter_name("icmp");
    proto_icmp6 = proto_get_id_by_filter_name("icmpv6");
    dissector_add_string("http.upgrade", "websocket", upgrade_handle);
    dissector_add_string("http.upgrade", "WebSocket", upgrade_handle);
    dissector_add_for_decode_as("tcp.port", decode_handle);
    dissector_add_for_decode_as("tls.port", decode_handle);
    tcp_entry = find_heur_dissector_by_unique_short_name("websocket_tcp");
    if (tcp_entry) {
        builtin_heuristic = tcp_entry->dissector;
        tcp_entry->dissector = heuristic;
    }
    heur_dissector_add("tls", heuristic, "WebSocket over TLS", "websocket_tls", wsx_proto,
                       HEURISTIC_DISABLE);
    tls_entry = find_heur_dissector_by_unique_short_name("websocket_tls");
}
