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
#include "heads.h"
#include "request.h"
#include "store.h"
#include "tcpview.h"
#include "tokens.h"

static int proto_http = -1, proto_http2 = -1, proto_tls = -1;

void wsx_upgrade_handoff(void) {
    proto_http = proto_get_id_by_filter_name("http");
    proto_http2 = proto_get_id_by_filter_name("http2");
    proto_tls = proto_get_id_by_filter_name("tls");
    wsx_heads_handoff();
}

static bool has_layer(const packet_info *pinfo, int id) {
    for (wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers); layer;
         layer = wmem_list_frame_prev(layer))
        if (GPOINTER_TO_INT(wmem_list_frame_data(layer)) == id)
            return true;
    return false;
}

/* The sequence number of the source's byte `at`, where the source is the packet or was made by TCP:
 * its segment lies at its end, or with tcp.reassemble_out_of_order anywhere in it. */
static bool sequence_of(const struct wsx_source *source, const struct wsx_tcp_view *view, size_t at,
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

/* A request that is waiting for its answer; an earlier connection of the conversation does not
 * count. */
static struct wsx_session *waiting(struct wsx_session *latest) {
    return latest && !latest->response_packet && !latest->opened && !latest->cause ? latest : NULL;
}

/* What lies behind the request, its content included, came before the answer. `end`: of its head in
 * the source. `content`: how much of what follows is the request's, wherever it is. */
static void take_rest(packet_info *pinfo, struct wsx_session *session,
                      const struct wsx_source *source, size_t end, uint64_t content) {
    size_t passed = (size_t)MIN(content, source->whole - end);
    size_t rest = source->whole - end - passed, length = rest;
    uint32_t sequence = 0;
    const uint8_t *bytes = source->bytes + end + passed;
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
        if (!sequence_of(source, &view, end + passed, &sequence))
            sequence = view.sequence + view.length - (uint32_t)length;
        wsx_state_anchor(session, WSX_CLIENT_TO_SERVER, sequence + (uint32_t)(content - passed));
    }
    wsx_state_early(pinfo, session, WSX_CLIENT_TO_SERVER, sequence, bytes, rest, length);
}

