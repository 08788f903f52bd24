/*
 * streams.c - sessions under HTTP/2 and HTTP/3: the ends and resets of single streams and of the
 * connection that carries them, and what its SETTINGS said (RFC 8441 3, RFC 9220 3). A part of
 * state.c, see there; http2.c and http3.c tell what they see.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include "tcpview.h"

/* Whose packets are watched for lost segments before there is a session. */
static unsigned carriers_with_settings;

void wsx_store_streams_init(void) { carriers_with_settings = 0; }

enum wsx_direction wsx_state_stream_direction(const struct wsx_session *session,
                                              const packet_info *pinfo) {
    if (session->tcp)
        return wsx_state_direction(session, pinfo);
    bool to_server = addresses_equal(&session->server.address, &pinfo->dst) &&
                     session->server.port == pinfo->destport;
    return to_server ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT;
}

bool wsx_state_stream_is_open(const struct wsx_session *session, const packet_info *pinfo) {
    return session->opened && session->open_packet <= pinfo->num &&
           (!session->end_packet || pinfo->num <= session->end_packet);
}

unsigned wsx_store_sender(const packet_info *pinfo) {
    int order = cmp_address(&pinfo->src, &pinfo->dst);
    return order ? order > 0 : pinfo->srcport > pinfo->destport;
}

/* ---- ends ---- */

void wsx_state_stream_fin(struct wsx_session *session, enum wsx_direction direction) {
    if (session->cause || session->fin_seen[direction])
        return;
    wsx_state_fin(session, direction, 0);
    wsx_store_unsettled(session);
}

void wsx_state_stream_reset(struct wsx_session *session, bool from_server, uint64_t code) {
    if (session->cause)
        return;
    session->reset = (struct wsx_reset){true, from_server, code};
    wsx_state_end(session, WSX_CAUSE_RESET);
}

/* Of the two flows the one that is not the client's, which the request was seen in. */
bool wsx_state_server_is_seen(const struct wsx_session *session) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    return session->http != WSX_HTTP_2 || (carrier->flow[0].known && carrier->flow[1].known);
}

void wsx_state_on_quic(struct wsx_session *session, uint32_t connection) {
    session->transport_stream = connection;
}

/* So many pieces of a stream are remembered behind a hole: a sender fills it before it sends much
 * more. */
#define WSX_QUIC_PIECES 64

/* How far the bytes of one direction of a QUIC stream are there. */
struct wsx_quic_side {
    uint64_t next;     /* all before it are there */
    uint64_t end;      /* the last one that is there ends here */
    uint64_t last;     /* the piece that came last, of new bytes, ends here */
    uint32_t begun_in; /* packet: its bytes were held against `last` */
    bool whole;        /* from its first byte on */
    uint64_t final;    /* the stream's length, UINT64_MAX = not known */
    unsigned count;    /* of pieces behind a hole */
    struct {
        uint64_t begin, end;
    } piece[WSX_QUIC_PIECES];
};

static void quic_advance(struct wsx_quic_side *side) {
    for (unsigned i = 0; i < side->count; i++) {
        if (side->piece[i].begin > side->next)
            continue;
        side->next = MAX(side->next, side->piece[i].end);
        side->piece[i] = side->piece[--side->count];
        i = UINT_MAX; /* from the beginning */
    }
}

/* The server's direction begins with its first byte where the client's was seen to. */
static struct wsx_quic_side *quic_side(struct wsx_session *session, enum wsx_direction direction,
                                       uint64_t offset) {
    struct wsx_quic_side *side = session->quic[direction], *other = session->quic[!direction];
    if (side)
        return side;
    side = session->quic[direction] = wmem_new0(wmem_file_scope(), struct wsx_quic_side);
    side->whole = offset == 0 || (other && other->whole);
    side->next = side->end = side->last = side->whole ? 0 : offset;
    side->final = UINT64_MAX;
    return side;
}

/* All these bytes were in earlier packets. */
static bool quic_is_known(const struct wsx_quic_side *side, uint64_t offset, uint64_t length) {
    uint64_t end = offset + length;
    if (!length || end <= side->next)
        return length != 0;
    for (unsigned i = 0; i < side->count; i++)
        if (side->piece[i].begin <= offset && end <= side->piece[i].end)
            return true;
    return false;
}

