/*
 * state.c - sessions: what is known of each WebSocket connection, from its request to its end; see
 * state.h for what is stored and for how long. records.c holds what came of their bytes; nothing
 * else stores.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include "fields.h"
#include "tcpview.h"
#include "tokens.h"
#include "writable.h"

#include <epan/wmem_scopes.h>
#include <stdlib.h>
#include <wsutil/str_util.h>

unsigned wsx_limit_frame_mib = 256, wsx_limit_message_mib = 256, wsx_limit_inflated_mib = 64,
         wsx_limit_ratio = 200;
wsx_bool wsx_group_enabled[WSX_GROUP_COUNT] = {TRUE, TRUE, TRUE, TRUE, TRUE, TRUE};
unsigned wsx_sessions_open;
bool wsx_store_any_carried;

/* Inflated bytes counted at most, for a message over its limit. */
#define WSX_INFLATE_HARD (UINT64_C(1) << 30)
/* What any limit can be. */
#define WSX_MIB_MAX 1024u
/* Bytes kept of what came before the answer; a client that sends more is not a WebSocket client. */
#define WSX_EARLY_MAX (4u << 20)
#define WSX_EARLY_SEGMENTS_MAX 4096u

/* Bytes of findings kept of a file, about a million of them: each frame of two bytes may break three
 * rules. With the last one the limit is told. */
#define WSX_FINDINGS_MAX (UINT64_C(256) << 20)
/* Of one finding, with what hangs on its record. */
#define WSX_FINDING_OVERHEAD 160u

/* Most packets have a frame or two; a large table for each would leave the processor's caches cold. */
#define WSX_ITEMS_AT_FIRST 4u

struct wsx_early {
    struct wsx_early *next;
    enum wsx_direction direction;
    uint32_t sequence; /* TCP */
    uint32_t acknowledged; /* TCP: what its sender had received by then; 0 = not known */
    uint64_t length;
    size_t captured;
    bool after_hole; /* HTTP/2 and HTTP/3: bytes before it may be missing */
    uint32_t packet;
    int64_t time;
    uint8_t bytes[];
};

static GPtrArray *sessions;      /* all of the file, by number */
static wmem_map_t *by_handshake; /* packet number to GPtrArray of sessions */
static uint32_t last_handshake;  /* the last packet of by_handshake */
static wmem_map_t *by_addresses; /* "client server" to the latest session */
static GHashTable *keys;         /* Sec-WebSocket-Key to struct wsx_session */
static uint64_t findings_bytes;  /* kept, see WSX_FINDINGS_MAX */
static GPtrArray *unsettled;     /* sessions with something to settle in this packet */

/* See wsx_state_enter. */
static struct {
    const frame_data *last_frame;
    uint32_t last_packet;
    bool visited; /* last_frame was, when its dissection began */
    bool between; /* columns were there, or our tap ran, since last_frame */
    bool once;
    wmem_allocator_t *scope; /* of one packet, with once */
    uint32_t epoch;
} pass;

/* The conversation that was found last: a packet asks for its own several times. */
static struct {
    uint32_t epoch; /* 0: none */
    uint32_t packet, from_port, to_port;
    const void *from, *to;
    conversation_t *conversation;
} last_found;

int64_t wsx_state_time(const packet_info *pinfo) {
    return (int64_t)((uint64_t)pinfo->abs_ts.secs * UINT64_C(1000000000) +
                     (uint64_t)pinfo->abs_ts.nsecs);
}

/* ---- lifetimes ---- */

static void state_init(void) {
    sessions = g_ptr_array_new();
    by_handshake = wmem_map_new(wmem_file_scope(), g_direct_hash, g_direct_equal);
    by_addresses = wmem_map_new(wmem_file_scope(), wmem_str_hash, g_str_equal);
    keys = g_hash_table_new(g_str_hash, g_str_equal); /* keys of the sessions' own heads */
    unsettled = g_ptr_array_new();
    findings_bytes = 0;
    wsx_records_init();
    wsx_store_streams_init();
}

static void early_clear(struct wsx_session *session) {
    while (session->early) {
        struct wsx_early *first = session->early;
        session->early = first->next;
        g_free(first);
    }
    session->early_end = &session->early;
    session->early_bytes = 0;
    memset(session->early_count, 0, sizeof session->early_count);
}

static void handshake_free(void *key _U_, void *list, void *data _U_) {
    g_ptr_array_free(list, TRUE);
}

static void state_cleanup(void) {
    g_hash_table_destroy(keys);
    for (guint i = 0; i < sessions->len; i++) {
        struct wsx_session *session = g_ptr_array_index(sessions, i);
        wsx_connection_free(session->core);
        wsx_head_clear(&session->request);
        wsx_head_clear(&session->response);
        early_clear(session);
        g_free(session->answer);
        wsx_h3_data_free(session->h3[0]);
        wsx_h3_data_free(session->h3[1]);
    }
    wmem_map_foreach(by_handshake, handshake_free, NULL);
    g_ptr_array_free(sessions, TRUE);
    g_ptr_array_free(unsettled, TRUE);
    sessions = NULL;
    keys = NULL;
    wsx_records_cleanup();
    wsx_inflate_release();
    if (pass.scope)
        wmem_destroy_allocator(pass.scope);
    memset(&pass, 0, sizeof pass);
    last_found.epoch = 0;
    wsx_sessions_open = 0;
    wsx_store_any_carried = false;
    last_handshake = 0;
}

