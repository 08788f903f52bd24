/*
 * state.c - the only file that stores; see state.h for what and how long. The core's events become
 * records here, in the first pass; later passes find them by packet and by the number of the call
 * within the packet.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "state.h"

#include "fields.h"

#include <stdlib.h>

unsigned wsx_limit_frame_mib = 256, wsx_limit_message_mib = 256;

/* Inflated bytes counted at most, for a message over its limit. */
#define WSX_INFLATE_HARD (UINT64_C(1) << 30)
/* deflate itself reaches 1,032 to 1; text rarely 50. */
#define WSX_INFLATE_RATIO 900u

static wmem_map_t *by_conversation; /* conversation_t * to struct wsx_session * */
static wmem_map_t *by_handshake;    /* packet number to struct wsx_session * */
static wmem_array_t *chunks;        /* struct wsx_chunk *, by packet and ordinal */
static GPtrArray *sessions;         /* all of the file, by number */

/* What the core's events are collected in during one feed. */
struct collecting {
    struct wsx_session *session;
    packet_info *pinfo;
    const uint8_t *bytes; /* of the present run */
    wmem_array_t *records;
    struct wsx_finding *findings, **findings_end;
};

static void state_init(void) {
    sessions = g_ptr_array_new();
    by_conversation = wmem_map_new(wmem_file_scope(), g_direct_hash, g_direct_equal);
    by_handshake = wmem_map_new(wmem_file_scope(), g_direct_hash, g_direct_equal);
    chunks = wmem_array_new(wmem_file_scope(), sizeof(struct wsx_chunk *));
}

static void state_cleanup(void) {
    for (guint i = 0; i < sessions->len; i++) {
        struct wsx_session *session = g_ptr_array_index(sessions, i);
        wsx_connection_free(session->core);
        wsx_head_clear(&session->request);
        wsx_head_clear(&session->response);
    }
    g_ptr_array_free(sessions, TRUE);
    sessions = NULL;
    wsx_inflate_release();
}

void wsx_state_register(void) {
    register_init_routine(state_init);
    register_cleanup_routine(state_cleanup);
}

struct wsx_packet *wsx_state_packet(packet_info *pinfo) {
    struct wsx_packet *packet = p_get_proto_data(pinfo->pool, pinfo, wsx_proto, 0x777378);
    if (!packet) {
        packet = wmem_new0(pinfo->pool, struct wsx_packet);
        packet->items = wmem_array_new(pinfo->pool, sizeof(struct wsx_item));
        p_add_proto_data(pinfo->pool, pinfo, wsx_proto, 0x777378, packet);
    }
    return packet;
}

struct wsx_session *wsx_state_find(packet_info *pinfo) {
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    return conversation ? wmem_map_lookup(by_conversation, conversation) : NULL;
}

struct wsx_session *wsx_state_handshake(uint32_t packet) {
    return wmem_map_lookup(by_handshake, GUINT_TO_POINTER(packet));
}

enum wsx_direction wsx_state_direction(const struct wsx_session *session,
                                       const packet_info *pinfo) {
    bool client = pinfo->srcport == session->client_port &&
                  addresses_equal(&pinfo->src, &session->client_address);
    /* Equal ports and addresses on both ends can't be told apart by TCP either. */
    return client ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT;
}

static int64_t now(const packet_info *pinfo) {
    return (int64_t)((uint64_t)pinfo->abs_ts.secs * UINT64_C(1000000000) +
                     (uint64_t)pinfo->abs_ts.nsecs);
}

static const char *address_port(const address *addr, uint32_t port) {
    char *text = address_to_str(NULL, addr);
    char *both = wmem_strdup_printf(wmem_file_scope(), addr->type == AT_IPv6 ? "[%s]:%u" : "%s:%u",
                                    text, port);
    wmem_free(NULL, text);
    return both;
}

/* NULL stays NULL: wmem_strdup makes a text of it. */
static const char *text_copy(const char *text) {
    return text ? wmem_strdup(wmem_file_scope(), text) : NULL;
}

/* ---- findings ---- */