bool wsx_state_quic_is_known(const struct wsx_session *session, enum wsx_direction direction,
                             uint64_t offset, uint64_t length) {
    const struct wsx_quic_side *side = session->quic[direction];
    return side && quic_is_known(side, offset, length);
}

/* Bytes of this direction were sent that the capture does not show, or they may have been. */
static void note_unseen(struct wsx_session *session, enum wsx_direction direction) {
    session->lossy[direction] = true;
    if (session->core)
        session->core->side[direction].tail_unknown = true;
}

static void quic_hole(struct wsx_session *session, enum wsx_direction direction) {
    session->hole[direction] = true;
    note_unseen(session, direction);
}

void wsx_state_quic_begin(packet_info *pinfo, struct wsx_session *session,
                          enum wsx_direction direction, uint64_t offset) {
    if (session->end_packet)
        return;
    struct wsx_quic_side *side = quic_side(session, direction, offset);
    if (side->begun_in != pinfo->num && offset != side->last)
        quic_hole(session, direction);
    side->begun_in = pinfo->num;
}

void wsx_state_quic_piece(packet_info *pinfo, struct wsx_session *session,
                          enum wsx_direction direction, uint64_t offset, uint64_t length,
                          bool fin) {
    if (session->end_packet)
        return;
    struct wsx_quic_side *side = quic_side(session, direction, offset);
    if (offset > side->next)
        note_unseen(session, direction);
    if (length && !quic_is_known(side, offset, length)) {
        if (offset != side->last && side->begun_in != pinfo->num && !session->h3[direction])
            quic_hole(session, direction);
        side->last = offset + length;
    }
    side->end = MAX(side->end, offset + length);
    if (fin)
        side->final = offset + length;
    if (side->count < WSX_QUIC_PIECES) {
        side->piece[side->count].begin = offset;
        side->piece[side->count++].end = offset + length;
    }
    quic_advance(side);
    if (side->next >= side->final)
        wsx_state_stream_fin(session, direction);
}

/* A hole of a QUIC stream that is not filled by then was lost in the capture: so many later pieces,
 * or so long after them. */
#define LATER_PIECES 12u
#define LATER_NS INT64_C(200000000)

void wsx_state_h3_push(struct wsx_session *session, enum wsx_direction direction,
                       const struct wsx_quic_piece *piece, wsx_h3_take take, void *context) {
    if (session->end_packet)
        return;
    int64_t since;
    struct wsx_h3_data **data = &session->h3[direction];
    if (!*data)
        *data = wsx_h3_data_new(
            quic_side(session, direction, piece->offset)->whole ? 0 : piece->offset);
    wsx_h3_data_push(*data, piece->offset, piece->bytes, piece->length, piece->time, take, context);
    unsigned waiting = wsx_h3_data_waiting(*data, &since);
    if (waiting >= LATER_PIECES || (waiting && wsx_apart(piece->time, since) >= LATER_NS))
        wsx_h3_data_give_up(*data, take, context);
}

void wsx_state_quic_answers(const packet_info *pinfo, struct wsx_session *session) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    enum wsx_direction other = !wsx_state_stream_direction(session, pinfo);
    bool told = carrier->acks_in[wsx_store_sender(pinfo)] == pinfo->num;
    if (session->core)
        wsx_connection_received(session->core, other, told ? 0 : UINT64_MAX, false);
}

void wsx_state_stream_hole(struct wsx_session *session, enum wsx_direction direction) {
    quic_hole(session, direction);
}

/* A packet of this side is not in the capture, or not yet: it may have been about any stream. */
static void quic_lost(packet_info *pinfo, struct wsx_carrier *carrier, unsigned side) {
    carrier->settings[side].lossy = true;
    for (struct wsx_session *session = carrier->first; session; session = session->next_stream) {
        enum wsx_direction sender = wsx_state_stream_direction(session, pinfo);
        note_unseen(session, side == wsx_store_sender(pinfo) ? sender : !sender);
    }
}

void wsx_state_quic_number(packet_info *pinfo, uint64_t number) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    unsigned side = wsx_store_sender(pinfo);
    bool lost = number > carrier->next_number[side];
    carrier->next_number[side] = MAX(carrier->next_number[side], number + 1);
    if (lost)
        quic_lost(pinfo, carrier, side);
}