void wsx_state_register(void) {
    register_init_routine(state_init);
    register_cleanup_routine(state_cleanup);
}

wmem_allocator_t *wsx_store_scope(void) { return pass.once ? pass.scope : wmem_file_scope(); }
bool wsx_store_is_kept(void) { return !pass.once; }
uint32_t wsx_store_epoch(void) { return pass.epoch; }

bool wsx_state_first_pass(const packet_info *pinfo) { return !PINFO_FD_VISITED(pinfo); }

void wsx_state_enter(packet_info *pinfo) {
    bool visited = PINFO_FD_VISITED(pinfo);
    /* the last packet may be dissected again at once: another pass, other packet memory */
    if (pinfo->num == pass.last_packet && pinfo->fd == pass.last_frame &&
        visited == pass.visited) {
        pass.between = pass.between || pinfo->cinfo;
        return;
    }
    pass.epoch++;
    pass.visited = visited;
    if (!PINFO_FD_VISITED(pinfo) && !pass.once && pass.between && pinfo->fd == pass.last_frame) {
        pass.once = true;
        pass.scope = wmem_allocator_new(WMEM_ALLOCATOR_BLOCK_FAST);
    }
    if (pass.once) {
        wsx_records_forget();
        wmem_free_all(pass.scope);
    }
    pass.last_frame = pinfo->fd;
    pass.last_packet = pinfo->num;
    pass.between = pinfo->cinfo != NULL;
}

void wsx_state_tap_ran(void) { pass.between = true; }

struct wsx_packet *wsx_state_packet_peek(packet_info *pinfo) {
    return p_get_proto_data(pinfo->pool, pinfo, wsx_proto, 0x777378);
}

struct wsx_packet *wsx_state_packet(packet_info *pinfo) {
    struct wsx_packet *packet = wsx_state_packet_peek(pinfo);
    if (!packet) {
        packet = wmem_new0(pinfo->pool, struct wsx_packet);
        packet->cursor = UINT32_MAX;
        packet->items = wmem_array_sized_new(pinfo->pool, sizeof(struct wsx_item), WSX_ITEMS_AT_FIRST);
        p_add_proto_data(pinfo->pool, pinfo, wsx_proto, 0x777378, packet);
    }
    return packet;
}

/* ---- findings ---- */

/* Which preference switches a rule: what RFC 6455 says under "Security Considerations" is a group
 * of its own. */
static bool rule_is_enabled(enum wsx_rule rule) {
    const struct wsx_rule_info *info = wsx_rule_info(rule);
    static const int groups[] = {
        [WSX_SCOPE_HANDSHAKE] = WSX_GROUP_HANDSHAKE, [WSX_SCOPE_FRAME] = WSX_GROUP_FRAME,
        [WSX_SCOPE_MESSAGE] = WSX_GROUP_MESSAGE,     [WSX_SCOPE_CLOSE] = WSX_GROUP_CLOSE,
        [WSX_SCOPE_CONTROL] = WSX_GROUP_CLOSE,       [WSX_SCOPE_DEFLATE] = WSX_GROUP_DEFLATE,
        [WSX_SCOPE_STREAM] = -1,                     [WSX_SCOPE_HTTP2] = WSX_GROUP_HANDSHAKE};
    if (strstr(info->reference, " 10."))
        return wsx_group_enabled[WSX_GROUP_SECURITY];
    int group = groups[info->scope];
    return group < 0 || wsx_group_enabled[group];
}

void wsx_collect_init(struct wsx_collecting *collecting, struct wsx_session *session,
                      packet_info *pinfo) {
    *collecting = (struct wsx_collecting){.session = session, .pinfo = pinfo};
    collecting->findings_end = &collecting->findings;
}

static void finding_add(struct wsx_collecting *collecting, wmem_allocator_t *scope,
                        enum wsx_rule rule, enum wsx_severity severity, uint32_t packet,
                        const char *detail) {
    if (!rule_is_enabled(rule) || findings_bytes > WSX_FINDINGS_MAX)
        return;
    if (wsx_store_is_kept())
        findings_bytes += WSX_FINDING_OVERHEAD + strlen(detail);
    if (findings_bytes > WSX_FINDINGS_MAX) {
        rule = WSX_RULE_MESSAGE_LIMIT;
        severity = wsx_rule_info(rule)->severity;
        packet = 0;
        detail = "no more findings are kept of this file";
    }
    struct wsx_finding *finding = wmem_new(scope, struct wsx_finding);
    *finding = (struct wsx_finding){.rule = rule,
                                    .severity = severity,
                                    .packet = packet,
                                    .detail = *detail ? wmem_strdup(scope, detail) : ""};
    *collecting->findings_end = finding;
    collecting->findings_end = wsx_finding_next(finding);
}

const struct wsx_finding **wsx_finding_next(const struct wsx_finding *finding) {
    struct wsx_finding *own = wsx_writable(finding);
    return &own->next;
}

void wsx_collect_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                         uint32_t packet, const char *detail) {
    finding_add(context, wsx_store_scope(), rule, severity, packet, detail);
}

static void collect_nothing(void *context, enum wsx_rule rule, enum wsx_severity severity,
                            uint32_t packet, const char *detail) {
    (void)context;
    (void)rule;
    (void)severity;
    (void)packet;
    (void)detail;
}

