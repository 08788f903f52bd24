/*
 * http3.c - WebSocket in the streams of HTTP/3 (RFC 9220), see http2.h. Neither HTTP/3's part of
 * the tree nor Wireshark's call says which stream it is about: that is found by where the bytes lie
 * in QUIC's STREAM frames, which also tell of ends and resets (core/quic.h). The bytes are taken
 * from these frames, too, with or without the preference: only they say where a late one belongs.
 * Next: http2.c for what is done with them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "http2.h"

#include "quic.h"

/* RFC 9114 7.2, RFC 9000 20.1 and RFC 9114 8.1 */
#define FRAME_SETTINGS 4
#define NO_ERROR_OF_QUIC 0
#define NO_ERROR_OF_HTTP3 0x100

static int proto_quic = -1, proto_http3 = -1;

/* Fields of Wireshark's QUIC and HTTP/3 dissectors. */
static int id_connection = -1, id_form = -1, id_number = -1, id_quic_type = -1, id_type = -1,
           id_name = -1, id_value = -1, id_connect = -1;
static const struct {
    const char *name;
    int *id;
} wanted_fields[] = {
    {"quic.connection.number", &id_connection},
    {"quic.header_form", &id_form},
    {"quic.packet_number", &id_number},
    {"quic.frame_type", &id_quic_type},
    {"http3.frame_type", &id_type},
    {"http3.header.header.name", &id_name},
    {"http3.headers.header.value", &id_value},
    {"http3.settings.extended_connect", &id_connect},
};

/* A QUIC frame of the packet. */
struct piece {
    struct wsx_quic_frame frame;
    tvbuff_t *tvb; /* the decrypted QUIC packet */
};

struct h3_walk {
    packet_info *pinfo;
    proto_tree *tree; /* the packet's */
    uint32_t connection;
    bool is_short;        /* a packet with a short header: 1-RTT */
    tvbuff_t *acks;       /* the last one whose ACK frames were read */
    wmem_array_t *pieces; /* struct piece */
    /* the HTTP/3 frame under way */
    bool begun, found; /* found: its stream is known */
    uint64_t type, stream_id, connect;
    bool connect_seen;
    const char *name; /* of the header whose value comes next */
    wmem_array_t *headers;
    /* bytes put together from several packets, and the stream that they were found to be of */
    tvbuff_t *joined;
    uint64_t joined_stream;
};

/* ---- QUIC ---- */

static void pieces_of(wmem_array_t *pieces, tvbuff_t *tvb) {
    size_t length = tvb_captured_length(tvb), at = 0;
    const uint8_t *bytes = length ? tvb_get_ptr(tvb, 0, (int)length) : NULL;
    struct piece piece = {.tvb = tvb};
    while (wsx_quic_next(bytes, length, &at, &piece.frame))
        if (piece.frame.type != WSX_QUIC_OTHER)
            wmem_array_append_one(pieces, piece);
}

/* The frames that count, of all QUIC packets that could be decrypted. */
static wmem_array_t *pieces_of_packet(const packet_info *pinfo) {
    wmem_array_t *pieces = wmem_array_new(pinfo->pool, sizeof(struct piece));
    for (GSList *list = pinfo->data_src; list; list = list->next) {
        char *name = wsx_data_source_name(list->data);
        if (g_str_has_prefix(name, "Decrypted QUIC"))
            pieces_of(pieces, get_data_source_tvb(list->data));
        wmem_free(NULL, name);
    }
    return pieces;
}

static const struct piece *piece_at(wmem_array_t *pieces, unsigned i) {
    return wmem_array_index(pieces, i);
}

/* What the sender of a 1-RTT packet had received of the other side's: each kind of packet has
 * numbers of its own, and Handshake packets have ACK frames, too. */
static void see_acks(struct h3_walk *walk, tvbuff_t *tvb) {
    if (walk->acks == tvb)
        return;
    walk->acks = tvb;
    for (unsigned i = 0; i < wmem_array_get_count(walk->pieces); i++) {
        const struct piece *piece = piece_at(walk->pieces, i);
        if (piece->tvb == tvb && piece->frame.type == WSX_QUIC_ACK)
            wsx_state_quic_ack(walk->pinfo, piece->frame.largest);
    }
}

/* ---- which stream ---- */

static bool is_request_stream(const struct piece *piece) {
    return piece->frame.type == WSX_QUIC_STREAM && (piece->frame.stream_id & 3) == 0;
}

