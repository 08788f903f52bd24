/*
 * http2.c - WebSocket in the streams of HTTP/2 (RFC 8441), and what HTTP/3 shares with it; see
 * http2.h for the two ways in. Says what belongs to which stream; the rest is state.c's and
 * show.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "http2.h"

#include "fields.h"
#include "show.h"
#include "transport.h"

#include <epan/dissectors/packet-http.h>

/* RFC 9113 6 */
enum {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PUSH_PROMISE = 5,
    FRAME_CONTINUATION = 9
};
enum { FLAG_END_STREAM = 1, FLAG_ACK = 1, FLAG_END_HEADERS = 4 };
#define SETTINGS_ENABLE_CONNECT_PROTOCOL 8

wsx_bool wsx_over_http2 = FALSE;

static dissector_handle_t end_handle;
static int proto_http2 = -1, proto_tls = -1;
static expert_field ei_hint = EI_INIT;

/* Fields of Wireshark's HTTP/2 dissector. */
static int id_type = -1, id_flags = -1, id_stream = -1, id_data = -1, id_name = -1, id_value = -1,
           id_error = -1, id_connect = -1;
static const struct {
    const char *name;
    int *id;
} wanted_fields[] = {
    {"http2.type", &id_type},
    {"http2.flags", &id_flags},
    {"http2.streamid", &id_stream},
    {"http2.data.data", &id_data},
    {"http2.header.name", &id_name},
    {"http2.header.value", &id_value},
    {"http2.rst_stream.error", &id_error},
    {"http2.settings.extended_connect", &id_connect},
};

static bool has_layer(const packet_info *pinfo, int proto) {
    for (wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers); layer;
         layer = wmem_list_frame_prev(layer))
        if (GPOINTER_TO_INT(wmem_list_frame_data(layer)) == proto)
            return true;
    return false;
}

/* ---- streams of either version ---- */

static void head_add(struct wsx_head *head, wmem_array_t *headers) {
    const struct wsx_header *all = wmem_array_get_raw(headers);
    unsigned count = wmem_array_get_count(headers);
    for (unsigned i = 0; i < count; i++)
        wsx_head_add(head, all[i].name, strlen(all[i].name), all[i].value, strlen(all[i].value));
}

static void head_of(struct wsx_head *head, enum wsx_http_version http, wmem_array_t *headers) {
    memset(head, 0, sizeof *head);
    head->http = http;
    head_add(head, headers);
}

static bool asks(const struct wsx_head *head) {
    return head->request && head->protocol_pseudo &&
           g_ascii_strcasecmp(head->protocol_pseudo, "websocket") == 0;
}

/* Interim responses say nothing; a 101 is none under HTTP/2, but it is an answer. */
static bool answers(const struct wsx_session *session, const struct wsx_head *head) {
    return !head->request && (head->status >= 200 || head->status == 101) &&
           !session->response_packet && !session->opened && !session->cause;
}

/* The request was lost, or QPACK's words for it: no other answer has these headers. HPACK, which
 * tells wrong ones behind a loss, is not believed. */
static bool answers_unseen(const struct wsx_head *head) {
    return head->http == WSX_HTTP_3 && !head->request && head->status >= 200 &&
           head->status < 300 && (head->protocol || head->extensions);
}

/* Takes what it needs of the head. */
static void stream_head(packet_info *pinfo, uint64_t stream_id, struct wsx_head *head,
                        bool encrypted) {
    struct wsx_session *session = wsx_state_find_stream(pinfo, stream_id);
    if (!session && asks(head))
        wsx_state_request(pinfo, head, encrypted, stream_id);
    else if (session ? answers(session, head) : answers_unseen(head))
        wsx_state_response(pinfo, session, head, encrypted, stream_id);
}

void wsx_stream_headers(packet_info *pinfo, enum wsx_http_version http, uint64_t stream_id,
                        wmem_array_t *headers, bool encrypted) {
    struct wsx_head head;
    head_of(&head, http, headers);
    stream_head(pinfo, stream_id, &head, encrypted);
    wsx_head_clear(&head);
}

/* Bits of evidence that DATA before any answer is frames: the answer was lost. */
#define ANSWER_EVIDENCE 12
/* So many pieces of the client's, where nothing of the server is in the capture. */
#define CLIENT_PIECES 4u

/* The answer to the stream's request was lost: frames come in its place, or the capture is
 * one-sided. */