/* Of numbers below what was seen already, their gaps have told. */
void wsx_state_quic_ack(packet_info *pinfo, uint64_t largest) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    unsigned side = !wsx_store_sender(pinfo);
    carrier->acks_in[!side] = pinfo->num;
    if (largest < carrier->next_number[side] || largest < carrier->next_unseen[side])
        return;
    carrier->next_unseen[side] = largest + 1;
    quic_lost(pinfo, carrier, side);
}

/* QUIC's packets need not say what their sender had received, and it may say so after the end only.
 * Nor are packet numbers known where nobody reads the tree. */
void wsx_state_quic_ends(packet_info *pinfo, struct wsx_session *session) {
    const struct wsx_carrier *carrier = wsx_store_carrier(wsx_store_conversation(pinfo, false));
    unsigned sender = wsx_store_sender(pinfo);
    bool last = session != NULL;
    for (session = last ? session : carrier->first; session; session = session->next_stream) {
        enum wsx_direction direction = wsx_state_stream_direction(session, pinfo);
        if (!session->cause && carrier->acks_in[sender] != pinfo->num)
            note_unseen(session, !direction);
        if (!session->cause && !carrier->next_number[sender])
            note_unseen(session, direction);
        if (last)
            return;
    }
}

/* Bytes before what has come already, or before the stream's end, are missing. tail: those before
 * the end alone, what is missing before was told. */
static uint64_t quic_missing(const struct wsx_quic_side *side, bool tail) {
    if (tail)
        return side->final != UINT64_MAX && side->final > side->end ? side->final - side->end : 0;
    uint64_t end = side->final == UINT64_MAX ? 0 : side->final;
    for (unsigned i = 0; i < side->count; i++)
        end = end ? MIN(end, side->piece[i].begin) : side->piece[i].begin;
    return end > side->next ? end - side->next : 0;
}

void wsx_store_end_quic(struct wsx_session *session, struct wsx_collecting *collecting) {
    for (int d = 0; d < 2; d++) {
        bool tail = session->h3[d] != NULL;
        uint64_t missing = session->quic[d] ? quic_missing(session->quic[d], tail) : 0;
        if (!missing || !session->core)
            continue;
        struct wsx_finding_sink sink = {wsx_collect_finding, collecting};
        struct wsx_note note = {.direction = d, .missing = missing};
        wsx_report(&sink, WSX_RULE_STREAM_GAP, 0,
                   "%" PRIu64 " bytes of the QUIC stream from its byte %" PRIu64 " on%s", missing,
                   (tail ? session->quic[d]->end : session->quic[d]->next) + 1,
                   tail ? "" : "; what is behind them is not read");
        wsx_core_events.note(collecting, &note);
        session->core->side[d].tail_unknown = true;
    }
}

/* The first of the sessions that go with this one. */
static struct wsx_session *first_companion(struct wsx_session *session) {
    return session->http == WSX_HTTP_1 ? session : wsx_store_carrier(session->conversation)->first;
}

/* What TCP has noted of this packet; its own pointer to it is gone by now. */
static unsigned lost_segments(const packet_info *pinfo, const struct tcp_analysis *tcp,
                              const struct wsx_tcp_view *view) {
    if (!tcp->acked_table)
        return 0;
    uint32_t packet = pinfo->num, sequence = view->sequence, acknowledged = view->acknowledgement;
    wmem_tree_key_t key[] = {{1, &packet}, {1, &sequence}, {1, &acknowledged}, {0, NULL}};
    const struct tcp_acked *noted = wmem_tree_lookup32_array(tcp->acked_table, key);
    return noted ? noted->flags & (WSX_TCP_LOST_SEGMENT | WSX_TCP_ACKED_LOST) : 0;
}

/* The packet's bytes are not those that follow the captured ones before: some are missing, the
 * packet was cut short, or it comes late and was handed on out of its place. One that was not
 * handed on, of bytes that are known, changes nothing. */
static bool breaks_order(struct wsx_flow *flow, const struct wsx_tcp_view *view, bool handed_on) {
    bool known = flow->known, late = known && (int32_t)(view->sequence - flow->next) < 0;
    if (!view->length || (late && !handed_on))
        return false;
    bool breaks = known && view->sequence != flow->next;
    *flow = (struct wsx_flow){true, view->sequence + view->captured};
    return breaks;
}

