/*
 * upgrade.c - the opening handshake read from HTTP/1: the head of a request or a response is found
 * in the packet's data sources, in the first pass, and only in packets that HTTP dissected. The
 * rest is handshake.c's and state.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "transport.h"

#include "answer.h"
#include "fields.h"
#include "request.h"
#include "store.h"
#include "tcpview.h"
#include "tokens.h"

/* One data source of the packet, on its way through a scan. */
struct source {
    const uint8_t *bytes;
    size_t length;     /* a head may begin here */
    size_t whole;      /* captured */
    bool packet;       /* the packet itself, not something made of it */
    bool put_together; /* by answer.c: offsets are those from where the answer is due */
    bool encrypted;
};

static int proto_http = -1, proto_http2 = -1, proto_tls = -1;

void wsx_upgrade_handoff(void) {
    proto_http = proto_get_id_by_filter_name("http");
    proto_http2 = proto_get_id_by_filter_name("http2");
    proto_tls = proto_get_id_by_filter_name("tls");
}

static bool has_layer(const packet_info *pinfo, int id) {
    for (wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers); layer;
         layer = wmem_list_frame_prev(layer))
        if (GPOINTER_TO_INT(wmem_list_frame_data(layer)) == id)
            return true;
    return false;
}

/* Behind the version of a status line is a blank, behind that of a request line there is none. */
static bool ends_version(const uint8_t *bytes, size_t length) {
    return length > 8 && wsx_is_blank((char)bytes[8]);
}

/* Where a head with this first line may begin: "HTTP/1." of a status line, a method of a request
 * line. */
static size_t find_start(const uint8_t *bytes, size_t length, bool request) {
    static const char *const status[] = {"HTTP/1.", NULL};
    static const char *const methods[] = {"GET ",    "POST ",  "PUT ",     "HEAD ",  "OPTIONS ",
                                          "DELETE ", "PATCH ", "CONNECT ", "TRACE ", NULL};
    const char *const *starts = request ? methods : status;
    for (size_t at = 0; at < length; at++) {
        if (!request) {
            const uint8_t *next = memchr(bytes + at, 'H', length - at);
            if (!next)
                break;
            at = (size_t)(next - bytes);
        }
        if (bytes[at] < 'A' || bytes[at] > 'Z')
            continue;
        for (size_t i = 0; starts[i]; i++) {
            if ((uint8_t)starts[i][0] != bytes[at])
                continue;
            size_t n = strlen(starts[i]);
            if (length - at > n && memcmp(bytes + at, starts[i], n) == 0 &&
                (request || ends_version(bytes + at, length - at)))
                return at;
        }
    }
    return length;
}

/* The sequence number of the source's byte `at`, where the source is the packet or was made by TCP:
 * its segment lies at its end, or with tcp.reassemble_out_of_order anywhere in it. */
static bool sequence_of(const struct source *source, const struct wsx_tcp_view *view, size_t at,
                        uint32_t *sequence) {
    if (!view->payload || !view->captured || view->captured > source->whole)
        return false;
    size_t last = source->whole - view->captured, place = last;
    if (source->packet)
        place = (size_t)(view->payload - source->bytes);
    else if (memcmp(source->bytes + last, view->payload, view->captured) != 0)
        for (place = 0; place < last; place++)
            if (memcmp(source->bytes + place, view->payload, view->captured) == 0)
                break;
    if (!source->packet && place == last &&
        memcmp(source->bytes + last, view->payload, view->captured) != 0)
        return false;
    *sequence = view->sequence + (uint32_t)at - (uint32_t)place;
    return true;
}