static const struct wsx_finding_sink wsx_no_sink = {collect_nothing, NULL};

/* Those of a handshake or an end stay with the session. */
static void collect_for_session(void *context, enum wsx_rule rule, enum wsx_severity severity,
                                uint32_t packet, const char *detail) {
    finding_add(context, wmem_file_scope(), rule, severity, packet, detail);
}

const struct wsx_finding *wsx_collect_take(struct wsx_collecting *collecting) {
    const struct wsx_finding *list = collecting->findings;
    collecting->findings = NULL;
    collecting->findings_end = &collecting->findings;
    return list;
}

/* ---- finding sessions ---- */

struct wsx_carrier *wsx_store_carrier(const conversation_t *conversation) {
    /* a conversation's data is at hand when TCP has just used it; a table of all would not be */
    return conversation ? conversation_get_proto_data(conversation, hf_stream) : NULL;
}

struct wsx_carrier *wsx_store_carrier_new(conversation_t *conversation) {
    struct wsx_carrier *carrier = wsx_store_carrier(conversation);
    if (!carrier) {
        carrier = wmem_new0(wmem_file_scope(), struct wsx_carrier);
        conversation_add_proto_data(conversation, hf_stream, carrier);
    }
    return carrier;
}

static conversation_t *find_or_remember(packet_info *pinfo) {
    if (pass.epoch && last_found.epoch == pass.epoch && last_found.packet == pinfo->num &&
        last_found.from == pinfo->src.data && last_found.to == pinfo->dst.data &&
        last_found.from_port == pinfo->srcport && last_found.to_port == pinfo->destport)
        return last_found.conversation;
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    last_found.epoch = conversation ? pass.epoch : 0;
    last_found.packet = pinfo->num;
    last_found.from_port = pinfo->srcport;
    last_found.to_port = pinfo->destport;
    last_found.from = pinfo->src.data;
    last_found.to = pinfo->dst.data;
    last_found.conversation = conversation;
    return conversation;
}

/* Under QUIC, Wireshark's dissectors look for conversations of their own. */
conversation_t *wsx_store_conversation(packet_info *pinfo, bool create) {
    if (pinfo->ptype != PT_UDP) {
        conversation_t *there = find_or_remember(pinfo);
        return there || !create ? there : find_or_create_conversation(pinfo);
    }
    conversation_type type = conversation_pt_to_conversation_type(pinfo->ptype);
    conversation_t *conversation = find_conversation(pinfo->num, &pinfo->src, &pinfo->dst, type,
                                                     pinfo->srcport, pinfo->destport, 0);
    if (!conversation && create)
        conversation = conversation_new(pinfo->num, &pinfo->src, &pinfo->dst, type, pinfo->srcport,
                                        pinfo->destport, 0);
    return conversation;
}

static struct wsx_carrier *carrier_of(packet_info *pinfo) {
    return wsx_store_carrier(wsx_store_conversation(pinfo, false));
}

struct wsx_session *wsx_state_find(packet_info *pinfo) {
    struct wsx_carrier *carrier = carrier_of(pinfo);
    return carrier ? carrier->latest : NULL;
}

struct wsx_session *wsx_state_find_stream(packet_info *pinfo, uint64_t stream_id) {
    struct wsx_carrier *carrier = carrier_of(pinfo);
    return carrier && carrier->streams ? wmem_map_lookup(carrier->streams, &stream_id) : NULL;
}

const GPtrArray *wsx_state_handshakes(uint32_t packet) {
    if (packet > last_handshake) /* the first pass comes to most packets so */
        return NULL;
    return wmem_map_lookup(by_handshake, GUINT_TO_POINTER(packet));
}

unsigned wsx_state_session_count(void) { return sessions ? sessions->len : 0; }

const struct wsx_session *wsx_state_session(unsigned number) {
    return g_ptr_array_index(sessions, number);
}

void wsx_state_put_delivery(const struct wsx_session *session, struct wsx_delivery *delivery) {
    struct wsx_session *own = wsx_writable(session);
    own->delivery = delivery;
}

enum wsx_direction wsx_state_direction(const struct wsx_session *session,
                                       const packet_info *pinfo) {
    (void)pinfo;
    if (!session->tcp)
        return WSX_CLIENT_TO_SERVER;
    /* TCP tells the two ends apart, also with equal ports */
    return session->tcp->fwd == session->client_flow ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT;
}

static void handshake_in(struct wsx_session *session, uint32_t packet) {
    GPtrArray *list = wmem_map_lookup(by_handshake, GUINT_TO_POINTER(packet));
    if (!list) {
        list = g_ptr_array_new();
        wmem_map_insert(by_handshake, GUINT_TO_POINTER(packet), list);
    }
    last_handshake = MAX(last_handshake, packet);
    if (!list->len || g_ptr_array_index(list, list->len - 1) != session)
        g_ptr_array_add(list, session);
}

/* ---- making sessions ---- */

static const char *address_port(const address *addr, uint32_t port) {
    char *text = address_to_str(NULL, addr), digits[12];
    bool brackets = addr->type == AT_IPv6;
    g_snprintf(digits, sizeof digits, ":%u", port);
    char *both = wmem_strconcat(wmem_file_scope(), brackets ? "[" : "", text, brackets ? "]" : "",
                                digits, NULL);
    wmem_free(NULL, text);
    return both;
}