/* Of this session and its companions behind. The hole of what is only known by an acknowledgement
 * is told by the sender's next segment. */
static void note_loss(struct wsx_session *session, enum wsx_direction direction, bool hole) {
    for (; session; session = session->next_stream) {
        session->hole[direction] |= hole;
        note_unseen(session, direction);
    }
}

void wsx_state_carrier_look(packet_info *pinfo, bool handed_on) {
    bool carried = wsx_sessions_open && wsx_store_any_carried;
    if (pinfo->ptype != PT_TCP || (!carried && !carriers_with_settings))
        return;
    struct wsx_carrier *carrier = wsx_store_carrier(wsx_store_conversation(pinfo, false));
    struct wsx_session *session = carrier ? carrier->latest : NULL;
    struct tcp_analysis *tcp = session ? session->tcp : carrier ? carrier->tcp : NULL;
    if (!tcp || carrier->looked == pinfo->num ||
        (session && session->http == WSX_HTTP_1 && !session->encrypted))
        return;
    struct wsx_tcp_view view;
    if (!wsx_tcp_view(pinfo, tcp, &view))
        return;
    carrier->looked = pinfo->num;
    unsigned sender = wsx_store_sender(pinfo);
    const struct wsx_flow *before = &carrier->flow[sender];
    if (before->known && (int32_t)(view.sequence + view.length - before->next) <= 0)
        carrier->repeated = pinfo->num;
    unsigned lost = lost_segments(pinfo, tcp, &view);
    bool hole = breaks_order(&carrier->flow[sender], &view, handed_on) && !wsx_tcp_waits_for_late();
    hole = hole || ((lost & WSX_TCP_LOST_SEGMENT) && !wsx_tcp_waits_for_late());
    carrier->settings[sender].lossy |= hole || (lost & WSX_TCP_LOST_SEGMENT);
    carrier->settings[!sender].lossy |= (lost & WSX_TCP_ACKED_LOST) != 0;
    if (!session)
        return;
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    if (hole || (lost & WSX_TCP_LOST_SEGMENT))
        note_loss(first_companion(session), direction, hole);
    if (lost & WSX_TCP_ACKED_LOST)
        note_loss(first_companion(session), !direction, false);
}

void wsx_state_carrier_read(const packet_info *pinfo, struct wsx_session *session,
                            enum wsx_direction direction, bool read) {
    struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    if (!read && carrier->repeated == pinfo->num) /* a retransmission, or a keep-alive */
        return;
    carrier->unread[direction] = !read;
}

/* How many bytes of the stream are missing is not known. The hole is made one byte longer than what
 * the frame under way lacks, so that framing is searched for. */
uint64_t wsx_state_stream_offset(struct wsx_session *session, enum wsx_direction direction) {
    const struct wsx_stream *stream = &session->core->side[direction].stream;
    uint64_t done, whole;
    if (!session->hole[direction])
        return stream->next;
    session->hole[direction] = false;
    uint64_t lacks = wsx_stream_pending(stream, &done, &whole) && whole > done ? whole - done : 0;
    return stream->next + lacks + 1;
}

void wsx_state_carrier_fin(struct wsx_session *session, enum wsx_direction direction) {
    for (session = first_companion(session); session; session = session->next_stream)
        wsx_state_stream_fin(session, direction);
}

void wsx_state_carrier_end(struct wsx_session *session, enum wsx_cause cause) {
    for (session = first_companion(session); session; session = session->next_stream)
        wsx_state_end(session, cause);
}