/* What lies behind the request's head came before the answer. `end`: of the head in the source. */
static void take_rest(packet_info *pinfo, struct wsx_session *session, const struct source *source,
                      size_t end) {
    size_t rest = source->whole - end, length = rest;
    uint32_t sequence = 0;
    const uint8_t *bytes = source->bytes + end;
    if (!source->encrypted && session->tcp) {
        struct wsx_tcp_view view;
        if (!wsx_tcp_view(pinfo, session->tcp, &view))
            return;
        if (source->packet && view.payload) {
            /* a packet may have bytes behind TCP's, and may be cut */
            size_t behind = (size_t)(bytes - view.payload);
            length = view.length > behind ? view.length - behind : 0;
            rest = view.captured > behind ? view.captured - behind : 0;
        }
        if (!sequence_of(source, &view, end, &sequence))
            sequence = view.sequence + view.length - (uint32_t)length;
        wsx_state_anchor(session, WSX_CLIENT_TO_SERVER, sequence);
    }
    wsx_state_early(pinfo, session, WSX_CLIENT_TO_SERVER, sequence, bytes, rest, length);
}

static bool take_request(packet_info *pinfo, const struct source *source) {
    const uint8_t *bytes = source->bytes;
    size_t length = source->length, at = find_start(bytes, length, true);
    while (at < length) {
        struct wsx_head head;
        bool complete;
        memset(&head, 0, sizeof head);
        size_t used = wsx_head_parse(bytes + at, source->whole - at, &head, &complete);
        if (used && complete && head.request && wsx_head_asks(&head)) {
            struct wsx_session *session = wsx_state_request(pinfo, &head, source->encrypted, 0);
            take_rest(pinfo, session, source, at + used);
            return true;
        }
        wsx_head_clear(&head);
        at += used ? used : 1;
        if (at >= length)
            break;
        at += find_start(bytes + at, length - at, true);
    }
    return false;
}

/* Frames behind the answer that HTTP will not hand on, since it finds no upgrade in it that it
 * knows. */
static void take_behind_answer(packet_info *pinfo, struct wsx_session *session,
                               const struct source *source, size_t end) {
    const char *upgrade = session->response.upgrade;
    bool handed_on = upgrade && g_ascii_strcasecmp(upgrade, "websocket") == 0;
    if (!session->opened || handed_on || wsx_state_packet(pinfo)->called)
        return;
    size_t rest = source->whole - end;
    uint32_t sequence = 0;
    if (!source->encrypted && source->packet && session->tcp) {
        struct wsx_tcp_view view;
        if (!wsx_tcp_view(pinfo, session->tcp, &view) || !view.payload)
            return;
        size_t behind = (size_t)(source->bytes + end - view.payload);
        rest = view.captured > behind ? view.captured - behind : 0;
        sequence = view.sequence + view.length - (uint32_t)rest;
    }
    session->answer_rest = (uint32_t)rest;
    wsx_state_early(pinfo, session, WSX_SERVER_TO_CLIENT, sequence, source->bytes + end, rest,
                    rest);
}

/* Where the server's frames begin on TCP, behind the answer's head. */
static void find_frames(packet_info *pinfo, struct wsx_session *session,
                        const struct source *source, size_t end) {
    struct wsx_tcp_view view;
    if (source->put_together)
        session->frames_from = session->position[WSX_SERVER_TO_CLIENT].sequence + (uint32_t)end;
    session->frames_known =
        source->put_together ||
        (!source->encrypted && session->tcp && wsx_tcp_view(pinfo, session->tcp, &view) &&
         sequence_of(source, &view, end, &session->frames_from));
}

/* What was put together behind the answer waits as early bytes. */
static void take_put_together(packet_info *pinfo, struct wsx_session *session, size_t end) {
    uint32_t due = session->frames_from - (uint32_t)end;
    uint64_t at = end;
    const uint8_t *bytes;
    for (size_t length;
         session->opened && (length = wsx_answer_next(session->answer, at, &at, &bytes)) != 0;
         at += length)
        wsx_state_early(pinfo, session, WSX_SERVER_TO_CLIENT, due + (uint32_t)at, bytes, length,
                        length);
}