/* NULL stays NULL: wmem_strdup makes a text of it. */
static const char *text_copy(const char *text) {
    return text ? wmem_strdup(wmem_file_scope(), text) : NULL;
}

static int digits_of(const packet_info *pinfo) {
    switch (pinfo->rec ? pinfo->rec->tsprec : WTAP_TSPREC_NSEC) {
    case WTAP_TSPREC_SEC:
        return 0;
    case WTAP_TSPREC_DSEC:
        return 1;
    case WTAP_TSPREC_CSEC:
        return 2;
    case WTAP_TSPREC_MSEC:
        return 3;
    case WTAP_TSPREC_USEC:
        return 6;
    default:
        return 9;
    }
}

static void touch(struct wsx_session *session, const packet_info *pinfo) {
    session->packets += session->last_packet != pinfo->num;
    session->last_packet = pinfo->num;
    session->last_time = wsx_state_time(pinfo);
}

/* The addresses and ports of an earlier connection begin a new one: that one is over. */
static void replace_earlier(struct wsx_session *session) {
    char *both = wmem_strconcat(wmem_file_scope(), session->client, " ", session->server, NULL);
    struct wsx_session *earlier = wmem_map_lookup(by_addresses, both);
    if (earlier && earlier->conversation != session->conversation)
        wsx_state_carrier_end(earlier, WSX_CAUSE_REPLACED);
    wmem_map_insert(by_addresses, both, session);
}

static struct wsx_session *session_new(packet_info *pinfo, bool from_client, bool encrypted) {
    struct wsx_session *session = wmem_new0(wmem_file_scope(), struct wsx_session);
    conversation_t *conversation = wsx_store_conversation(pinfo, true);
    session->number = sessions->len;
    g_ptr_array_add(sessions, session);
    session->early_end = &session->early;
    session->encrypted = encrypted;
    wsx_store_any_carried |= encrypted;
    const address *client = from_client ? &pinfo->src : &pinfo->dst;
    const address *server = from_client ? &pinfo->dst : &pinfo->src;
    session->server_port = (uint16_t)(from_client ? pinfo->destport : pinfo->srcport);
    session->client = address_port(client, from_client ? pinfo->srcport : pinfo->destport);
    session->server = address_port(server, session->server_port);
    copy_address_wmem(wmem_file_scope(), &session->server_address, server);
    session->conversation = conversation;
    session->time_digits = digits_of(pinfo);
    struct tcp_analysis *tcp =
        pinfo->ptype == PT_TCP ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    if (tcp) {
        session->tcp = tcp;
        session->transport_stream = tcp->stream;
        session->client_flow = from_client ? tcp->fwd : tcp->rev;
    }
    wsx_store_carrier_new(conversation)->latest = session;
    wsx_sessions_open++;
    touch(session, pinfo);
    replace_earlier(session);
    return session;
}

static void put_stream(struct wsx_session *session, enum wsx_http_version http,
                       uint64_t stream_id) {
    session->http = http;
    session->stream_id = stream_id;
    if (http == WSX_HTTP_1)
        return;
    wsx_store_any_carried = wsx_store_any_carried || http == WSX_HTTP_2;
    struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    if (!carrier->streams)
        carrier->streams = wmem_map_new(wmem_file_scope(), wmem_int64_hash, g_int64_equal);
    *(carrier->last ? &carrier->last->next_stream : &carrier->first) = session;
    carrier->last = session;
    wmem_map_insert(carrier->streams, wmem_memdup(wmem_file_scope(), &stream_id, sizeof stream_id),
                    session);
}

/* A key is for one connection. Not counted: a repeated request on the same transport connection,
 * and one whose earlier request still waits (a proxy passes it on). */
static void judge_key_reuse(struct wsx_session *session, struct wsx_collecting *collecting) {
    char *key = session->request.key;
    if (!key || !*key || session->http != WSX_HTTP_1)
        return;
    struct wsx_session *earlier = g_hash_table_lookup(keys, key);
    if (!earlier) {
        g_hash_table_insert(keys, key, session);
        return;
    }
    bool waits = !earlier->response_packet && !earlier->cause;
    if (earlier->conversation == session->conversation || waits)
        return;
    struct wsx_finding_sink sink = {collect_for_session, collecting};
    struct wsx_shown shown;
    wsx_report(&sink, WSX_RULE_HS_KEY_REUSED, earlier->request_packet,
               "key %s, in the request of packet %u", wsx_show(&shown, wsx_slice_of(key)),
               earlier->request_packet);
}

struct wsx_session *wsx_state_request(packet_info *pinfo, struct wsx_head *head, bool encrypted,
                                      uint64_t stream_id) {
    return wsx_state_request_known(pinfo, head, true, encrypted, stream_id);
}