static void collect_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                            uint32_t packet, const char *detail) {
    struct collecting *collecting = context;
    struct wsx_finding *finding = wmem_new0(wmem_file_scope(), struct wsx_finding);
    *finding = (struct wsx_finding){.rule = rule,
                                    .severity = severity,
                                    .packet = packet,
                                    .detail = wmem_strdup(wmem_file_scope(), detail)};
    *collecting->findings_end = finding;
    collecting->findings_end = &finding->next;
}

static struct wsx_finding *take_findings(struct collecting *collecting) {
    struct wsx_finding *list = collecting->findings;
    collecting->findings = NULL;
    collecting->findings_end = &collecting->findings;
    return list;
}

/* ---- sessions ---- */

static struct wsx_session *session_new(packet_info *pinfo, bool from_client) {
    struct wsx_session *session = wmem_new0(wmem_file_scope(), struct wsx_session);
    conversation_t *conversation = find_or_create_conversation(pinfo);
    session->number = sessions->len;
    g_ptr_array_add(sessions, session);
    const address *client = from_client ? &pinfo->src : &pinfo->dst;
    const address *server = from_client ? &pinfo->dst : &pinfo->src;
    session->client_port = from_client ? pinfo->srcport : pinfo->destport;
    session->server_port = (uint16_t)(from_client ? pinfo->destport : pinfo->srcport);
    copy_address_wmem(wmem_file_scope(), &session->client_address, client);
    session->client = address_port(client, session->client_port);
    session->server = address_port(server, session->server_port);
    struct tcp_analysis *tcp = get_tcp_conversation_data(conversation, pinfo);
    session->transport_stream = tcp ? tcp->stream : 0;
    for (int d = 0; d < 2; d++)
        session->frames[d] = wmem_array_new(wmem_file_scope(), sizeof(struct wsx_record *));
    wmem_map_insert(by_conversation, conversation, session);
    return session;
}

/* The sequence number behind this packet's payload becomes offset 0 of its direction. */
void wsx_state_anchor(packet_info *pinfo, struct wsx_session *session,
                      enum wsx_direction direction) {
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    struct tcp_analysis *tcp = conversation ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    if (!tcp || !tcp->fwd || !tcp->fwd->tcp_analyze_seq_info)
        return;
    session->sequence[direction] = tcp->fwd->tcp_analyze_seq_info->nextseq;
    session->offset[direction] = session->core ? session->core->side[direction].stream.next : 0;
    session->sequence_known[direction] = true;
}

static void judge_head(struct wsx_session *session, packet_info *pinfo, bool request,
                       bool encrypted, struct wsx_agreement *agreement) {
    struct collecting collecting = {.session = session, .pinfo = pinfo};
    collecting.findings_end = &collecting.findings;
    struct wsx_finding_sink sink = {collect_finding, &collecting};
    if (request) {
        wsx_handshake_check_request(&session->request, encrypted, &sink);
        session->request_findings = collecting.findings;
        return;
    }
    wsx_handshake_check_response(session->request_packet ? &session->request : NULL,
                                 session->request_packet, &session->response, agreement, &sink);
    session->response_findings = collecting.findings;
}

struct wsx_session *wsx_state_request(packet_info *pinfo, struct wsx_head *head, bool encrypted) {
    struct wsx_session *session = session_new(pinfo, true);
    session->request = *head;
    memset(head, 0, sizeof *head);
    session->request_packet = pinfo->num;
    session->request_time = now(pinfo);
    session->last_packet = pinfo->num;
    session->last_time = now(pinfo);
    char *uri = wsx_handshake_uri(&session->request, encrypted);
    session->uri = text_copy(uri);
    free(uri);
    judge_head(session, pinfo, true, encrypted, NULL);
    wsx_state_anchor(pinfo, session, WSX_CLIENT_TO_SERVER);
    wmem_map_insert(by_handshake, GUINT_TO_POINTER(pinfo->num), session);
    return session;
}

/* ---- the core's events ---- */

static struct wsx_record *record_new(struct collecting *collecting, enum wsx_record_kind kind,
                                     enum wsx_direction direction) {
    struct wsx_record *record = wmem_new0(wmem_file_scope(), struct wsx_record);
    record->kind = kind;
    record->direction = direction;
    record->packet = collecting->pinfo->num;
    record->offset = -1;
    record->findings = take_findings(collecting);
    wmem_array_append_one(collecting->records, record);
    return record;
}