static bool take_response(packet_info *pinfo, struct wsx_session *session,
                          const struct source *source) {
    const uint8_t *bytes = source->bytes;
    size_t length = source->length, at = find_start(bytes, length, false);
    while (at < length) {
        struct wsx_head head;
        bool complete;
        memset(&head, 0, sizeof head);
        size_t used = wsx_head_parse(bytes + at, source->whole - at, &head, &complete);
        bool final =
            used && complete && !head.request && (head.status == 101 || head.status >= 200);
        if (final && (session || (head.status == 101 && head.upgrade_websocket))) {
            session = wsx_state_response(pinfo, session, &head, source->encrypted, 0);
            find_frames(pinfo, session, source, at + used);
            if (source->put_together)
                take_put_together(pinfo, session, at + used);
            else
                take_behind_answer(pinfo, session, source, at + used);
            g_free(session->answer);
            session->answer = NULL;
            return true;
        }
        wsx_head_clear(&head);
        /* behind an interim response the final one may stand */
        at += used ? used : 1;
        if (final || at >= length)
            break;
        at += find_start(bytes + at, length - at, false);
    }
    return false;
}

/* ---- what HTTP does not hand on under TLS ---- */

/* A record of TLS that holds frames, as far as can be told: the records of a handshake are data
 * sources of the same name. */
static bool may_be_frames(const uint8_t *bytes, size_t length, bool client) {
    const struct wsx_expectation expectation = {client ? WSX_MASKED : WSX_UNMASKED, true, true};
    return wsx_chain_read(bytes, length, &expectation).bits >= 0;
}

static bool is_tls_record(const struct data_source *source) {
    char *name = wsx_data_source_name(source);
    bool is = name && g_str_has_prefix(name, "Decrypted TLS");
    wmem_free(NULL, name);
    return is;
}

tvbuff_t *wsx_upgrade_next_record(packet_info *pinfo, GSList **list) {
    const struct wsx_packet *packet = wsx_state_packet(pinfo);
    while (*list) {
        const struct data_source *source = (*list)->data;
        tvbuff_t *tvb = get_data_source_tvb(source);
        *list = (*list)->next;
        bool taken = packet->tvbs && wmem_list_find(packet->tvbs, tvb);
        if (!taken && tvb_captured_length(tvb) && is_tls_record(source))
            return tvb;
    }
    return NULL;
}

static bool holds_head(tvbuff_t *tvb) {
    size_t length = MIN(tvb_captured_length(tvb), 2048);
    const uint8_t *bytes = tvb_get_ptr(tvb, 0, (int)length);
    return find_start(bytes, length, true) < length || find_start(bytes, length, false) < length;
}

void wsx_upgrade_rest(packet_info *pinfo, struct wsx_session *session) {
    enum wsx_direction direction = wsx_state_direction(session, pinfo);
    bool waits = !session->opened && !session->response_packet && !session->cause;
    if (!session->encrypted || session->http != WSX_HTTP_1 ||
        !(waits ? direction == WSX_CLIENT_TO_SERVER : session->response_packet == pinfo->num))
        return;
    bool head_seen = waits && session->request_packet != pinfo->num;
    GSList *list = pinfo->data_src;
    for (tvbuff_t *tvb; (tvb = wsx_upgrade_next_record(pinfo, &list)) != NULL;) {
        unsigned length = tvb_captured_length(tvb);
        const uint8_t *bytes = tvb_get_ptr(tvb, 0, (int)length);
        if (!head_seen)
            head_seen = holds_head(tvb);
        else if (may_be_frames(bytes, length, direction == WSX_CLIENT_TO_SERVER))
            wsx_state_early(pinfo, session, direction, 0, bytes, length, length);
    }
}

/* A request that is waiting for its answer; an earlier connection of the conversation does not
 * count. */
static struct wsx_session *waiting(struct wsx_session *latest) {
    return latest && !latest->response_packet && !latest->opened && !latest->cause ? latest : NULL;
}