/* How many bytes at the end of what was put together are the first ones of this frame's data. */
static size_t overlap(tvbuff_t *joined, const struct piece *piece) {
    size_t whole = tvb_captured_length(joined), most = MIN(whole, piece->frame.length);
    if (!most)
        return 0;
    const uint8_t *end = tvb_get_ptr(joined, 0, (int)whole) + whole;
    const uint8_t *begin = tvb_get_ptr(piece->tvb, (int)piece->frame.data, (int)most);
    for (size_t n = most; n > 0; n--)
        if (memcmp(end - n, begin, n) == 0)
            return n;
    return 0;
}

/* Of the packet's request streams the one whose data ends what was put together; the one that
 * shares the most bytes, where there are several. */
static const struct piece *piece_of_joined(wmem_array_t *pieces, tvbuff_t *joined) {
    const struct piece *best = NULL;
    size_t most = 0;
    for (unsigned i = 0; i < wmem_array_get_count(pieces); i++) {
        const struct piece *piece = piece_at(pieces, i);
        size_t shared = is_request_stream(piece) ? overlap(joined, piece) : 0;
        if (shared > most) {
            most = shared;
            best = piece;
        }
    }
    return best;
}

/* The STREAM frame that byte `at` of a tvb lies in. */
static const struct piece *piece_of_byte(wmem_array_t *pieces, const tvbuff_t *tvb, int at) {
    for (unsigned i = 0; i < wmem_array_get_count(pieces); i++) {
        const struct piece *piece = piece_at(pieces, i);
        if (piece->tvb == tvb && piece->frame.type == WSX_QUIC_STREAM && at >= 0 &&
            (size_t)at >= piece->frame.data && (size_t)at < piece->frame.data + piece->frame.length)
            return piece;
    }
    return NULL;
}

/* Where an HTTP/3 frame lies tells its stream. */
static bool find_stream(struct h3_walk *walk, const field_info *info) {
    const struct piece *piece = piece_of_byte(walk->pieces, info->ds_tvb, info->start);
    if (piece) {
        walk->stream_id = piece->frame.stream_id;
        return true;
    }
    if (walk->joined != info->ds_tvb) {
        piece = piece_of_joined(walk->pieces, info->ds_tvb);
        if (!piece)
            return false;
        walk->joined = info->ds_tvb;
        walk->joined_stream = piece->frame.stream_id;
    }
    walk->stream_id = walk->joined_stream;
    return true;
}

/* ---- HTTP/3 ---- */

static void frame_end(struct h3_walk *walk) {
    packet_info *pinfo = walk->pinfo;
    if (!walk->begun)
        return;
    walk->begun = false;
    if (walk->type == FRAME_SETTINGS)
        wsx_state_settings(pinfo, walk->connect_seen ? &walk->connect : NULL);
    if (!walk->found || !wmem_array_get_count(walk->headers))
        return;
    wsx_stream_headers(pinfo, WSX_HTTP_3, walk->stream_id, walk->headers, true);
    struct wsx_session *session = wsx_state_find_stream(pinfo, walk->stream_id);
    if (session)
        wsx_state_on_quic(session, walk->connection);
}

/* Where the packet's run of the stream begins that this piece ends. False: its bytes were there
 * before. */
static bool begin_data(packet_info *pinfo, struct wsx_session *session, wmem_array_t *pieces,
                       const struct piece *piece) {
    enum wsx_direction direction = wsx_state_stream_direction(session, pinfo);
    uint64_t begin = piece->frame.offset;
    if (wsx_state_quic_is_known(session, direction, begin, piece->frame.length))
        return false;
    for (unsigned i = wmem_array_get_count(pieces); i-- > 0;) {
        const struct wsx_quic_frame *before = &piece_at(pieces, i)->frame;
        if (before->type == WSX_QUIC_STREAM && before->stream_id == piece->frame.stream_id &&
            before->length && before->offset + before->length == begin)
            begin = before->offset;
    }
    wsx_state_quic_begin(pinfo, session, direction, begin);
    return true;
}

static void frame_begin(struct h3_walk *walk, field_info *info) {
    frame_end(walk);
    walk->begun = true;
    walk->type = wsx_field_uint64(info);
    walk->found = find_stream(walk, info);
    walk->connect_seen = false;
    walk->name = NULL;
    walk->headers = wmem_array_new(walk->pinfo->pool, sizeof(struct wsx_header));
}