static const uint8_t *copy(const uint8_t *bytes, size_t length) {
    return length ? wmem_memdup(wmem_file_scope(), bytes, length) : (const uint8_t *)"";
}

/* `shared`: the message's bytes are the frame's payload, and are in the packet. */
static struct wsx_message *message_copy(const struct wsx_message *message, bool shared) {
    struct wsx_message *own = wmem_memdup(wmem_file_scope(), message, sizeof *message);
    own->bytes = shared ? NULL : copy(message->bytes, message->have);
    return own;
}

static void answer(struct wsx_session *session, const struct wsx_frame_event *event,
                   struct wsx_record *record) {
    record->answers = event->answers_packet;
    record->answer_time = event->answer_time;
    wmem_array_t *frames = session->frames[event->answers_direction];
    if (event->answers_index == 0 || event->answers_index > wmem_array_get_count(frames))
        return;
    struct wsx_record *asked =
        *(struct wsx_record **)wmem_array_index(frames, event->answers_index - 1);
    asked->answered_in = record->packet;
    asked->answer_time = event->answer_time;
}

static void on_frame(void *context, const struct wsx_frame_event *event) {
    struct collecting *collecting = context;
    const struct wsx_frame *frame = event->frame;
    struct wsx_record *record = record_new(collecting, WSX_RECORD_FRAME, event->direction);
    record->item = event->kind;
    record->header = frame->header;
    record->index = event->index;
    record->begin_packet = frame->begin_packet;
    record->delta = event->delta;
    record->have = frame->have;
    record->missing = frame->missing;
    record->over_limit = frame->over_limit;
    record->unfinished = frame->unfinished;
    record->message_index = event->message_index;
    record->first_close = event->first_close;
    bool here = frame->whole && collecting->bytes &&
                frame->begin_packet == collecting->pinfo->num && frame->whole >= collecting->bytes;
    if (here)
        record->offset = (int)(frame->whole - collecting->bytes);
    else
        record->payload = copy(event->payload, frame->have);
    if (event->message)
        record->message =
            message_copy(event->message, event->message->bytes == event->payload && here);
    wmem_array_append_one(collecting->session->frames[event->direction], record);
    if (event->answers_packet)
        answer(collecting->session, event, record);
}

static void on_broken(void *context, const struct wsx_message *message) {
    struct collecting *collecting = context;
    struct wsx_finding *findings = take_findings(collecting);
    struct wsx_record *record = record_new(collecting, WSX_RECORD_BROKEN, message->direction);
    record->message = message_copy(message, false);
    record->message_index = message->index;
    collecting->findings = findings; /* they belong to the frame that broke it */
    while (*collecting->findings_end)
        collecting->findings_end = &(*collecting->findings_end)->next;
}

static void on_note(void *context, const struct wsx_note *note) {
    struct collecting *collecting = context;
    struct wsx_record *record = record_new(collecting, WSX_RECORD_NOTE, note->direction);
    record->missing = note->missing;
}

static void on_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                       uint32_t packet, const char *detail) {
    collect_finding(context, rule, severity, packet, detail);
}

static const struct wsx_connection_events core_events = {on_frame, on_broken, on_note, on_finding};

static void core_new(struct wsx_session *session, struct wsx_agreement *agreement) {
    struct wsx_limits limits = {.frame = (size_t)wsx_limit_frame_mib << 20,
                                .message = (size_t)wsx_limit_message_mib << 20};
    limits.inflate.output = limits.message;
    limits.inflate.hard_output = MAX(WSX_INFLATE_HARD, (uint64_t)limits.message);
    limits.inflate.ratio = WSX_INFLATE_RATIO;
    session->subprotocol = text_copy(agreement->subprotocol);
    session->extensions = text_copy(agreement->extensions);
    session->core = wsx_connection_new(&core_events, &limits, agreement, session->midstream);
}

