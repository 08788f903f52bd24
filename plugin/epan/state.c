/*
 * state.c - sessions: what is known of each WebSocket connection, from its request to its end; see
 * state.h for what is stored and for how long. records.c holds what came of their bytes; nothing
 * else stores.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include "fields.h"
#include "request.h"
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

/* Bytes of findings kept of a file, about a million of them: each frame of two bytes may break
 * three rules. With the last one the limit is told. */
#define WSX_FINDINGS_MAX (UINT64_C(256) << 20)
/* Of one finding, with what hangs on its record. */
#define WSX_FINDING_OVERHEAD 160u

/* Most packets have a frame or two; a large table for each would leave the processor's caches cold.
 */
#define WSX_ITEMS_AT_FIRST 4u

static GPtrArray *sessions;           /* all of the file, by number */
static GArray *handshake_packets;     /* of heads, uint32_t, in rising order */
static GPtrArray *handshake_sessions; /* whose head it is, one for each of those */
static wmem_map_t *by_addresses;      /* a session to the latest one between its ends */
static GHashTable *keys;              /* Sec-WebSocket-Key to struct wsx_session */
static uint64_t findings_bytes;       /* kept, see WSX_FINDINGS_MAX */

/* See wsx_state_enter. */
static struct {
    const frame_data *last_frame;
    uint32_t last_packet;
    bool visited; /* last_frame was, when its dissection began */
    bool between; /* columns were there, or our tap ran, since last_frame */
    bool once;
    wmem_allocator_t *scope; /* of one packet, with once */
    uint32_t epoch;
    uint32_t
        noted; /* the last epoch in which a packet got something of ours, see wsx_state_packet */
} pass;

int64_t wsx_state_time(const packet_info *pinfo) {
    return (int64_t)((uint64_t)pinfo->abs_ts.secs * UINT64_C(1000000000) +
                     (uint64_t)pinfo->abs_ts.nsecs);
}

/* ---- lifetimes ---- */

/* Of sessions, by both their ends. */
static guint ends_hash(gconstpointer key) {
    const struct wsx_session *session = key;
    guint hash = (session->client.port << 16) + session->server.port;
    hash = add_address_to_hash(hash, &session->client.address);
    return add_address_to_hash(hash, &session->server.address);
}

static gboolean ends_equal(gconstpointer key, gconstpointer other_key) {
    const struct wsx_session *one = key, *other = other_key;
    return one->client.port == other->client.port && one->server.port == other->server.port &&
           addresses_equal(&one->client.address, &other->client.address) &&
           addresses_equal(&one->server.address, &other->server.address);
}

static void state_init(void) {
    sessions = g_ptr_array_new();
    handshake_packets = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    handshake_sessions = g_ptr_array_new();
    by_addresses = wmem_map_new(wmem_file_scope(), ends_hash, ends_equal);
    keys = g_hash_table_new(g_str_hash, g_str_equal); /* keys of the sessions' own heads */
    wsx_store_ends_init();
    findings_bytes = 0;
    wsx_store_lookup_init();
    wsx_request_init();
    wsx_records_init();
    wsx_store_streams_init();
    wsx_store_blocks_init();
    wsx_store_pieces_init();
}

void wsx_store_early_clear(struct wsx_session *session) {
    while (session->early) {
        struct wsx_early *first = session->early;
        session->early = first->next;
        g_free(first);
    }
    session->early_end = &session->early;
    session->early_bytes = 0;
    memset(session->early_count, 0, sizeof session->early_count);
}