struct wsx_session *wsx_state_request_known(packet_info *pinfo, struct wsx_head *head,
                                            bool from_client, bool encrypted, uint64_t stream_id) {
    struct wsx_session *session = session_new(pinfo, from_client, encrypted);
    struct wsx_collecting collecting;
    wsx_collect_init(&collecting, session, pinfo);
    session->request = *head;
    memset(head, 0, sizeof *head);
    put_stream(session, session->request.http, stream_id);
    session->request_packet = pinfo->num;
    session->request_time = wsx_state_time(pinfo);
    char *uri = wsx_handshake_uri(&session->request, encrypted);
    session->uri = text_copy(uri);
    g_free(uri);
    struct wsx_finding_sink sink = {collect_for_session, &collecting};
    if (wsx_store_headers_are_whole(session, pinfo, from_client))
        wsx_handshake_check_request(&session->request, encrypted, &sink);
    judge_key_reuse(session, &collecting);
    wsx_store_judge_settings(session, pinfo, from_client, &sink);
    struct wsx_tcp_view view;
    if (session->tcp && from_client && wsx_tcp_view(pinfo, session->tcp, &view)) {
        session->request_ack = view.acknowledgement;
        session->request_ack_known = true;
    }
    session->request_findings = wsx_collect_take(&collecting);
    handshake_in(session, pinfo->num);
    return session;
}

/* ---- opening ---- */

static void core_new(struct wsx_session *session, struct wsx_agreement *agreement) {
    /* Wireshark's own lengths have 31 bits */
    struct wsx_limits limits = {.frame = (size_t)MIN(wsx_limit_frame_mib, WSX_MIB_MAX) << 20,
                                .message = (size_t)MIN(wsx_limit_message_mib, WSX_MIB_MAX) << 20};
    limits.inflate.output = (size_t)MIN(wsx_limit_inflated_mib, WSX_MIB_MAX) << 20;
    limits.inflate.hard_output = MAX(WSX_INFLATE_HARD, (uint64_t)limits.inflate.output);
    limits.inflate.ratio = wsx_limit_ratio;
    session->deflate = agreement->deflate;
    session->subprotocol = text_copy(agreement->subprotocol);
    session->extensions = text_copy(agreement->extensions);
    session->core = wsx_connection_new(&wsx_core_events, &limits, agreement, session->midstream);
    session->opened = true;
    for (int d = 0; d < 2; d++) {
        session->core->side[d].tail_unknown = session->lossy[d];
        session->core->side[d].start_unknown = session->lossy[d];
    }
}

static void open_here(struct wsx_session *session, const packet_info *pinfo) {
    session->open_packet = pinfo ? pinfo->num : session->last_packet;
    session->open_time = pinfo ? wsx_state_time(pinfo) : session->last_time;
}

struct wsx_session *wsx_state_response(packet_info *pinfo, struct wsx_session *session,
                                       struct wsx_head *head, bool encrypted, uint64_t stream_id) {
    bool unseen = !session;
    if (unseen) {
        session = session_new(pinfo, false, encrypted);
        put_stream(session, head->http, stream_id);
    }
    struct wsx_collecting collecting;
    wsx_collect_init(&collecting, session, pinfo);
    session->response = *head;
    memset(head, 0, sizeof *head);
    session->response_packet = pinfo->num;
    session->response_time = wsx_state_time(pinfo);
    session->status = session->response.status;
    open_here(session, pinfo);
    touch(session, pinfo);
    struct wsx_tcp_view view;
    if (session->tcp && wsx_tcp_view(pinfo, session->tcp, &view))
        session->answer_end = view.sequence + view.length;
    struct wsx_agreement agreement;
    struct wsx_finding_sink sink = {collect_for_session, &collecting};
    bool whole = wsx_store_headers_are_whole(session, pinfo, false);
    wsx_handshake_check_response(unseen ? NULL : &session->request, session->request_packet,
                                 &session->response, &agreement, whole ? &sink : &wsx_no_sink);
    if (!unseen)
        wsx_store_judge_late_settings(session, pinfo, &sink);
    session->response_findings = wsx_collect_take(&collecting);
    if (!wsx_store_answer_is_whole(session, pinfo)) {
        wsx_agreement_clear(&agreement);
        wsx_agreement_init(&agreement);
    }
    if (wsx_head_agrees(&session->response)) {
        core_new(session, &agreement);
        if (session->early && session->http != WSX_HTTP_1)
            wsx_store_unsettled(session);
    } else {
        wsx_agreement_clear(&agreement);
        early_clear(session);
        wsx_state_end(session, WSX_CAUSE_REFUSED);
    }
    handshake_in(session, pinfo->num);
    return session;
}

static void open_unknown(const packet_info *pinfo, struct wsx_session *session) {
    struct wsx_agreement agreement;
    wsx_agreement_init(&agreement);
    session->midstream = true;
    open_here(session, pinfo);
    core_new(session, &agreement);
}

void wsx_state_open_unanswered(packet_info *pinfo, struct wsx_session *session) {
    open_unknown(pinfo, session);
    /* frames of the server may have come between its answer and what was seen */
    session->core->side[WSX_SERVER_TO_CLIENT].start_unknown = true;
    if (session->early && session->http != WSX_HTTP_1)
        wsx_store_unsettled(session);
}

struct wsx_session *wsx_state_midstream(packet_info *pinfo, bool from_client, bool encrypted) {
    struct wsx_session *session = session_new(pinfo, from_client, encrypted);
    open_unknown(pinfo, session);
    for (int d = 0; d < 2; d++)
        wsx_connection_start_unknown(session->core, d);
    return session;
}

/* ---- positions on TCP ---- */

void wsx_state_anchor(struct wsx_session *session, enum wsx_direction direction,
                      uint32_t sequence) {
    uint64_t taken = session->core ? session->core->side[direction].stream.next : 0;
    session->position[direction] =
        (struct wsx_position){.known = true, .sequence = sequence, .offset = taken};
}