static bool answer_is_lost(const struct wsx_session *session, enum wsx_direction direction,
                           const uint8_t *bytes, unsigned length) {
    bool server = direction == WSX_SERVER_TO_CLIENT;
    const struct wsx_expectation expectation = {server ? WSX_UNMASKED : WSX_MASKED, true, false};
    int64_t since;
    if (server ? !session->lossy[direction]
               : wsx_state_server_is_seen(session) ||
                     wsx_state_early_count(session, direction, &since) < CLIENT_PIECES)
        return false;
    struct wsx_chain chain = wsx_chain_read(bytes, length, &expectation);
    int bits = chain.bits + (chain.ends_exactly ? WSX_EVIDENCE_SEGMENT_END : 0);
    return chain.frames && chain.bits >= 0 && bits >= ANSWER_EVIDENCE;
}

/* First pass: bytes of a stream. call_tvb: they, where later passes are handed them again; NULL
 * where they are not. */
static struct wsx_call *feed(tvbuff_t *tvb, packet_info *pinfo, struct wsx_session *session,
                             tvbuff_t *call_tvb, enum wsx_direction direction) {
    unsigned captured = tvb_captured_length(tvb), length = tvb_reported_length(tvb);
    const uint8_t *bytes = captured ? tvb_get_ptr(tvb, 0, (int)captured) : NULL;
    if (!captured)
        return NULL;
    bool waits = !session->core && !session->response_packet && !session->cause;
    if (session->core && !session->early) {
        uint64_t offset = wsx_state_stream_offset(session, direction);
        return wsx_state_feed(pinfo, session, call_tvb, bytes, captured, length, direction, offset,
                              offset);
    }
    if (waits || session->core) /* behind what came before the answer, at the packet's end */
        wsx_state_early(pinfo, session, direction, 0, bytes, captured, length);
    if (waits && answer_is_lost(session, direction, bytes, captured))
        wsx_state_open_unanswered(pinfo, session);
    return NULL;
}

void wsx_stream_data(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, uint64_t stream_id) {
    struct wsx_session *session = wsx_state_find_stream(pinfo, stream_id);
    if (!session)
        return;
    struct wsx_call *call =
        feed(tvb, pinfo, session, NULL, wsx_state_stream_direction(session, pinfo));
    if (call)
        wsx_show_call(call, tvb, pinfo, tree);
}

void wsx_stream_bytes(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                      struct wsx_session *session, enum wsx_direction direction,
                      const uint8_t *bytes, size_t length, uint64_t missing, bool unknown) {
    if (unknown || (missing && (!session->core || session->early)))
        wsx_state_stream_hole(session, direction);
    if (session->core && !session->early) {
        uint64_t offset = wsx_state_stream_offset(session, direction) + missing;
        struct wsx_call *call =
            wsx_state_feed(pinfo, session, NULL, bytes, length, length, direction, offset, offset);
        wsx_show_call(call, tvb, pinfo, tree);
        return;
    }
    bool waits = !session->core && !session->response_packet && !session->cause;
    if (waits || session->core)
        wsx_state_early(pinfo, session, direction, 0, bytes, length, length);
    if (waits && answer_is_lost(session, direction, bytes, (unsigned)length))
        wsx_state_open_unanswered(pinfo, session);
}

/* ---- the tree ---- */

/* One HTTP/2 frame on its way through the tree. */
struct h2_frame {
    packet_info *pinfo;
    proto_tree *tree; /* the packet's */
    bool begun;
    uint32_t type, flags, stream, error;
    bool reset, connect_seen;
    uint64_t connect;
    const char *name; /* of the header whose value comes next */
    wmem_array_t *headers;
};

static void frame_begin(struct h2_frame *frame, uint32_t type) {
    packet_info *pinfo = frame->pinfo;
    *frame = (struct h2_frame){.pinfo = pinfo, .tree = frame->tree, .begun = true, .type = type};
    frame->headers = wmem_array_new(pinfo->pool, sizeof(struct wsx_header));
}

static void block_end(packet_info *pinfo, struct wsx_block *block) {
    stream_head(pinfo, block->stream_id, &block->head, has_layer(pinfo, proto_tls));
    struct wsx_session *session =
        block->fin ? wsx_state_find_stream(pinfo, block->stream_id) : NULL;
    if (session)
        wsx_state_stream_fin(session, wsx_state_stream_direction(session, pinfo));
    wsx_state_block_end(pinfo);
}

/* The frame's type and stream are known, and nothing else of it was read: where it is not the one
 * that is due, the rest of a block is missing. What there is of that is told. */
static void frame_of_stream(struct h2_frame *frame, uint32_t stream) {
    struct wsx_block *block = wsx_state_block(frame->pinfo);
    frame->stream = stream;
    if (!block || (frame->type == FRAME_CONTINUATION && stream == block->stream_id))
        return;
    wsx_state_block_lacks_end(frame->pinfo);
    block_end(frame->pinfo, block);
}