static bool is_same_text(const char *one, const char *other) {
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/* The request that waits for its answer comes again: sent again, or joined with its content. Not
 * another one with the same key, as after an answer that was not captured. */
static bool is_again(packet_info *pinfo, const struct wsx_session *session,
                     const struct wsx_source *source, const struct wsx_head *head, size_t begin) {
    const struct wsx_position *client = &session->position[WSX_CLIENT_TO_SERVER];
    struct wsx_tcp_view view;
    uint32_t sequence;
    if (session->http != WSX_HTTP_1 || !is_same_text(session->request.key, head->key) ||
        !is_same_text(session->request.target, head->target))
        return false;
    bool placed = !source->encrypted && session->tcp && client->known &&
                  wsx_tcp_view(pinfo, session->tcp, &view) &&
                  sequence_of(source, &view, begin, &sequence);
    return !placed || (int32_t)(sequence - client->sequence) < 0;
}

/* A head that was taken before, by its place on TCP. */
static bool is_known(packet_info *pinfo, const struct wsx_session *session,
                     const struct wsx_source *source, const struct wsx_head *head, size_t begin) {
    const struct wsx_position *client = &session->position[WSX_CLIENT_TO_SERVER];
    struct wsx_tcp_view view;
    uint32_t sequence;
    return session->http == WSX_HTTP_1 && is_same_text(session->request.key, head->key) &&
           !source->encrypted && session->tcp && client->known &&
           wsx_tcp_view(pinfo, session->tcp, &view) &&
           sequence_of(source, &view, begin, &sequence) &&
           (int32_t)(sequence - client->sequence) < 0;
}

/* The packet's TCP, and what it carries; NULL where that is not known. */
static struct tcp_analysis *tcp_of(packet_info *pinfo, struct wsx_tcp_view *view) {
    conversation_t *conversation =
        pinfo->ptype == PT_TCP ? wsx_store_conversation(pinfo, false) : NULL;
    struct tcp_analysis *tcp = conversation ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    return tcp && wsx_tcp_view(pinfo, tcp, view) ? tcp : NULL;
}

/* The request's head is in the source at `begin`, up to `end`. */
static void take_request(packet_info *pinfo, const struct wsx_source *source, struct wsx_head *head,
                         size_t begin, size_t end) {
    struct wsx_session *latest = wsx_state_find(pinfo), *session = waiting(latest);
    if (latest && !session && latest->cause == WSX_CAUSE_REFUSED &&
        is_known(pinfo, latest, source, head, begin)) {
        wsx_head_clear(head); /* joined with its content, behind the answer */
        return;
    }
    uint64_t content = 0;
    bool known =
        wsx_head_content(head, source->bytes + begin, end - begin, source->whole - begin, &content);
    if (!known)
        content = 0;
    bool again = session && is_again(pinfo, session, source, head, begin);
    if (!again)
        session = wsx_state_request(pinfo, head, source->encrypted, 0);
    session->content_open = !known;
    wsx_head_clear(head);
    if (!again || !source->encrypted) /* TLS: what is behind it was taken before */
        take_rest(pinfo, session, source, end, content);
}

/* The first request in the source that asks for a WebSocket. */
static bool find_request(packet_info *pinfo, const struct wsx_source *source) {
    struct wsx_heads heads = wsx_heads_begin(source, true);
    struct wsx_head head;
    for (size_t begin, end; wsx_heads_next(pinfo, source, &heads, &head, &begin, &end);) {
        if (wsx_head_asks(&head)) {
            take_request(pinfo, source, &head, begin, end);
            return true;
        }
        wsx_head_clear(&head);
    }
    return false;
}

/* Whether HTTP has handed on (`handed`, NULL: nothing) all the bytes behind the answer's head and
 * no others. Else it takes some for content, or for more of the head. */
static bool is_handed_on(const struct wsx_source *source, tvbuff_t *handed, size_t rest) {
    if (!handed)
        return !rest;
    return tvb_get_ds_tvb(handed) != source->tvb || tvb_captured_length(handed) == rest;
}

/* Frames behind the answer that HTTP does not hand on as they are. */
static void take_behind_answer(packet_info *pinfo, struct wsx_session *session,
                               const struct wsx_source *source, size_t end, tvbuff_t *handed) {
    if (!session->opened || wsx_state_packet(pinfo)->called)
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
    } else if (session->frames_known) {
        sequence = session->frames_from;
    }
    if (is_handed_on(source, handed, rest))
        return;
    session->not_handed = source->tvb;
    session->answer_rest = (uint32_t)rest;
    wsx_state_early(pinfo, session, WSX_SERVER_TO_CLIENT, sequence, source->bytes + end, rest,
                    rest);
}