/* RFC 9113 7 and RFC 9114 8.1. */
static const char *error_name(enum wsx_http_version http, uint64_t code) {
    static const value_string http2[] = {{0, "NO_ERROR"},
                                         {1, "PROTOCOL_ERROR"},
                                         {2, "INTERNAL_ERROR"},
                                         {3, "FLOW_CONTROL_ERROR"},
                                         {4, "SETTINGS_TIMEOUT"},
                                         {5, "STREAM_CLOSED"},
                                         {6, "FRAME_SIZE_ERROR"},
                                         {7, "REFUSED_STREAM"},
                                         {8, "CANCEL"},
                                         {9, "COMPRESSION_ERROR"},
                                         {10, "CONNECT_ERROR"},
                                         {11, "ENHANCE_YOUR_CALM"},
                                         {12, "INADEQUATE_SECURITY"},
                                         {13, "HTTP_1_1_REQUIRED"},
                                         {0, NULL}};
    static const value_string http3[] = {{0x100, "H3_NO_ERROR"},
                                         {0x101, "H3_GENERAL_PROTOCOL_ERROR"},
                                         {0x102, "H3_INTERNAL_ERROR"},
                                         {0x103, "H3_STREAM_CREATION_ERROR"},
                                         {0x104, "H3_CLOSED_CRITICAL_STREAM"},
                                         {0x105, "H3_FRAME_UNEXPECTED"},
                                         {0x106, "H3_FRAME_ERROR"},
                                         {0x107, "H3_EXCESSIVE_LOAD"},
                                         {0x108, "H3_ID_ERROR"},
                                         {0x109, "H3_SETTINGS_ERROR"},
                                         {0x10A, "H3_MISSING_SETTINGS"},
                                         {0x10B, "H3_REQUEST_REJECTED"},
                                         {0x10C, "H3_REQUEST_CANCELLED"},
                                         {0x10D, "H3_REQUEST_INCOMPLETE"},
                                         {0x10E, "H3_MESSAGE_ERROR"},
                                         {0x10F, "H3_CONNECT_ERROR"},
                                         {0x110, "H3_VERSION_FALLBACK"},
                                         {0, NULL}};
    return val_to_str_const(code > 0xFFFF ? 0xFFFF : (uint32_t)code,
                            http == WSX_HTTP_2 ? http2 : http3, "an unknown code");
}

/* The side may have ended, or refused, in bytes that were lost. */
static bool end_is_unknown(const struct wsx_session *session, enum wsx_direction direction) {
    return !session->fin_seen[direction] &&
           (session->lossy[direction] ||
            wsx_store_carrier(session->conversation)->unread[direction]);
}

bool wsx_store_carrier_is_lossy(const struct wsx_session *session) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    return carrier->settings[0].lossy || carrier->settings[1].lossy;
}

/* There may have been nothing left to reset. */
static bool may_have_ended(const struct wsx_session *session) {
    bool server = end_is_unknown(session, WSX_SERVER_TO_CLIENT);
    bool client = end_is_unknown(session, WSX_CLIENT_TO_SERVER);
    if (!session->response_packet && (server || wsx_store_carrier_is_lossy(session)))
        return true;
    return (server || client) && (server || session->fin_seen[WSX_SERVER_TO_CLIENT]) &&
           (client || session->fin_seen[WSX_CLIENT_TO_SERVER]);
}

void wsx_store_judge_reset(const struct wsx_session *session, const struct wsx_finding_sink *sink) {
    if (may_have_ended(session))
        return;
    wsx_report(sink, WSX_RULE_H2_RESET, 0, "by the %s, error code 0x%" PRIx64 " (%s)",
               session->reset.from_server ? "server" : "client", session->reset.code,
               error_name(session->http, session->reset.code));
}

/* ---- SETTINGS ---- */

static const char *setting_fault(const struct wsx_settings *settings, uint64_t value) {
    if (value > 1)
        return wmem_strdup_printf(
            wmem_file_scope(), "SETTINGS_ENABLE_CONNECT_PROTOCOL is %" PRIu64 ", expected 0 or 1",
            value);
    if (value == 0 && settings->enabled)
        return "SETTINGS_ENABLE_CONNECT_PROTOCOL is 0 after it was 1";
    return NULL;
}

static void settings_begin(packet_info *pinfo, const struct wsx_carrier *carrier,
                           struct wsx_settings *settings) {
    struct wsx_tcp_view view;
    settings->packet = pinfo->num;
    if (carrier->last && carrier->last->tcp && wsx_tcp_view(pinfo, carrier->last->tcp, &view)) {
        settings->sequence = view.sequence;
        settings->sequence_known = true;
    }
}

/* A fault is told in this packet where a session of the connection is there to hold it, else with
 * the next request. Either side may commit it (RFC 8441 3), whether or not the setting has a
 * meaning from there. */