static bool has_fields(const struct h2_frame *frame) {
    return frame->type == FRAME_HEADERS || frame->type == FRAME_PUSH_PROMISE ||
           frame->type == FRAME_CONTINUATION;
}

/* Headers of a field block in several frames; they are told with its last one. False where the
 * frame has the whole block, or none. */
static bool joins_block(const struct h2_frame *frame, bool fin) {
    packet_info *pinfo = frame->pinfo;
    struct wsx_block *block = wsx_state_block(pinfo);
    bool last = (frame->flags & FLAG_END_HEADERS) != 0;
    if (!has_fields(frame) || !frame->stream || (last && !block))
        return false;
    if (!block)
        block = wsx_state_block_begin(pinfo, frame->stream, fin);
    head_add(&block->head, frame->headers);
    if (last)
        block_end(pinfo, block);
    return true;
}

/* Everything of the frame was seen. */
static void frame_end(struct h2_frame *frame) {
    packet_info *pinfo = frame->pinfo;
    if (!frame->begun)
        return;
    bool fin = (frame->type == FRAME_DATA || frame->type == FRAME_HEADERS) &&
               (frame->flags & FLAG_END_STREAM);
    if (joins_block(frame, fin))
        return;
    if (wmem_array_get_count(frame->headers))
        wsx_stream_headers(pinfo, WSX_HTTP_2, frame->stream, frame->headers,
                           has_layer(pinfo, proto_tls));
    if (frame->type == FRAME_SETTINGS && !(frame->flags & FLAG_ACK))
        wsx_state_settings(pinfo, frame->connect_seen ? &frame->connect : NULL);
    struct wsx_session *session =
        frame->stream ? wsx_state_find_stream(pinfo, frame->stream) : NULL;
    if (!session)
        return;
    enum wsx_direction direction = wsx_state_stream_direction(session, pinfo);
    if (frame->reset)
        wsx_state_stream_reset(session, direction == WSX_SERVER_TO_CLIENT, frame->error);
    if (fin)
        wsx_state_stream_fin(session, direction);
}

static void see_header(struct h2_frame *frame, const char *value) {
    struct wsx_header header = {frame->name, value};
    if (frame->name)
        wmem_array_append_one(frame->headers, header);
    frame->name = NULL;
}

static void see_data(struct h2_frame *frame, const field_info *info) {
    if (WSX_STREAMS_ARE_CALLED || info->length <= 0)
        return;
    tvbuff_t *tvb = tvb_new_subset_length(info->ds_tvb, info->start, info->length);
    wsx_stream_data(tvb, frame->pinfo, frame->tree, frame->stream);
}

static void see(struct h2_frame *frame, field_info *info) {
    int id = info->hfinfo->id;
    if (id == id_type) {
        frame_end(frame);
        frame_begin(frame, wsx_field_uint(info));
    } else if (!frame->begun) {
        return;
    } else if (id == id_flags) {
        frame->flags = wsx_field_uint(info);
    } else if (id == id_stream) {
        frame_of_stream(frame, wsx_field_uint(info));
    } else if (id == id_name) {
        frame->name = wsx_field_string(info);
    } else if (id == id_value) {
        see_header(frame, wsx_field_string(info));
    } else if (id == id_data) {
        see_data(frame, info);
    } else if (id == id_error) {
        frame->error = wsx_field_uint(info);
        frame->reset = frame->type == FRAME_RST_STREAM;
    } else if (id == id_connect) {
        frame->connect = wsx_field_uint(info);
        frame->connect_seen = true;
    }
}

static void walk(struct h2_frame *frame, const proto_node *parent) {
    for (proto_node *node = parent->first_child; node; node = node->next) {
        if (PNODE_FINFO(node))
            see(frame, PNODE_FINFO(node));
        walk(frame, node);
    }
}

static void walk_packet(packet_info *pinfo, proto_tree *tree) {
    struct h2_frame frame = {.pinfo = pinfo, .tree = tree};
    /* What is drawn meanwhile is added behind. Wireshark 4.6 has nodes without a field where nobody
     * wants the field. */
    for (proto_node *node = tree->first_child; node; node = node->next) {
        field_info *info = PNODE_FINFO(node);
        if (!info || info->hfinfo->id == proto_http2)
            walk(&frame, node);
    }
    frame_end(&frame);
}

/* ---- the hint ---- */