/* Where the server's frames begin on TCP, behind the answer's head. */
static void find_frames(packet_info *pinfo, struct wsx_session *session,
                        const struct wsx_source *source, size_t end) {
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

/* Where the client's frames begin: behind the request's chunks, which came as early bytes. */
static void pass_chunks(struct wsx_session *session) {
    struct wsx_position *client = &session->position[WSX_CLIENT_TO_SERVER];
    struct wsx_answer *together = NULL;
    uint64_t at, content;
    const uint8_t *bytes;
    for (const struct wsx_early *early = session->early; early; early = early->next)
        if (early->direction == WSX_CLIENT_TO_SERVER && early->captured)
            wsx_answer_add(&together, early->sequence - client->sequence, early->bytes,
                           early->captured);
    size_t length = together ? wsx_answer_next(together, 0, &at, &bytes) : 0;
    if (length && !at && wsx_chunks_length(bytes, length, &content))
        client->sequence += (uint32_t)content;
    g_free(together);
}

/* The answer's head is in the source, up to `end`. session NULL: its request was not seen. */
static void take_response(packet_info *pinfo, struct wsx_session *session,
                          const struct wsx_source *source, struct wsx_head *head, size_t end,
                          tvbuff_t *handed) {
    session = wsx_state_response(pinfo, session, head, source->encrypted, 0);
    find_frames(pinfo, session, source, end);
    if (session->content_open && session->tcp && !session->encrypted)
        pass_chunks(session);
    if (source->put_together)
        take_put_together(pinfo, session, end);
    else
        take_behind_answer(pinfo, session, source, end, handed);
    g_free(session->answer);
    session->answer = NULL;
}

/* No interim response: behind one the final one may stand. */
static bool is_final(const struct wsx_head *head) {
    return !head->request && (head->status == 101 || head->status >= 200);
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
    return wsx_heads_any(bytes, length);
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

/* A head in several segments, of which HTTP makes no data source. */
static bool take_request_in_pieces(packet_info *pinfo, const struct tcp_analysis *tcp,
                                   const struct wsx_tcp_view *view) {
    if (!view->captured || (!wsx_request_began(tcp->fwd) && wsx_tcp_is_inside(tcp, view)))
        return false;
    struct wsx_source source = {.begins = true};
    source.whole = source.length =
        wsx_request_piece(tcp->fwd, view->sequence, view->payload, view->captured, &source.bytes);
    return source.length && find_request(pinfo, &source);
}

/* The head that is looked for, in one source. */
static bool scan_source(packet_info *pinfo, const struct wsx_source *source,
                        struct wsx_session *session, bool answer, tvbuff_t *handed) {
    struct wsx_heads heads = wsx_heads_begin(source, answer);
    struct wsx_head head;
    for (size_t begin, end; wsx_heads_next(pinfo, source, &heads, &head, &begin, &end);) {
        bool agrees = head.status == 101 && head.upgrade_websocket;
        if (head.request && !answer) {
            if (wsx_head_asks(&head)) {
                take_request(pinfo, source, &head, begin, end);
                return true;
            }
        } else if (is_final(&head) && (answer || (!session && agrees))) {
            take_response(pinfo, session, source, &head, end, handed);
            return true;
        }
        wsx_head_clear(&head);
    }
    return false;
}

void wsx_upgrade_scan(packet_info *pinfo, tvbuff_t *handed) {
    struct wsx_session *latest = wsx_state_find(pinfo);
    if (wsx_state_handshakes(pinfo->num).count || (latest && latest->opened && !latest->cause) ||
        !has_layer(pinfo, proto_http) || has_layer(pinfo, proto_http2))
        return;
    struct wsx_session *session = waiting(latest);
    bool answer = session && wsx_state_direction(session, pinfo) == WSX_SERVER_TO_CLIENT;
    bool encrypted = has_layer(pinfo, proto_tls);
    struct wsx_tcp_view view;
    struct tcp_analysis *tcp = encrypted ? NULL : tcp_of(pinfo, &view);
    struct wsx_sources sources;
    struct wsx_source source;
    wsx_sources_init(&sources, pinfo, tcp ? view.payload : NULL, encrypted);
    while (wsx_sources_next(&sources, &source))
        if (scan_source(pinfo, &source, session, answer, handed))
            return;
    if (!answer && tcp)
        take_request_in_pieces(pinfo, tcp, &view);
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
    struct wsx_source source = {.put_together = true, .begins = true};
    source.whole = source.length = wsx_answer_next(session->answer, 0, &offset, &source.bytes);
    if (!source.length || offset)
        return;
    struct wsx_heads heads = wsx_heads_begin(&source, true);
    struct wsx_head head;
    for (size_t begin, end; wsx_heads_next(pinfo, &source, &heads, &head, &begin, &end);) {
        if (is_final(&head)) {
            take_response(pinfo, session, &source, &head, end, NULL);
            return;
        }
        wsx_head_clear(&head);
    }
}

void wsx_upgrade_held_back(packet_info *pinfo) {
    struct wsx_tcp_view view;
    const struct tcp_analysis *tcp = tcp_of(pinfo, &view);
    if (!tcp || !view.captured)
        return;
    bool begins = view.captured >= 16 && memcmp(view.payload, "GET ", 4) == 0 &&
                  !wsx_tcp_is_inside(tcp, &view);
    if (!begins && !wsx_request_waits())
        return;
    struct wsx_session *latest = wsx_state_find(pinfo);
    if (latest) {
        const struct wsx_position *client = &latest->position[WSX_CLIENT_TO_SERVER];
        bool again = !client->known || (int32_t)(view.sequence - client->sequence) < 0;
        if (!latest->cause || again)
            return;
    }
    struct wsx_source source = {.packet = true, .begins = true, .bytes = view.payload};
    source.whole = source.length = view.captured;
    if (((begins && find_request(pinfo, &source)) || take_request_in_pieces(pinfo, tcp, &view)) &&
        (latest = wsx_state_find(pinfo)) != NULL)
        latest->on_tcp = true;
}