uint64_t wsx_state_offset(struct wsx_session *session, enum wsx_direction direction,
                          uint32_t sequence, uint64_t *before) {
    struct wsx_position *position = &session->position[direction];
    if (!position->known)
        wsx_state_anchor(session, direction, sequence);
    int64_t apart = (int32_t)(sequence - position->sequence);
    int64_t at = (int64_t)position->offset + apart;
    *before = at < 0 ? (uint64_t)-at : 0;
    if (at < 0)
        return 0;
    if (apart > (1 << 29)) { /* keep the reference near, long before 2^31 */
        position->offset = (uint64_t)at;
        position->sequence = sequence;
    }
    return (uint64_t)at;
}

int64_t wsx_state_waited(const packet_info *pinfo, const struct wsx_session *session,
                         enum wsx_direction direction) {
    int64_t since = session->waiting_since[direction];
    return since ? wsx_apart(wsx_state_time(pinfo), since) : 0;
}

void wsx_state_early(packet_info *pinfo, struct wsx_session *session, enum wsx_direction direction,
                     uint32_t sequence, const uint8_t *bytes, size_t captured, uint64_t length) {
    wsx_state_early_in(pinfo, session, direction, sequence, bytes, captured, length, pinfo->num);
}

void wsx_state_early_in(packet_info *pinfo, struct wsx_session *session,
                        enum wsx_direction direction, uint32_t sequence, const uint8_t *bytes,
                        size_t captured, uint64_t length, uint32_t packet) {
    unsigned count = session->early_count[0] + session->early_count[1];
    if (!length)
        return;
    if (session->early_bytes + captured > WSX_EARLY_MAX || count >= WSX_EARLY_SEGMENTS_MAX) {
        session->hole[direction] |= session->http != WSX_HTTP_1; /* TCP's numbers tell it */
        return;
    }
    const tcp_flow_t *flow = session->tcp ? session->tcp->fwd : NULL;
    struct wsx_early *early = g_malloc(sizeof *early + captured);
    *early = (struct wsx_early){.direction = direction,
                                .sequence = sequence,
                                .length = length,
                                .captured = captured,
                                .after_hole = session->http != WSX_HTTP_1 &&
                                              session->hole[direction],
                                .packet = packet,
                                .time = wsx_state_time(pinfo)};
    session->hole[direction] = false;
    if (flow && flow->tcp_analyze_seq_info)
        early->acknowledged = flow->tcp_analyze_seq_info->lastack;
    if (captured)
        memcpy(early->bytes, bytes, captured);
    *session->early_end = early;
    session->early_end = &early->next;
    session->early_bytes += captured;
    if (!session->early_count[direction]++)
        session->early_since[direction] = early->time;
    touch(session, pinfo);
}

unsigned wsx_state_early_count(const struct wsx_session *session, enum wsx_direction direction,
                               int64_t *since) {
    unsigned count = session->early_count[direction];
    *since = count ? session->early_since[direction] : 0;
    return count;
}

static int64_t collecting_time(const struct wsx_collecting *collecting) {
    return collecting->pinfo ? wsx_state_time(collecting->pinfo) : collecting->session->last_time;
}

static uint32_t collecting_packet(const struct wsx_collecting *collecting) {
    return collecting->pinfo ? collecting->pinfo->num : collecting->session->last_packet;
}

/* Sent before the answer: unless its sender had received that by then, and only the capture has
 * them in another order. */
static bool is_too_early(const struct wsx_session *session, const struct wsx_early *early) {
    if (early->direction != WSX_CLIENT_TO_SERVER || !session->response_packet)
        return false;
    return !(session->answer_end && early->acknowledged &&
             (int32_t)(early->acknowledged - session->answer_end) >= 0);
}

/* Where an early piece stands; *before of its bytes are known. A piece behind a hole begins with the
 * payload of a DATA frame of HTTP/2: likely to be a frame's beginning, unless one was under way. */
static uint64_t early_offset(struct wsx_collecting *collecting, const struct wsx_early *early,
                             uint64_t *before) {
    struct wsx_session *session = collecting->session;
    enum wsx_direction direction = early->direction;
    const struct wsx_stream *stream = &session->core->side[direction].stream;
    uint64_t done, whole;
    *before = 0;
    if (session->position[direction].known)
        return wsx_state_offset(session, direction, early->sequence, before);
    if (early->after_hole && wsx_stream_pending(stream, &done, &whole)) {
        session->hole[direction] = true;
        return wsx_state_stream_offset(session, direction);
    }
    if (early->after_hole)
        wsx_connection_lose(session->core, direction, collecting_packet(collecting),
                            collecting_time(collecting), collecting);
    return stream->next;
}