static void state_cleanup(void) {
    g_hash_table_destroy(keys);
    for (guint i = 0; i < sessions->len; i++) {
        struct wsx_session *session = g_ptr_array_index(sessions, i);
        wsx_connection_free(session->core);
        wsx_head_clear(&session->request);
        wsx_head_clear(&session->response);
        wsx_store_early_clear(session);
        g_free(session->answer);
        wsx_h3_data_free(session->h3[0]);
        wsx_h3_data_free(session->h3[1]);
    }
    g_array_free(handshake_packets, TRUE);
    g_ptr_array_free(handshake_sessions, TRUE);
    handshake_packets = NULL;
    handshake_sessions = NULL;
    g_ptr_array_free(sessions, TRUE);
    wsx_store_ends_cleanup();
    wsx_store_blocks_cleanup();
    sessions = NULL;
    keys = NULL;
    wsx_records_cleanup();
    wsx_inflate_release();
    if (pass.scope)
        wmem_destroy_allocator(pass.scope);
    memset(&pass, 0, sizeof pass);
    wsx_sessions_open = 0;
    wsx_store_any_carried = false;
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
    if (pinfo->num == pass.last_packet && pinfo->fd == pass.last_frame && visited == pass.visited) {
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

struct wsx_packet *wsx_state_packet_here(packet_info *pinfo) {
    if (pass.noted != pass.epoch) /* Wireshark's look-up goes over a list */
        return NULL;
    return wsx_state_packet_peek(pinfo);
}

struct wsx_packet *wsx_state_packet(packet_info *pinfo) {
    struct wsx_packet *packet = wsx_state_packet_here(pinfo);
    if (!packet) {
        pass.noted = pass.epoch;
        packet = wmem_new0(pinfo->pool, struct wsx_packet);
        packet->cursor = UINT32_MAX;
        packet->items =
            wmem_array_sized_new(pinfo->pool, sizeof(struct wsx_item), WSX_ITEMS_AT_FIRST);
        p_add_proto_data(pinfo->pool, pinfo, wsx_proto, 0x777378, packet);
    }
    return packet;
}

/* ---- findings ---- */

/* Which preference switches a rule: what RFC 6455 says under "Security Considerations" is a group
 * of its own. */
static bool rule_is_enabled(enum wsx_rule rule) {
    const struct wsx_rule_info *info = wsx_rule_info(rule);
    static const int groups[] = {[WSX_SCOPE_HANDSHAKE] = WSX_GROUP_HANDSHAKE,
                                 [WSX_SCOPE_FRAME] = WSX_GROUP_FRAME,
                                 [WSX_SCOPE_MESSAGE] = WSX_GROUP_MESSAGE,
                                 [WSX_SCOPE_CLOSE] = WSX_GROUP_CLOSE,
                                 [WSX_SCOPE_CONTROL] = WSX_GROUP_CLOSE,
                                 [WSX_SCOPE_DEFLATE] = WSX_GROUP_DEFLATE,
                                 [WSX_SCOPE_STREAM] = -1,
                                 [WSX_SCOPE_HTTP2] = WSX_GROUP_HANDSHAKE};
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

static uint32_t handshake_packet(guint place) {
    return g_array_index(handshake_packets, uint32_t, place);
}

/* The first of this packet or of a later one. */
static guint handshake_place(uint32_t packet) {
    guint low = 0, high = handshake_packets->len;
    if (high && handshake_packet(high - 1) < packet) /* the first pass comes to most packets so */
        return high;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (handshake_packet(middle) < packet)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct wsx_handshakes wsx_state_handshakes(uint32_t packet) {
    struct wsx_handshakes found = {NULL, 0};
    if (!handshake_packets)
        return found;
    guint first = handshake_place(packet), end = first;
    while (end < handshake_packets->len && handshake_packet(end) == packet)
        end++;
    if (end > first) {
        found.sessions = (struct wsx_session *const *)handshake_sessions->pdata + first;
        found.count = end - first;
    }
    return found;
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
    guint place = handshake_place(packet + 1);
    if (place && handshake_packet(place - 1) == packet &&
        g_ptr_array_index(handshake_sessions, place - 1) == session)
        return;
    g_array_insert_val(handshake_packets, place, packet);
    g_ptr_array_insert(handshake_sessions, (gint)place, session);
}

/* ---- making sessions ---- */

static void end_init(struct wsx_end *end, const address *addr, uint32_t port) {
    copy_address_wmem(wmem_file_scope(), &end->address, addr);
    end->port = port;
}

/* Made when it is asked for: a listing of many connections names none. */
const char *wsx_end_text(const struct wsx_end *end) {
    if (end->text)
        return end->text;
    char *text = address_to_str(NULL, &end->address), digits[12];
    bool brackets = end->address.type == AT_IPv6;
    g_snprintf(digits, sizeof digits, ":%u", end->port);
    struct wsx_end *own = wsx_writable(end);
    own->text = wmem_strconcat(wmem_file_scope(), brackets ? "[" : "", text, brackets ? "]" : "",
                               digits, NULL);
    wmem_free(NULL, text);
    return end->text;
}

/* NULL stays NULL: wmem_strdup makes a text of it. Fields take only UTF-8: what is none becomes
 * U+FFFD, as in the JSON Lines. */
static const char *text_copy(const char *text) {
    if (!text || g_utf8_validate(text, -1, NULL))
        return text ? wmem_strdup(wmem_file_scope(), text) : NULL;
    char *valid = g_utf8_make_valid(text, -1);
    const char *copy = wmem_strdup(wmem_file_scope(), valid);
    g_free(valid);
    return copy;
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

void wsx_store_touch(struct wsx_session *session, const packet_info *pinfo) {
    session->packets += session->last_packet != pinfo->num;
    session->last_packet = pinfo->num;
    session->last_time = wsx_state_time(pinfo);
}

/* The addresses and ports of an earlier connection begin a new one: that one is over. */
static void replace_earlier(struct wsx_session *session) {
    struct wsx_session *earlier = wmem_map_insert(by_addresses, session, session);
    if (earlier && earlier->conversation != session->conversation)
        wsx_state_carrier_end(earlier, WSX_CAUSE_REPLACED);
}

static struct wsx_session *session_new(packet_info *pinfo, bool from_client, bool encrypted) {
    struct wsx_session *session = wmem_new0(wmem_file_scope(), struct wsx_session);
    conversation_t *conversation = wsx_store_conversation(pinfo, true);
    session->number = sessions->len;
    g_ptr_array_add(sessions, session);
    session->early_end = &session->early;
    session->encrypted = encrypted;
    wsx_store_any_carried |= encrypted;
    end_init(from_client ? &session->client : &session->server, &pinfo->src, pinfo->srcport);
    end_init(from_client ? &session->server : &session->client, &pinfo->dst, pinfo->destport);
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
    wsx_store_touch(session, pinfo);
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
    struct wsx_carrier *carrier = wsx_store_carrier_new(session->conversation);
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
    wsx_store_touch(session, pinfo);
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
    if (!wsx_head_agrees(&session->response))
        wsx_store_judge_refused(session, &sink);
    session->response_findings = wsx_collect_take(&collecting);
    if (!wsx_store_answer_is_whole(session, pinfo)) {
        wsx_agreement_clear(&agreement);
        wsx_agreement_init(&agreement);
    }
    if (wsx_head_agrees(&session->response)) {
        core_new(session, &agreement);
        for (int d = 0; d < 2 && unseen && session->http == WSX_HTTP_3; d++)
            wsx_connection_start_unknown(session->core, d); /* frames are to prove that it is one */
        if (session->early && session->http != WSX_HTTP_1)
            wsx_store_unsettled(session);
    } else {
        wsx_agreement_clear(&agreement);
        wsx_store_early_clear(session);
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
    *early =
        (struct wsx_early){.direction = direction,
                           .sequence = sequence,
                           .length = length,
                           .captured = captured,
                           .after_hole = session->http != WSX_HTTP_1 && session->hole[direction],
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
    wsx_store_touch(session, pinfo);
}

unsigned wsx_state_early_count(const struct wsx_session *session, enum wsx_direction direction,
                               int64_t *since) {
    unsigned count = session->early_count[direction];
    *since = count ? session->early_since[direction] : 0;
    return count;
}