void wsx_state_settings(packet_info *pinfo, const uint64_t *extended_connect) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    struct wsx_settings *settings = &carrier->settings[wsx_store_sender(pinfo)];
    struct wsx_session *last = carrier->last;
    if (!carrier->tcp && pinfo->ptype == PT_TCP) {
        carrier->tcp = get_tcp_conversation_data(wsx_store_conversation(pinfo, true), pinfo);
        carriers_with_settings++;
    }
    if (!settings->packet)
        settings_begin(pinfo, carrier, settings);
    if (!extended_connect)
        return;
    const char *fault = setting_fault(settings, *extended_connect);
    settings->enabled = settings->enabled || *extended_connect == 1;
    if (!fault)
        return;
    if (last && !last->end_packet) {
        last->setting_finding = fault;
        last->setting_sender = wsx_state_stream_direction(last, pinfo);
        wsx_store_unsettled(last);
        return;
    }
    settings->fault = fault;
    settings->fault_packet = pinfo->num;
}

static void report_setting(const struct wsx_finding_sink *sink, uint32_t packet, const char *fault,
                           enum wsx_direction sender) {
    wsx_report(sink, WSX_RULE_H2_SETTING_WITHDRAWN, packet, "%s, by the %s", fault,
               sender == WSX_CLIENT_TO_SERVER ? "client" : "server");
}

void wsx_store_tell_setting(struct wsx_session *session, struct wsx_collecting *collecting) {
    struct wsx_finding_sink sink = {wsx_collect_finding, collecting};
    struct wsx_note note = {.direction = session->setting_sender};
    report_setting(&sink, 0, session->setting_finding, session->setting_sender);
    session->setting_finding = NULL;
    wsx_core_events.note(collecting, &note);
}

/* An extended CONNECT needs the server's word. Not judged where its SETTINGS were not seen. */
void wsx_store_judge_settings(const struct wsx_session *session, const packet_info *pinfo,
                              bool from_client, const struct wsx_finding_sink *sink) {
    struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    unsigned client = from_client ? wsx_store_sender(pinfo) : !wsx_store_sender(pinfo);
    struct wsx_settings *settings = &carrier->settings[!client];
    if (session->http == WSX_HTTP_1)
        return;
    for (unsigned side = 0; side < 2; side++) {
        struct wsx_settings *sent = &carrier->settings[side];
        if (sent->fault)
            report_setting(sink, sent->fault_packet, sent->fault,
                           side == client ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT);
    }
    if (settings->packet && !settings->fault && !settings->enabled && !settings->lossy)
        wsx_report(sink, WSX_RULE_H2_NOT_ENABLED, settings->packet,
                   "expected SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 from the server before, not "
                   "seen; its first SETTINGS are in packet %u",
                   settings->packet);
    carrier->settings[0].fault = carrier->settings[1].fault = NULL;
}

/* The server's first SETTINGS came behind the request, which acknowledges nothing of them. Under
 * QUIC only the order of packets would tell, which a capture may change. */
void wsx_store_judge_late_settings(const struct wsx_session *session, const packet_info *pinfo,
                                   const struct wsx_finding_sink *sink) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    const struct wsx_settings *settings = &carrier->settings[wsx_store_sender(pinfo)];
    if (session->http == WSX_HTTP_1 || !settings->sequence_known || !session->request_ack_known ||
        settings->packet <= session->request_packet || settings->lossy ||
        (int32_t)(session->request_ack - settings->sequence) > 0)
        return;
    wsx_report(sink, WSX_RULE_H2_NOT_ENABLED, session->request_packet,
               "the request of packet %u came before the server's first SETTINGS, in packet %u",
               session->request_packet, settings->packet);
}

bool wsx_store_headers_are_whole(const struct wsx_session *session, const packet_info *pinfo,
                                 bool from_client) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    unsigned sender = wsx_store_sender(pinfo);
    bool client_lossy = carrier->settings[from_client ? sender : !sender].lossy;
    bool server_lossy = carrier->settings[from_client ? !sender : sender].lossy;
    return session->http != WSX_HTTP_2 || !(client_lossy || (!from_client && server_lossy));
}

bool wsx_store_answer_is_whole(const struct wsx_session *session, const packet_info *pinfo) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    bool server = wsx_state_stream_direction(session, pinfo) == WSX_SERVER_TO_CLIENT;
    unsigned sender = wsx_store_sender(pinfo);
    return session->http != WSX_HTTP_2 || !carrier->settings[server ? sender : !sender].lossy;
}