/* SETTINGS of stream 0 that enable the extended CONNECT, somewhere in these bytes. */
static bool enables(const uint8_t *bytes, size_t length) {
    static const uint8_t pattern[] = {FRAME_SETTINGS, 0, 0, 0, 0, 0};
    static const uint8_t setting[] = {0, SETTINGS_ENABLE_CONNECT_PROTOCOL, 0, 0, 0, 1};
    for (size_t at = 3; at + 6 < length; at++) {
        if (bytes[at] != FRAME_SETTINGS || memcmp(bytes + at, pattern, sizeof pattern) != 0 ||
            bytes[at - 3] || bytes[at - 2] || bytes[at - 1] % 6)
            continue;
        size_t end = at + 6 + bytes[at - 1];
        for (size_t i = at + 6; i + 6 <= end && end <= length; i += 6)
            if (memcmp(bytes + i, setting, sizeof setting) == 0)
                return true;
    }
    return false;
}

static void hint(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree) {
    for (GSList *list = pinfo->data_src; list; list = list->next) {
        tvbuff_t *source = get_data_source_tvb(list->data);
        int length = (int)tvb_captured_length(source);
        if (length < 15 || !enables(tvb_get_ptr(source, 0, length), (size_t)length))
            continue;
        proto_tree_add_expert(tree, pinfo, &ei_hint, tvb, 0, 0);
        return;
    }
}

void wsx_http2_walk(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                    const struct wsx_layers *layers) {
    bool first_pass = wsx_state_first_pass(pinfo);
    if (first_pass)
        wsx_state_carrier_look(pinfo, layers->http2 || layers->tls);
    if (WSX_HTTP3_IS_DISSECTED && (wsx_over_http2 || WSX_STREAMS_ARE_CALLED) && first_pass &&
        layers->quic)
        wsx_http3_walk(tvb, pinfo, tree);
    if (layers->http2 && wsx_over_http2 && tree && first_pass)
        walk_packet(pinfo, tree);
    else if (layers->http2 && !wsx_over_http2 && !WSX_STREAMS_ARE_CALLED)
        hint(tvb, pinfo, tree);
}

/* ---- the call ---- */

#if WSX_STREAMS_ARE_CALLED

bool wsx_http2_is_stream(const void *data) {
    const http_upgrade_info_t *info = data;
    return info && info->http_version >= 2;
}

/* The stream's number stands in the header of the DATA frame, before its payload or its padding's
 * length. */
static bool http2_stream_of_call(tvbuff_t *tvb, uint64_t *stream_id) {
    tvbuff_t *source = tvb_get_ds_tvb(tvb);
    int at = tvb_raw_offset(tvb);
    uint32_t length = tvb_reported_length(tvb);
    for (int back = 9; back <= 10 && back <= at; back++) {
        uint8_t flags = tvb_get_uint8(source, at - back + 4);
        uint32_t whole = tvb_get_ntoh24(source, at - back);
        bool padded = (flags & 8) != 0;
        if (tvb_get_uint8(source, at - back + 3) != FRAME_DATA || padded != (back == 10) ||
            (padded ? whole != length + 1 + tvb_get_uint8(source, at - 1) : whole != length))
            continue;
        *stream_id = tvb_get_ntohl(source, at - back + 5) & 0x7FFFFFFF;
        return true;
    }
    return false;
}

/* The headers that a handshake needs, as far as Wireshark knows them now: those of this packet's
 * sender, or of the other side. */
static bool known_head(packet_info *pinfo, const http_upgrade_info_t *info, bool request,
                       bool other_side, struct wsx_head *head) {
    static const char *const names[] = {":method",
                                        ":status",
                                        ":protocol",
                                        ":scheme",
                                        ":path",
                                        ":authority",
                                        "host",
                                        "origin",
                                        "user-agent",
                                        "cookie",
                                        "authorization",
                                        "upgrade",
                                        "connection",
                                        "sec-websocket-key",
                                        "sec-websocket-accept",
                                        "sec-websocket-version",
                                        "sec-websocket-protocol",
                                        "sec-websocket-extensions"};
    wmem_array_t *headers = wmem_array_new(pinfo->pool, sizeof(struct wsx_header));
    bool asked_for = other_side != (info->http_version == 3 && WSX_HTTP3_SIDES_SWAPPED);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct wsx_header header = {names[i], info->get_header_value(pinfo, names[i], asked_for)};
        if (header.value)
            wmem_array_append_one(headers, header);
    }
    head_of(head, info->http_version == 2 ? WSX_HTTP_2 : WSX_HTTP_3, headers);
    if (request ? asks(head) : head->status != 0)
        return true;
    wsx_head_clear(head);
    return false;
}