static void see_header(struct h3_walk *walk, const char *value) {
    struct wsx_header header = {walk->name, value};
    if (walk->name)
        wmem_array_append_one(walk->headers, header);
    walk->name = NULL;
}

static void see_http3(struct h3_walk *walk, field_info *info) {
    int id = info->hfinfo->id;
    if (id == id_type) {
        frame_begin(walk, info);
    } else if (!walk->begun) {
        return;
    } else if (id == id_name) {
        walk->name = wsx_field_string(info);
    } else if (id == id_value) {
        see_header(walk, wsx_field_string(info));
    } else if (id == id_connect) {
        walk->connect = wsx_field_uint64(info);
        walk->connect_seen = true;
    }
}

/* ---- data ---- */

/* Whose bytes wsx_h3_data gives. */
struct giving {
    tvbuff_t *tvb;
    packet_info *pinfo;
    proto_tree *tree;
    struct wsx_session *session;
    enum wsx_direction direction;
};

static void give(void *context, const uint8_t *bytes, size_t length, uint64_t missing,
                 bool unknown) {
    const struct giving *giving = context;
    wsx_stream_bytes(giving->tvb, giving->pinfo, giving->tree, giving->session, giving->direction,
                     bytes, length, missing, unknown);
}

static void push(struct giving *giving, enum wsx_direction direction,
                 const struct wsx_quic_piece *piece) {
    giving->direction = direction;
    if (piece->length)
        wsx_state_h3_push(giving->session, direction, piece, give, giving);
}

/* A piece of an earlier packet. */
static void take_kept(void *context, enum wsx_direction direction,
                      const struct wsx_quic_piece *piece) {
    struct giving *giving = context;
    push(giving, direction, piece);
    wsx_state_quic_piece(giving->pinfo, giving->session, direction, piece->offset, piece->length,
                         false);
}

/* Late and repeated pieces, which Wireshark's HTTP/3 reads as they come, are put in order here. */
static void take_pieces(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, wmem_array_t *pieces) {
    for (unsigned i = 0; i < wmem_array_get_count(pieces); i++) {
        const struct piece *piece = piece_at(pieces, i);
        const struct wsx_quic_frame *frame = &piece->frame;
        if (!is_request_stream(piece))
            continue;
        struct giving giving = {.tvb = tvb, .pinfo = pinfo, .tree = tree};
        struct wsx_quic_piece told = {.offset = frame->offset,
                                      .length = frame->length,
                                      .fin = frame->fin,
                                      .time = wsx_state_time(pinfo)};
        if (frame->length)
            told.bytes = tvb_get_ptr(piece->tvb, (int)frame->data, (int)frame->length);
        giving.session = wsx_state_find_stream(pinfo, frame->stream_id);
        if (!giving.session && !wsx_over_http2) {
            wsx_state_keep_piece(pinfo, frame->stream_id, &told);
        } else if (giving.session && (wsx_over_http2 || giving.session->by_pieces)) {
            wsx_state_quic_answers(pinfo, giving.session);
            wsx_state_take_kept(pinfo, giving.session, take_kept, &giving);
            push(&giving, wsx_state_stream_direction(giving.session, pinfo), &told);
        }
    }
}

/* ---- ends ---- */

static void close_connection(packet_info *pinfo, uint64_t code) {
    wsx_state_drop_all_kept(pinfo);
    struct wsx_session *session = wsx_state_find(pinfo);
    bool orderly = code == NO_ERROR_OF_QUIC || code == NO_ERROR_OF_HTTP3;
    if (!session || session->http != WSX_HTTP_3)
        return;
    wsx_state_quic_ends(pinfo, NULL);
    wsx_state_carrier_end(session, orderly ? WSX_CAUSE_FIN : WSX_CAUSE_RST);
}

static void end_stream(packet_info *pinfo, const struct wsx_quic_frame *frame) {
    struct wsx_session *session = wsx_state_find_stream(pinfo, frame->stream_id);
    if (frame->type == WSX_QUIC_RESET_STREAM)
        wsx_state_drop_kept(pinfo, frame->stream_id);
    if (!session)
        return;
    enum wsx_direction direction = wsx_state_stream_direction(session, pinfo);
    if (frame->type == WSX_QUIC_STREAM) {
        wsx_state_quic_piece(pinfo, session, direction, frame->offset, frame->length, frame->fin);
        return;
    }
    wsx_state_quic_ends(pinfo, session);
    wsx_state_stream_reset(session, direction == WSX_SERVER_TO_CLIENT, frame->code);
}

