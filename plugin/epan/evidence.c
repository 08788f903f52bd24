/*
 * evidence.c - the heuristics: is a connection without a handshake WebSocket's? The bytes of both
 * directions are searched for chains of frames (core/search.c). It is believed by two frames in a
 * row in one direction, or by one in each where one is masked and the other is not.
 *
 * A connection that is captured from its first byte on is not looked at: WebSocket begins with
 * HTTP.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "evidence.h"

#include "fields.h"

/* Bits that two frames of a direction need; that one frame in each direction needs. */
#define ENOUGH_CHAIN 36
#define ENOUGH_EACH WSX_EVIDENCE_ENOUGH
/* Bytes of a direction that are looked at in one go, and how often it is tried again: behind a
 * frame of up to a megabyte. */
#define LOOK_BYTES (64u * 1024u)
#define ROUNDS_MAX 16u
/* Where offsets begin: segments may come that were sent before the first one. */
#define FIRST_OFFSET (UINT64_C(1) << 32)
/* Bytes looked at and kept of all connections together. */
#define TOTAL_MAX (UINT64_C(64) << 20)
/* struct tcp_analysis, conversation_completeness: SYN and SYN-ACK */
#define SYN_SEEN 3

struct wsx_evidence {
    struct side {
        struct wsx_search *search;
        bool known; /* TCP: the sequence number of FIRST_OFFSET */
        uint32_t sequence;
        uint64_t next; /* offset behind what was looked at */
        unsigned rounds;
        struct wsx_best best;
    } side[2];
    bool done; /* it is, or it is not */
};

static GPtrArray *all;
static uint64_t total;

static void drop(struct wsx_evidence *evidence) {
    for (int d = 0; d < 2; d++) {
        struct side *side = &evidence->side[d];
        total -= side->search ? wsx_search_bytes(side->search) : 0;
        wsx_search_free(side->search);
        side->search = NULL;
    }
    evidence->done = true;
}

static void evidence_init(void) {
    all = g_ptr_array_new();
    total = 0;
}

static void evidence_cleanup(void) {
    for (guint i = 0; i < all->len; i++)
        drop(g_ptr_array_index(all, i));
    g_ptr_array_free(all, TRUE);
    all = NULL;
}

void wsx_evidence_register(void) {
    register_init_routine(evidence_init);
    register_cleanup_routine(evidence_cleanup);
}

/* The built-in dissector has its own data under the protocol: it would take ours for it. */
static struct wsx_evidence *evidence_of(conversation_t *conversation) {
    struct wsx_evidence *evidence = conversation_get_proto_data(conversation, hf_direction);
    if (!evidence) {
        evidence = wmem_new0(wmem_file_scope(), struct wsx_evidence);
        conversation_add_proto_data(conversation, hf_direction, evidence);
        g_ptr_array_add(all, evidence);
    }
    return evidence;
}

/* Bytes at an offset; what lies before those looked at is passed over. */
static void look(struct side *side, uint64_t offset, const uint8_t *bytes, size_t length,
                 bool whole, uint32_t packet) {
    static const struct wsx_expectation expectation = {WSX_MASKING_UNKNOWN, true, false};
    if (offset < side->next || !length || side->rounds > ROUNDS_MAX)
        return;
    if (side->search && wsx_search_bytes(side->search) + length > LOOK_BYTES) {
        total -= wsx_search_bytes(side->search);
        wsx_search_free(side->search);
        side->search = NULL;
        if (++side->rounds > ROUNDS_MAX)
            return;
    }
    if (!side->search)
        side->search = wsx_search_new(&expectation);
    bool behind_hole = offset > side->next;
    wsx_search_add(side->search, offset, bytes, length, packet,
                   behind_hole ? WSX_EVIDENCE_HOLE_END : WSX_EVIDENCE_SEGMENT_START, whole);
    side->next = offset + length;
    total += length;
    struct wsx_best best = wsx_search_best(side->search);
    if (best.bits > side->best.bits)
        side->best = best;
}

/* True when it is; *masked: so are the frames of this side. */
static bool is_enough(const struct wsx_evidence *evidence, int d, bool *masked) {
    const struct wsx_best *here = &evidence->side[d].best, *there = &evidence->side[!d].best;
    bool opposite = here->frames && there->frames && here->masked != there->masked;
    *masked = here->masked;
    if (here->frames >= 2 && here->bits >= ENOUGH_CHAIN)
        return opposite || there->frames < 2 || there->bits < ENOUGH_EACH;
    return opposite && here->bits >= ENOUGH_EACH && there->bits >= ENOUGH_EACH;
}

/* Captured from its first byte on. */
static bool is_whole(const struct tcp_analysis *tcp, const struct wsx_tcp_view *view) {
    return (tcp->conversation_completeness & SYN_SEEN) && tcp->fwd &&
           view->sequence == tcp->fwd->base_seq + 1;
}

struct wsx_evidence *wsx_evidence_segment(packet_info *pinfo, conversation_t *conversation,
                                          const struct tcp_analysis *tcp,
                                          const struct wsx_tcp_view *view, bool *from_client) {
    struct wsx_evidence *evidence = evidence_of(conversation);
    int d = tcp->fwd == &tcp->flow1 ? 0 : 1;
    struct side *side = &evidence->side[d];
    if (evidence->done || total > TOTAL_MAX)
        return NULL;
    if (!side->known && is_whole(tcp, view)) {
        drop(evidence);
        return NULL;
    }
    if (!side->known) {
        side->known = true;
        side->sequence = view->sequence;
    }
    int32_t apart = (int32_t)(view->sequence - side->sequence);
    look(side, (uint64_t)((int64_t)FIRST_OFFSET + apart), view->payload, view->captured,
         view->captured == view->length, pinfo->num);
    if (!is_enough(evidence, d, from_client))
        return NULL;
    evidence->done = true;
    return evidence;
}

void wsx_evidence_replay(struct wsx_evidence *evidence, packet_info *pinfo,
                         struct wsx_session *session) {
    for (int d = 0; d < 2; d++) {
        struct side *side = &evidence->side[d];
        bool client = session->client_flow == (d ? &session->tcp->flow2 : &session->tcp->flow1);
        enum wsx_direction direction = client ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT;
        uint64_t offset = 0;
        const uint8_t *bytes;
        size_t length;
        uint32_t packet;
        bool first = true;
        for (unsigned i = 0; side->search && wsx_search_run(side->search, &i, 0, &offset, &bytes,
                                                            &length, &packet);) {
            uint32_t sequence = side->sequence + (uint32_t)(offset - FIRST_OFFSET);
            if (first && !session->encrypted)
                wsx_state_anchor(session, direction, sequence);
            first = false;
            wsx_state_early_in(pinfo, session, direction, sequence, bytes, length, length, packet);
        }
    }
    drop(evidence);
}

struct wsx_evidence *wsx_evidence_record(packet_info *pinfo, const uint8_t *bytes, unsigned length,
                                         bool *from_client) {
    conversation_t *conversation = find_or_create_conversation(pinfo);
    struct wsx_evidence *evidence = evidence_of(conversation);
    struct tcp_analysis *tcp =
        pinfo->ptype == PT_TCP ? get_tcp_conversation_data(conversation, pinfo) : NULL;
    int d = tcp && tcp->fwd != &tcp->flow1;
    if (evidence->done || total > TOTAL_MAX)
        return NULL;
    struct side *side = &evidence->side[d];
    look(side, MAX(side->next, FIRST_OFFSET), bytes, length, true, pinfo->num);
    if (!is_enough(evidence, d, from_client))
        return NULL;
    evidence->done = true;
    return evidence;
}