/* First pass: the session of a stream, made of what Wireshark knows of its handshake. */
static struct wsx_session *session_of_call(packet_info *pinfo, const http_upgrade_info_t *info,
                                           uint64_t stream_id) {
    struct wsx_session *session = wsx_state_find_stream(pinfo, stream_id);
    bool encrypted = info->http_version == 3 || has_layer(pinfo, proto_tls);
    struct wsx_head head;
    /* from_server compares ports, and is wrong under TLS on others than 443 */
    for (int server = 0; !session && server < 2; server++)
        if (known_head(pinfo, info, true, server, &head))
            session = wsx_state_request_known(pinfo, &head, !server, encrypted, stream_id);
    if (!session || session->opened || session->cause)
        return session;
    bool client = wsx_state_stream_direction(session, pinfo) == WSX_CLIENT_TO_SERVER;
    if (!wsx_state_block_is_due(pinfo, stream_id) &&
        known_head(pinfo, info, false, client, &head)) {
        if (answers(session, &head))
            wsx_state_response(pinfo, session, &head, encrypted, stream_id);
        wsx_head_clear(&head);
    }
    return session;
}

static void take(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, struct wsx_session *session) {
    struct wsx_call *call = NULL;
    if (wsx_state_first_pass(pinfo))
        call = feed(tvb, pinfo, session, tvb, wsx_state_stream_direction(session, pinfo));
    else if (wsx_state_stream_is_open(session, pinfo))
        call = wsx_state_recall(pinfo, tvb_reported_length(tvb));
    if (call)
        wsx_show_call(call, tvb, pinfo, tree);
}

int wsx_http2_upgrade(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, const void *data) {
    const http_upgrade_info_t *info = data;
    uint64_t stream_id;
    if (info->http_version == 3 && wsx_over_http2) /* http3.c has all that is needed */
        return (int)tvb_captured_length(tvb);
    bool found = info->http_version == 2 ? http2_stream_of_call(tvb, &stream_id)
                                         : wsx_http3_stream_of_call(tvb, pinfo, &stream_id);
    struct wsx_session *session = NULL;
    if (wsx_state_first_pass(pinfo))
        wsx_state_carrier_look(pinfo, true);
    if (found)
        session = wsx_state_first_pass(pinfo) ? session_of_call(pinfo, info, stream_id)
                                              : wsx_state_find_stream(pinfo, stream_id);
    bool read = session && (info->http_version == 2 || wsx_http3_call_is_read(tvb, pinfo, session));
    if (read && tvb_captured_length(tvb)) /* an empty DATA frame has no record */
        take(tvb, pinfo, tree, session);
    return (int)tvb_captured_length(tvb);
}

#else

bool wsx_http2_is_stream(const void *data _U_) { return false; }

int wsx_http2_upgrade(tvbuff_t *tvb _U_, packet_info *pinfo _U_, proto_tree *tree _U_,
                      const void *data _U_) {
    return 0;
}

#endif

/* ---- registration ---- */

/* At the beginning of each file: which fields the postdissector needs. */
static void want_fields(void) {
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(int));
    for (unsigned i = 0; wsx_over_http2 && wsx_enhanced && i < G_N_ELEMENTS(wanted_fields); i++)
        if (*wanted_fields[i].id > 0)
            g_array_append_val(wanted, *wanted_fields[i].id);
    if (wsx_over_http2 && wsx_enhanced && WSX_HTTP3_IS_DISSECTED)
        wsx_http3_want(wanted);
    set_postdissector_wanted_hfids(end_handle, wanted);
}

void wsx_http2_register(dissector_handle_t end) {
    static ei_register_info ei[] = {
        {&ei_hint,
         {"websocket.expert.over_http2_off", PI_UNDECODED, PI_CHAT,
          "WebSocket over HTTP/2 is enabled on this connection; to see it, turn on the preference "
          "websocket.over_http2",
          EXPFILL}}};
    end_handle = end;
    expert_register_field_array(expert_register_protocol(wsx_proto), ei, G_N_ELEMENTS(ei));
    prefs_register_bool_preference(
        prefs_find_module("websocket"), "over_http2", "WebSocket over HTTP/2 and HTTP/3",
        "Follow the streams of HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220) that carry WebSocket. Makes "
        "the dissection of all traffic slower by about an eighth",
        (void *)&wsx_over_http2);
    register_init_routine(want_fields);
}

void wsx_http2_handoff(void) {
    proto_http2 = proto_get_id_by_filter_name("http2");
    wsx_http3_handoff();
    proto_tls = proto_get_id_by_filter_name("tls");
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted_fields); i++)
        *wanted_fields[i].id = proto_registrar_get_id_byname(wanted_fields[i].name);
}