static void flush_early(struct wsx_collecting *collecting) {
    struct wsx_session *session = collecting->session;
    bool told = false;
    for (struct wsx_early *early = session->early; early; early = early->next) {
        uint64_t before, offset = early_offset(collecting, early, &before);
        if (before >= early->length)
            continue;
        if (!told && is_too_early(session, early)) {
            struct wsx_finding_sink sink = {wsx_collect_finding, collecting};
            wsx_report(&sink, WSX_RULE_HS_EARLY_DATA, early->packet,
                       "%" G_GUINT64_FORMAT " bytes in packet %u, the answer is in packet %u",
                       early->length, early->packet, session->response_packet);
            told = true;
        }
        size_t drop = (size_t)MIN(before, (uint64_t)early->captured);
        wsx_connection_push(session->core, early->direction, offset, early->bytes + drop,
                            early->captured - drop, early->length - before, early->packet,
                            collecting_packet(collecting), collecting_time(collecting), collecting);
        if (early->after_hole) /* what comes next stands behind it, not in the hole */
            wsx_connection_give_up(session->core, early->direction, offset,
                                   collecting_packet(collecting), collecting_time(collecting),
                                   collecting);
    }
    if (collecting->findings) { /* no frame is complete yet that could hold them */
        struct wsx_note note = {.direction = WSX_CLIENT_TO_SERVER};
        wsx_core_events.note(collecting, &note);
    }
    early_clear(session);
}

/* Whose bytes wsx_h3_data gives at the end. */
struct giving {
    struct wsx_collecting *collecting;
    enum wsx_direction direction;
};

static void give_at_end(void *context, const uint8_t *bytes, size_t length, uint64_t missing,
                        bool unknown) {
    const struct giving *giving = context;
    struct wsx_collecting *collecting = giving->collecting;
    struct wsx_session *session = collecting->session;
    if (unknown)
        wsx_state_stream_hole(session, giving->direction);
    uint64_t offset = wsx_state_stream_offset(session, giving->direction) + missing;
    wsx_connection_push(session->core, giving->direction, offset, bytes, length, length,
                        collecting_packet(collecting), collecting_packet(collecting),
                        collecting_time(collecting), collecting);
    wsx_connection_give_up(session->core, giving->direction, offset, collecting_packet(collecting),
                           collecting_time(collecting), collecting);
}

/* What waits in an HTTP/3 stream for bytes before it: they will not come any more. */
static void flush_h3(struct wsx_session *session, struct wsx_collecting *collecting) {
    for (int d = 0; d < 2; d++) {
        struct giving giving = {collecting, d};
        if (session->h3[d] && session->core)
            wsx_h3_data_give_up(session->h3[d], give_at_end, &giving);
    }
}

/* ---- the end ---- */

void wsx_state_fin(struct wsx_session *session, enum wsx_direction direction, uint64_t offset) {
    session->fin_seen[direction] = true;
    session->fin_offset[direction] = offset;
}

/* One more than what was seen may be the number that an unseen FIN takes. */
void wsx_state_reach(struct wsx_session *session, enum wsx_direction direction, uint32_t sequence,
                     bool last) {
    const struct wsx_position *position = &session->position[direction];
    int32_t apart = (int32_t)(sequence - position->sequence);
    if (!position->known || session->fin_seen[direction] || apart <= 0)
        return;
    uint64_t offset = position->offset + (uint64_t)apart, done, whole;
    if (!session->core) {
        if (offset > session->answer_seen + 1) {
            session->lossy[direction] = true;
            session->fin_offset[direction] = last ? offset : 0;
        }
        return;
    }
    struct wsx_side *side = &session->core->side[direction];
    if (last && offset > side->stream.next + 1)
        session->fin_offset[direction] = offset;
    else if (offset > side->stream.next && wsx_stream_pending(&side->stream, &done, &whole))
        side->tail_unknown = true;
}

void wsx_state_elicited(struct wsx_session *session, enum wsx_direction direction,
                        uint32_t sequence) {
    const tcp_flow_t *flow = session->tcp->rev;
    if (!flow || !flow->tcp_analyze_seq_info || session->fin_seen[direction])
        return;
    /* 0: not even a segment that might have called for it was seen */
    if (flow->tcp_analyze_seq_info->lastack != sequence)
        wsx_store_carrier(session->conversation)->unread[direction] = true;
}

void wsx_store_unsettled(struct wsx_session *session) { g_ptr_array_add(unsettled, session); }

void wsx_state_end(struct wsx_session *session, enum wsx_cause cause) {
    if (session->cause)
        return;
    session->cause = cause;
    wsx_sessions_open--;
    wsx_store_unsettled(session);
}

static bool direction_is_complete(const struct wsx_session *session, enum wsx_direction d) {
    const struct wsx_stream *stream = &session->core->side[d].stream;
    return !stream->queue && (!session->fin_offset[d] || stream->next >= session->fin_offset[d]);
}

static void finish_sides(struct wsx_session *session, struct wsx_collecting *collecting,
                         bool all, bool proved) {
    for (int d = 0; d < 2; d++) {
        bool fin = session->fin_seen[d] && direction_is_complete(session, d);
        if (all || fin)
            wsx_connection_finish(session->core, d, session->fin_offset[d], proved,
                                  collecting_packet(collecting), collecting_time(collecting),
                                  collecting);
    }
}

/* The connection ended, and what a side sent last was not seen to its end: neither its last byte nor
 * what TLS made of the last ones. */
static bool tail_is_unseen(const struct wsx_session *session, enum wsx_direction direction) {
    bool replaced = session->cause == WSX_CAUSE_REPLACED && !session->fin_seen[direction];
    return replaced || wsx_store_carrier(session->conversation)->unread[direction];
}

static void note_unseen_tails(struct wsx_session *session) {
    for (int d = 0; d < 2; d++)
        if (tail_is_unseen(session, d))
            session->core->side[d].tail_unknown = true;
}

/* A capture that lacks segments of what carries the streams may lack the answer, too: that shows only
 * in what the server sends behind it. */