/* A head in several segments, of which HTTP makes no data source. */
static bool take_request_in_pieces(packet_info *pinfo) {
    conversation_t *conversation =
        pinfo->ptype == PT_TCP ? wsx_store_conversation(pinfo, false) : NULL;
    struct tcp_analysis *tcp = conversation ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    struct wsx_tcp_view view;
    if (!tcp || !wsx_tcp_view(pinfo, tcp, &view) || !view.captured)
        return false;
    struct source source = {.packet = false};
    source.whole = source.length =
        wsx_request_piece(tcp->fwd, view.sequence, view.payload, view.captured, &source.bytes);
    return source.length && take_request(pinfo, &source);
}

void wsx_upgrade_scan(packet_info *pinfo) {
    struct wsx_session *latest = wsx_state_find(pinfo);
    if (wsx_state_handshakes(pinfo->num).count || (latest && latest->opened && !latest->cause) ||
        !has_layer(pinfo, proto_http) || has_layer(pinfo, proto_http2))
        return;
    struct wsx_session *session = waiting(latest);
    bool answer = session && wsx_state_direction(session, pinfo) == WSX_SERVER_TO_CLIENT;
    struct source source = {.packet = true, .encrypted = has_layer(pinfo, proto_tls)};
    for (GSList *list = pinfo->data_src; list; list = list->next, source.packet = false) {
        tvbuff_t *tvb = get_data_source_tvb(list->data);
        source.whole = tvb_captured_length(tvb);
        source.length = MIN(source.whole, WSX_FIRST_MAX + 2048);
        source.bytes = source.whole ? tvb_get_ptr(tvb, 0, (int)source.whole) : NULL;
        if (!source.bytes || (source.packet && source.encrypted))
            continue;
        if ((answer || !session) && take_response(pinfo, session, &source))
            return;
        if (!answer && take_request(pinfo, &source))
            return;
    }
    if (!answer && !source.encrypted)
        take_request_in_pieces(pinfo);
}

/* ---- what TCP hands on to nobody ---- */

void wsx_upgrade_answer(packet_info *pinfo, struct wsx_session *session,
                        const struct wsx_tcp_view *view) {
    const struct wsx_position *due = &session->position[WSX_SERVER_TO_CLIENT];
    if (!due->known || due->offset || wsx_state_direction(session, pinfo) != WSX_SERVER_TO_CLIENT)
        return;
    uint64_t before,
        offset = wsx_state_offset(session, WSX_SERVER_TO_CLIENT, view->sequence, &before);
    if (before || !view->payload)
        return;
    wsx_answer_add(&session->answer, offset, view->payload, view->captured);
    struct source source = {.put_together = true};
    source.whole = source.length = wsx_answer_next(session->answer, 0, &offset, &source.bytes);
    if (source.length && !offset)
        take_response(pinfo, session, &source);
}

void wsx_upgrade_held_back(packet_info *pinfo) {
    conversation_t *conversation = wsx_store_conversation(pinfo, false);
    struct tcp_analysis *tcp = conversation ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    struct wsx_tcp_view view;
    if (!tcp || !wsx_tcp_view(pinfo, tcp, &view) || !view.captured)
        return;
    bool begins = view.captured >= 16 && memcmp(view.payload, "GET ", 4) == 0;
    if (!begins && !wsx_request_waits())
        return;
    struct wsx_session *latest = wsx_state_find(pinfo);
    if (latest) {
        const struct wsx_position *client = &latest->position[WSX_CLIENT_TO_SERVER];
        bool again = !client->known || (int32_t)(view.sequence - client->sequence) < 0;
        if (!latest->cause || again)
            return;
    }
    struct source source = {.packet = true, .bytes = view.payload};
    source.whole = source.length = view.captured;
    if (((begins && take_request(pinfo, &source)) || take_request_in_pieces(pinfo)) &&
        (latest = wsx_state_find(pinfo)) != NULL)
        latest->on_tcp = true;
}