/* Behind everything that the packet brought: which streams have come to their end. */
static void end_streams(packet_info *pinfo, wmem_array_t *pieces) {
    for (unsigned i = 0; i < wmem_array_get_count(pieces); i++) {
        const struct wsx_quic_frame *frame = &piece_at(pieces, i)->frame;
        if (frame->type == WSX_QUIC_CONNECTION_CLOSE)
            close_connection(pinfo, frame->code);
        else if (frame->type != WSX_QUIC_ACK)
            end_stream(pinfo, frame);
    }
}

/* ---- the tree and the call ---- */

static uint64_t number_of(field_info *info) {
    bool wide = info->hfinfo->type == FT_UINT64 || info->hfinfo->type == FT_BOOLEAN;
    return wide ? wsx_field_uint64(info) : wsx_field_uint(info);
}

static void see_quic(struct h3_walk *walk, field_info *info) {
    int id = info->hfinfo->id;
    if (id == id_connection)
        walk->connection = wsx_field_uint(info);
    else if (id == id_form)
        walk->is_short = number_of(info) == 0;
    else if (id == id_number && walk->is_short)
        wsx_state_quic_number(walk->pinfo, number_of(info));
    else if (id == id_quic_type && walk->is_short)
        see_acks(walk, info->ds_tvb);
}

static void walk_nodes(struct h3_walk *walk, const proto_node *parent) {
    for (proto_node *node = parent->first_child; node; node = node->next) {
        field_info *info = PNODE_FINFO(node);
        if (info) {
            see_quic(walk, info);
            see_http3(walk, info);
        }
        walk_nodes(walk, node);
    }
}

static void walk_packet(packet_info *pinfo, proto_tree *tree, wmem_array_t *pieces) {
    struct h3_walk walk = {.pinfo = pinfo, .tree = tree, .pieces = pieces};
    for (proto_node *node = tree->first_child; node; node = node->next) {
        const field_info *info = PNODE_FINFO(node);
        if (!info || info->hfinfo->id == proto_quic || info->hfinfo->id == proto_http3)
            walk_nodes(&walk, node);
    }
    frame_end(&walk);
}

void wsx_http3_walk(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree) {
    wmem_array_t *pieces = pieces_of_packet(pinfo);
    if (wsx_over_http2 && tree)
        walk_packet(pinfo, tree, pieces);
    take_pieces(tvb, pinfo, tree, pieces);
    end_streams(pinfo, pieces);
}

/* Of the packet's STREAM frames the one whose bytes a call brings. */
static const struct piece *piece_of_call(wmem_array_t *pieces, tvbuff_t *tvb) {
    tvbuff_t *source = tvb_get_ds_tvb(tvb);
    const struct piece *piece = piece_of_byte(pieces, source, tvb_raw_offset(tvb));
    return piece ? piece : piece_of_joined(pieces, source);
}

bool wsx_http3_stream_of_call(tvbuff_t *tvb, packet_info *pinfo, uint64_t *stream_id) {
    const struct piece *piece = piece_of_call(pieces_of_packet(pinfo), tvb);
    if (piece)
        *stream_id = piece->frame.stream_id;
    return piece != NULL;
}

bool wsx_http3_call_is_read(tvbuff_t *tvb, packet_info *pinfo, struct wsx_session *session) {
    if (!wsx_state_first_pass(pinfo))
        return session->by_calls;
    if (!session->by_pieces && !session->by_calls) {
        session->by_pieces = wsx_state_pieces_are_kept(pinfo, session->stream_id);
        session->by_calls = !session->by_pieces;
    }
    wmem_array_t *pieces = pieces_of_packet(pinfo);
    const struct piece *piece = session->by_calls ? piece_of_call(pieces, tvb) : NULL;
    return piece && begin_data(pinfo, session, pieces, piece);
}

/* ---- registration ---- */

void wsx_http3_want(GArray *wanted) {
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted_fields); i++)
        if (*wanted_fields[i].id > 0)
            g_array_append_val(wanted, *wanted_fields[i].id);
}

void wsx_http3_handoff(void) {
    proto_quic = proto_get_id_by_filter_name("quic");
    proto_http3 = proto_get_id_by_filter_name("http3");
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted_fields); i++)
        *wanted_fields[i].id = proto_registrar_get_id_byname(wanted_fields[i].name);
}