struct wsx_session *wsx_state_response(packet_info *pinfo, struct wsx_session *session,
                                       struct wsx_head *head, bool encrypted) {
    if (!session)
        session = session_new(pinfo, false);
    (void)encrypted;
    session->response = *head;
    memset(head, 0, sizeof *head);
    session->response_packet = pinfo->num;
    session->response_time = now(pinfo);
    session->last_packet = pinfo->num;
    session->last_time = now(pinfo);
    session->status = session->response.status;
    struct wsx_agreement agreement = {0};
    judge_head(session, pinfo, false, encrypted, &agreement);
    if (wsx_head_agrees(&session->response)) {
        core_new(session, &agreement);
        session->opened = true;
    } else {
        wsx_agreement_clear(&agreement);
        session->ended = true;
    }
    wmem_map_insert(by_handshake, GUINT_TO_POINTER(pinfo->num), session);
    return session;
}

struct wsx_session *wsx_state_midstream(packet_info *pinfo, bool from_client) {
    struct wsx_session *session = session_new(pinfo, from_client);
    struct wsx_agreement agreement = {
        .client_bits = 15, .server_bits = 15, .client_takeover = true, .server_takeover = true};
    session->midstream = true;
    session->opened = true;
    core_new(session, &agreement);
    return session;
}

/* ---- feeding and recalling ---- */

const struct wsx_chunk *wsx_state_feed(packet_info *pinfo, struct wsx_session *session,
                                       tvbuff_t *tvb, enum wsx_direction direction,
                                       uint64_t offset) {
    struct collecting collecting = {.session = session, .pinfo = pinfo};
    unsigned captured = tvb_captured_length(tvb);
    collecting.findings_end = &collecting.findings;
    collecting.bytes = captured ? tvb_get_ptr(tvb, 0, (int)captured) : NULL;
    collecting.records = wmem_array_new(pinfo->pool, sizeof(struct wsx_record *));
    struct wsx_stream *stream = &session->core->side[direction].stream;
    uint64_t done, whole;
    struct wsx_chunk *chunk = wmem_new0(wmem_file_scope(), struct wsx_chunk);
    chunk->packet = pinfo->num;
    chunk->ordinal = wsx_state_packet(pinfo)->calls++;
    chunk->session = session;
    chunk->direction = direction;
    chunk->length = tvb_reported_length(tvb);
    chunk->begins_inside = wsx_stream_pending(stream, &done, &whole);
    wsx_connection_push(session->core, direction, offset, collecting.bytes, captured, chunk->length,
                        pinfo->num, now(pinfo), &collecting);
    if (wsx_stream_pending(stream, &chunk->tail_done, &chunk->tail_whole))
        chunk->tail_index = session->core->side[direction].frames + 1;
    chunk->count = wmem_array_get_count(collecting.records);
    if (chunk->count)
        chunk->records = wmem_memdup(wmem_file_scope(), wmem_array_get_raw(collecting.records),
                                     chunk->count * sizeof *chunk->records);
    wmem_array_append_one(chunks, chunk);
    session->last_packet = pinfo->num;
    session->last_time = now(pinfo);
    return chunk;
}

static int chunk_order(const struct wsx_chunk *chunk, uint32_t packet, uint32_t ordinal) {
    if (chunk->packet != packet)
        return chunk->packet < packet ? -1 : 1;
    return chunk->ordinal < ordinal ? -1 : chunk->ordinal > ordinal;
}

const struct wsx_chunk *wsx_state_recall(packet_info *pinfo, uint32_t length) {
    uint32_t ordinal = wsx_state_packet(pinfo)->calls++;
    unsigned low = 0, high = wmem_array_get_count(chunks);
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const struct wsx_chunk *chunk = *(struct wsx_chunk **)wmem_array_index(chunks, middle);
        int order = chunk_order(chunk, pinfo->num, ordinal);
        if (!order)
            return chunk->length == length ? chunk : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct wsx_record *wsx_state_frame(const struct wsx_session *session,
                                         enum wsx_direction direction, uint32_t index) {
    wmem_array_t *frames = session->frames[direction];
    if (!index || index > wmem_array_get_count(frames))
        return NULL;
    return *(struct wsx_record **)wmem_array_index(frames, index - 1);
}

void wsx_state_each_open(void (*visit)(const struct wsx_session *session, void *data), void *data) {
    for (guint i = 0; sessions && i < sessions->len; i++) {
        const struct wsx_session *session = g_ptr_array_index(sessions, i);
        if (!session->ended)
            visit(session, data);
    }
}
