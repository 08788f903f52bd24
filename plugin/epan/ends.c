/*
 * ends.c - what is done at a packet's end: bytes that came before the answer go into the
 * connection, and sessions that ended are judged; see state.h. The list of those to be settled is
 * kept here; all else is state.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include <epan/wmem_scopes.h>

static GPtrArray *unsettled; /* sessions with something to settle in this packet */

void wsx_store_ends_init(void) { unsettled = g_ptr_array_new(); }

void wsx_store_ends_cleanup(void) {
    g_ptr_array_free(unsettled, TRUE);
    unsettled = NULL;
}

/* ---- early bytes ---- */

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

static void report_early(const struct wsx_session *session, const struct wsx_early *early,
                         const struct wsx_finding_sink *sink) {
    wsx_report(sink, WSX_RULE_HS_EARLY_DATA, early->packet,
               "%" G_GUINT64_FORMAT " bytes in packet %u, the answer is in packet %u",
               early->length, early->packet, session->response_packet);
}

/* Whether a masked frame begins there, as neither a further request nor content of this one does.
 */
static bool is_frame(const uint8_t *bytes, size_t length) {
    struct wsx_frame_header header;
    if (!wsx_frame_header_parse(bytes, length, &header) || !header.masked)
        return false;
    unsigned opcode = wsx_header_opcode(&header);
    bool data = opcode == WSX_OPCODE_TEXT || opcode == WSX_OPCODE_BINARY;
    bool control = opcode >= WSX_OPCODE_CLOSE && opcode <= WSX_OPCODE_PONG;
    return wsx_header_fin(&header) ? data || control : data && !wsx_header_rsv(&header);
}

/* Of bytes that are not dissected, those of the first frame's header tell. */
void wsx_store_judge_refused(const struct wsx_session *session,
                             const struct wsx_finding_sink *sink) {
    const struct wsx_position *client = &session->position[WSX_CLIENT_TO_SERVER];
    const struct wsx_early *first = NULL;
    uint8_t bytes[WSX_HEADER_MAX];
    size_t length = 0;
    for (const struct wsx_early *early = session->early; early && length < sizeof bytes;
         early = early->next) {
        if (!is_too_early(session, early) || (first && early->after_hole) ||
            (client->known && (int32_t)(early->sequence - client->sequence) < 0))
            continue;
        size_t taken = MIN(sizeof bytes - length, early->captured);
        memcpy(bytes + length, early->bytes, taken);
        length += taken;
        first = first ? first : early;
    }
    if (first && is_frame(bytes, length))
        report_early(session, first, sink);
}

/* Where an early piece stands; *before of its bytes are known. */
static uint64_t early_offset(struct wsx_collecting *collecting, const struct wsx_early *early,
                             uint64_t *before) {
    struct wsx_session *session = collecting->session;
    enum wsx_direction direction = early->direction;
    const struct wsx_stream *stream = &session->core->side[direction].stream;
    uint64_t done, whole;
    *before = 0;
    if (session->position[direction].known)
        return wsx_state_offset(session, direction, early->sequence, before);
    if (!early->after_hole)
        return stream->next;
    if (stream->state == WSX_STREAM_SEARCH || wsx_stream_pending(stream, &done, &whole)) {
        session->hole[direction] = true;
        return wsx_state_stream_offset(session, direction);
    }
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
            report_early(session, early, &sink);
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
    wsx_store_early_clear(session);
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

static void finish_sides(struct wsx_session *session, struct wsx_collecting *collecting, bool all,
                         bool proved) {
    for (int d = 0; d < 2; d++) {
        bool fin = session->fin_seen[d] && direction_is_complete(session, d);
        if (all || fin)
            wsx_connection_finish(session->core, d, session->fin_offset[d], proved,
                                  collecting_packet(collecting), collecting_time(collecting),
                                  collecting);
    }
}

/* The connection ended, and what a side sent last was not seen to its end: neither its last byte
 * nor what TLS made of the last ones. */
static bool tail_is_unseen(const struct wsx_session *session, enum wsx_direction direction) {
    bool replaced = session->cause == WSX_CAUSE_REPLACED && !session->fin_seen[direction];
    return replaced || wsx_store_carrier(session->conversation)->unread[direction];
}

static void note_unseen_tails(struct wsx_session *session) {
    for (int d = 0; d < 2; d++)
        if (tail_is_unseen(session, d))
            session->core->side[d].tail_unknown = true;
}

static bool is_unanswered(const struct wsx_session *session) {
    return !wsx_store_carrier_is_lossy(session) && session->cause != WSX_CAUSE_REFUSED &&
           !session->lossy[WSX_SERVER_TO_CLIENT] && !tail_is_unseen(session, WSX_SERVER_TO_CLIENT);
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
        wsx_store_touch(session, pinfo);
    session->end_packet = pinfo->num;
    session->end_time = wsx_state_time(pinfo);
    session->end_findings = findings_copy(collecting->findings);
    wsx_record_end(collecting, session->cause);
    wsx_connection_free(session->core);
    session->core = NULL;
    wsx_store_early_clear(session);
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
    wsx_state_end(session,
                  session->fin_seen[0] || session->fin_seen[1] ? WSX_CAUSE_FIN : WSX_CAUSE_EOF);
    wsx_record_end(collecting, session->cause);
    wsx_connection_free(session->core);
    session->core = NULL;
}