static bool carrier_is_lossy(const struct wsx_session *session) {
    const struct wsx_carrier *carrier = wsx_store_carrier(session->conversation);
    return carrier->settings[0].lossy || carrier->settings[1].lossy;
}

static bool is_unanswered(const struct wsx_session *session) {
    return !carrier_is_lossy(session) && session->cause != WSX_CAUSE_REFUSED && !session->lossy[WSX_SERVER_TO_CLIENT] &&
           !tail_is_unseen(session, WSX_SERVER_TO_CLIENT);
}

/* What only the end proves. */
static void judge_end(struct wsx_session *session, struct wsx_collecting *collecting) {
    struct wsx_finding_sink sink = {wsx_collect_finding, collecting};
    if (session->reset.seen)
        wsx_store_judge_reset(session, &sink);
    if (session->opened)
        wsx_connection_judge_end(session->core, collecting->pinfo->num, collecting);
    else if (is_unanswered(session))
        wsx_report(&sink, WSX_RULE_HS_UNANSWERED, session->request_packet,
                   "the request of packet %u", session->request_packet);
}

static const struct wsx_finding *findings_copy(const struct wsx_finding *list) {
    const struct wsx_finding *first = NULL, **end = &first;
    for (; list; list = list->next) {
        struct wsx_finding *copy = wmem_memdup(wmem_file_scope(), list, sizeof *list);
        copy->detail = wmem_strdup(wmem_file_scope(), list->detail);
        copy->next = NULL;
        *end = copy;
        end = wsx_finding_next(copy);
    }
    return first;
}

/* The answer never came, but what may be frames of the server did: it was not captured. */
static bool open_if_answered(struct wsx_session *session, packet_info *pinfo) {
    int64_t since;
    if (session->opened || session->response_packet ||
        !wsx_state_early_count(session, WSX_SERVER_TO_CLIENT, &since))
        return false;
    wsx_state_open_unanswered(pinfo, session);
    return true;
}

/* Ends and early bytes of one session, in the packet being settled. */
static void settle(struct wsx_session *session, struct wsx_collecting *collecting) {
    packet_info *pinfo = collecting->pinfo;
    if (session->setting_finding)
        wsx_store_tell_setting(session, collecting);
    bool late = (session->cause || session->fin_seen[0] || session->fin_seen[1]) &&
                open_if_answered(session, pinfo);
    if (session->opened && session->early)
        flush_early(collecting);
    for (int d = 0; d < 2 && late; d++) /* what was lost may have come behind */
        session->core->side[d].tail_unknown |= session->lossy[d];
    if (!session->cause && session->fin_seen[0] && session->fin_seen[1])
        wsx_state_end(session, WSX_CAUSE_FIN);
    if (session->opened && session->cause && !session->end_packet) {
        flush_h3(session, collecting);
        wsx_store_end_quic(session, collecting);
    }
    if (session->opened && session->cause && !session->end_packet)
        note_unseen_tails(session);
    if (session->opened && (session->cause || session->fin_seen[0] || session->fin_seen[1]))
        finish_sides(session, collecting, session->cause != WSX_CAUSE_NONE, true);
    if (!session->cause || session->end_packet)
        return;
    judge_end(session, collecting);
    if (session->cause != WSX_CAUSE_REPLACED)
        touch(session, pinfo);
    session->end_packet = pinfo->num;
    session->end_time = wsx_state_time(pinfo);
    session->end_findings = findings_copy(collecting->findings);
    wsx_record_end(collecting, session->cause);
    wsx_connection_free(session->core);
    session->core = NULL;
    early_clear(session);
}

static bool needs_settling(const struct wsx_session *session) {
    return session && !session->end_packet &&
           ((session->opened && session->early) || session->setting_finding || session->cause ||
            session->fin_seen[0] || session->fin_seen[1]);
}

/* The next session with something to settle in this packet: those that ended, then `session`. */
struct wsx_session *wsx_state_settle_one(packet_info *pinfo, struct wsx_session *session,
                                         struct wsx_collecting *collecting) {
    while (unsettled->len) {
        struct wsx_session *first = g_ptr_array_remove_index(unsettled, 0);
        uint32_t before = wsx_record_count();
        if (!needs_settling(first))
            continue;
        wsx_collect_init(collecting, first, pinfo);
        settle(first, collecting);
        if (wsx_record_count() != before)
            return first;
    }
    if (!needs_settling(session))
        return NULL;
    wsx_collect_init(collecting, session, pinfo);
    settle(session, collecting);
    return session;
}

bool wsx_state_has_unsettled(const struct wsx_session *session) {
    return unsettled->len > 0 || needs_settling(session);
}

void wsx_state_finish_at_eof(struct wsx_session *session, struct wsx_collecting *collecting) {
    open_if_answered(session, NULL);
    if (session->opened && session->early)
        flush_early(collecting);
    if (session->opened) {
        flush_h3(session, collecting);
        wsx_store_end_quic(session, collecting);
        finish_sides(session, collecting, true, false);
    }
    session->end_packet = session->last_packet;
    session->end_time = session->last_time;
    wsx_state_end(session, session->fin_seen[0] || session->fin_seen[1] ? WSX_CAUSE_FIN
                                                                        : WSX_CAUSE_EOF);
    wsx_record_end(collecting, session->cause);
    wsx_connection_free(session->core);
    session->core = NULL;
}
