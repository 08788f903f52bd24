/*
 * records.c - what came of a connection's bytes: the core's events become records here, in the
 * first pass; later passes find them by packet, call by call. With state.c the only place that
 * stores; see state.h.
 *
 * All records of the file lie in one sequence, in the order in which they came, so that those of a
 * packet stand together. A call that gave just one whole frame at its beginning is that frame's
 * record alone; any other begins with a record of its own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"
#include "writable.h"

#include <stdlib.h>

unsigned wsx_limit_total_mib = 1024;

#define BLOCK_BITS 10u
#define BLOCK_SIZE (1u << BLOCK_BITS)

/* Shorter payloads are better copied to where the others of a file lie. */
#define TAKEN_MIN (1u << 14)

static GPtrArray *blocks; /* of BLOCK_SIZE records each */
static uint32_t record_count;
static uint64_t kept_bytes;
static GPtrArray *taken; /* buffers of the core's, see keep_payload */

void wsx_records_init(void) {
    blocks = g_ptr_array_new_with_free_func(g_free);
    taken = g_ptr_array_new_with_free_func(g_free);
    record_count = 0;
    kept_bytes = 0;
}

void wsx_records_cleanup(void) {
    g_ptr_array_free(blocks, TRUE);
    g_ptr_array_free(taken, TRUE);
    blocks = taken = NULL;
}

void wsx_records_forget(void) {
    g_ptr_array_set_size(blocks, MIN(blocks->len, 1));
    if (taken->len)
        g_ptr_array_set_size(taken, 0);
    record_count = 0;
}

uint32_t wsx_record_count(void) { return record_count; }

static struct wsx_record *record_at(uint32_t i) {
    return (struct wsx_record *)g_ptr_array_index(blocks, i >> BLOCK_BITS) + (i & (BLOCK_SIZE - 1));
}

static struct wsx_record *record_new(const struct wsx_session *session, uint32_t packet,
                                     enum wsx_kind kind, enum wsx_direction direction) {
    if (record_count >> BLOCK_BITS >= blocks->len)
        g_ptr_array_add(blocks, g_new(struct wsx_record, BLOCK_SIZE));
    struct wsx_record *record = record_at(record_count++);
    *record = (struct wsx_record){.packet = packet,
                                  .session = session->number,
                                  .delta = -1,
                                  .offset = -1,
                                  .kind = (uint8_t)kind,
                                  .direction = (uint8_t)direction};
    return record;
}

/* In the place of a packet: records are found by packet, in rising order, and those that the end of
 * the file makes are no packet's. */
#define AT_EOF UINT32_MAX

static uint32_t packet_of(const struct wsx_record *record) {
    return record->packet == AT_EOF ? wsx_state_session(record->session)->last_packet
                                    : record->packet;
}

static struct wsx_kept *kept_of(struct wsx_record *record) {
    if (!record->kept)
        record->kept = wmem_new0(wsx_store_scope(), struct wsx_kept);
    return record->kept;
}

struct wsx_record *wsx_record_add(struct wsx_collecting *collecting, enum wsx_kind kind,
                                  enum wsx_direction direction) {
    struct wsx_session *session = collecting->session;
    uint32_t packet = collecting->pinfo ? collecting->pinfo->num : session->last_packet;
    struct wsx_record *record = record_new(session, packet, kind, direction);
    const struct wsx_finding *findings = wsx_collect_take(collecting);
    if (findings)
        kept_of(record)->findings = findings;
    return record;
}

void wsx_record_end(struct wsx_collecting *collecting, enum wsx_cause cause) {
    struct wsx_record *record = wsx_record_add(collecting, WSX_KIND_END, 0);
    kept_of(record)->cause = cause;
    for (int d = 0; d < 2; d++) {
        struct wsx_fragment_list *fragments = &collecting->session->fragments[d];
        wmem_free(wmem_file_scope(), fragments->list);
        *fragments = (struct wsx_fragment_list){0};
    }
}

/* False over the total. */
static bool has_room(size_t length) {
    if (!wsx_store_is_kept())
        return true;
    if (kept_bytes + length > (uint64_t)wsx_limit_total_mib << 20)
        return false;
    kept_bytes += length;
    return true;
}

/* A copy that lasts as long as records do; NULL over the total. */
static const uint8_t *keep(const uint8_t *bytes, size_t length) {
    if (!length)
        return (const uint8_t *)"";
    return has_room(length) ? wmem_memdup(wsx_store_scope(), bytes, length) : NULL;
}

/* The same of a frame's payload. A long one that has a buffer of its own is not copied. */
static const uint8_t *keep_payload(const struct wsx_frame_event *event) {
    size_t length = event->frame->have;
    if (length < TAKEN_MIN)
        return keep(event->payload, length);
    if (!has_room(length))
        return NULL;
    uint8_t *buffer = wsx_frame_event_take(event);
    if (!buffer)
        return wmem_memdup(wsx_store_scope(), event->payload, length);
    g_ptr_array_add(taken, buffer);
    return buffer;
}

/* Said behind the findings that the record has already, and once. */
static void report_total(struct wsx_collecting *collecting, struct wsx_record *record) {
    struct wsx_finding_sink sink = {wsx_collect_finding, collecting};
    collecting->findings = kept_of(record)->findings;
    collecting->findings_end = &collecting->findings;
    bool said = false;
    while (*collecting->findings_end) {
        said = said || (*collecting->findings_end)->rule == WSX_RULE_MESSAGE_LIMIT;
        collecting->findings_end = wsx_finding_next(*collecting->findings_end);
    }
    if (!said)
        wsx_report(&sink, WSX_RULE_MESSAGE_LIMIT, 0,
                   "the %u MiB that are kept of the whole file are used up", wsx_limit_total_mib);
    kept_of(record)->findings = wsx_collect_take(collecting);
}

/* ---- rules of a message: those of all its frames ---- */

static void gather_rules(struct wsx_session *session, enum wsx_direction direction,
                         const struct wsx_finding *findings) {
    uint8_t *rules = session->open_rules[direction];
    for (; findings; findings = findings->next) {
        uint8_t count = session->open_rule_count[direction];
        if (!memchr(rules, (int)findings->rule, count))
            rules[session->open_rule_count[direction]++] = (uint8_t)findings->rule;
    }
}

/* Rules of an item: of its own findings, or of a message's other frames before. */
static void put_rules(struct wsx_session *session, enum wsx_direction direction, bool message,
                      struct wsx_record *record) {
    uint8_t *open = session->open_rules[direction];
    uint8_t saved[WSX_RULE_COUNT], saved_count = session->open_rule_count[direction];
    const struct wsx_finding *findings = record->kept ? record->kept->findings : NULL;
    if (!findings && !(message && saved_count))
        return;
    if (!message) {
        memcpy(saved, open, saved_count);
        session->open_rule_count[direction] = 0;
    }
    gather_rules(session, direction, findings);
    struct wsx_kept *kept = kept_of(record);
    kept->rule_count = session->open_rule_count[direction];
    kept->rules = wmem_memdup(wsx_store_scope(), open, kept->rule_count);
    session->open_rule_count[direction] = 0;
    if (!message) {
        memcpy(open, saved, saved_count);
        session->open_rule_count[direction] = saved_count;
    }
}

/* ---- the frames of a message ---- */

static void add_fragment(struct wsx_session *session, const struct wsx_frame_event *event,
                         uint32_t packet) {
    struct wsx_fragment_list *fragments = &session->fragments[event->direction];
    if (fragments->message_index != event->message_index) {
        fragments->message_index = event->message_index;
        fragments->count = 0;
    }
    if (fragments->count == WSX_FRAGMENTS_LISTED)
        return;
    if (fragments->count == fragments->size) {
        fragments->size = MIN(MAX(fragments->size * 2, 8), WSX_FRAGMENTS_LISTED);
        fragments->list = wmem_realloc(wmem_file_scope(), fragments->list,
                                       fragments->size * sizeof *fragments->list);
    }
    fragments->list[fragments->count++] =
        (struct wsx_fragment){packet, event->frame->header.payload_length};
}

/* Of a message of several frames; those of a message inside an unfinished one are not in the list.
 */
static void keep_fragments(struct wsx_kept_message *kept, const struct wsx_session *session) {
    const struct wsx_fragment_list *fragments = &session->fragments[kept->message.direction];
    if (kept->message.frames < 2 || fragments->message_index != kept->message.index)
        return;
    kept->fragment_count = fragments->count;
    kept->fragments =
        wmem_memdup(wsx_store_scope(), fragments->list, fragments->count * sizeof *fragments->list);
}

/* ---- the core's events ---- */

/* How a later pass gets the message's bytes. `in_frame`: they are the frame's payload. False over
 * the total kept. */
static bool keep_message(struct wsx_kept_message *kept, packet_info *pinfo, bool wire_in_frame,
                         bool bytes_in_frame) {
    struct wsx_message *message = &kept->message;
    const uint8_t *bytes = message->bytes, *wire = message->wire, *window = message->window;
    bool inflated = message->compressed && !message->raw;
    message->bytes = message->wire = message->window = NULL;
    kept->at = WSX_BYTES_IN_FRAME;
    if (bytes_in_frame)
        return true;
    kept->at = WSX_BYTES_KEPT;
    bool again = inflated && !kept->message.incomplete && message->have > WSX_WINDOW_MAX;
    if (!again) {
        message->bytes = keep(bytes, message->have);
        return message->bytes != NULL;
    }
    kept->at = WSX_BYTES_AGAIN;
    if (!wire_in_frame) {
        message->wire = keep(wire, message->wire_have);
        if (!message->wire)
            return false;
    }
    message->window = keep(window, message->window_length);
    if (!message->window)
        return false;
    wmem_allocator_t *pool = pinfo ? pinfo->pool : wmem_file_scope();
    kept->fresh = wmem_memdup(pool, bytes, message->have);
    kept->fresh_epoch = wsx_store_epoch();
    return true;
}

static void drop_message(struct wsx_collecting *collecting, struct wsx_record *record,
                         struct wsx_kept_message *kept) {
    struct wsx_message *message = &kept->message;
    report_total(collecting, record);
    message->have = 0;
    message->bytes = (const uint8_t *)"";
    message->incomplete = true;
    kept->at = WSX_BYTES_KEPT;
}

static void put_message(struct wsx_collecting *collecting, struct wsx_record *record,
                        const struct wsx_message *message, bool wire_in_frame,
                        bool bytes_in_frame) {
    struct wsx_kept_message *kept = wmem_new0(wsx_store_scope(), struct wsx_kept_message);
    kept->message = *message;
    /* the payload of a frame over several packets, which found no room */
    const struct wsx_kept_frame *frame = record->kept ? record->kept->frame : NULL;
    size_t due = bytes_in_frame ? message->have : wire_in_frame ? message->wire_have : 0;
    bool dropped = frame && frame->have < due;
    if (dropped || !keep_message(kept, collecting->pinfo, wire_in_frame, bytes_in_frame))
        drop_message(collecting, record, kept);
    keep_fragments(kept, collecting->session);
    kept_of(record)->message = kept;
}

static void count_message(struct wsx_session *session, const struct wsx_message *message) {
    session->totals[message->direction].messages++;
    session->totals[message->direction].bytes += message->have;
}

/* What the packet does not tell of a frame. */
static void put_frame(struct wsx_collecting *collecting, struct wsx_record *record,
                      const struct wsx_frame_event *event) {
    const struct wsx_frame *frame = event->frame;
    struct wsx_kept_frame *kept = wmem_new0(wsx_store_scope(), struct wsx_kept_frame);
    *kept = (struct wsx_kept_frame){.header = frame->header,
                                    .begin_packet = frame->begin_packet,
                                    .have = frame->have,
                                    .missing = frame->missing,
                                    .over_limit = frame->over_limit,
                                    .unfinished = frame->unfinished};
    kept->payload = keep_payload(event);
    if (!kept->payload) {
        report_total(collecting, record);
        kept->over_limit = true;
        kept->have = 0;
        kept->payload = (const uint8_t *)"";
    }
    kept_of(record)->frame = kept;
}

static void put_answer(struct wsx_record *record, const struct wsx_frame_event *event) {
    struct wsx_record *asked = event->answers_mark;
    if (event->answers_packet) {
        kept_of(record)->answers = event->answers_packet;
        kept_of(record)->answer_time = event->answer_time;
    }
    if (!wsx_store_is_kept())
        return;
    if (asked) {
        kept_of(asked)->answered_in = record->packet;
        kept_of(asked)->answer_time = event->answer_time;
    }
    if (event->mark)
        *event->mark = record;
}

/* The parts of a frame know now where it ends. */
static void end_part(struct wsx_session *session, const struct wsx_frame_event *event,
                     uint32_t packet) {
    struct wsx_part *part = wsx_writable(session->part[event->direction]);
    if (part && !event->frame->unfinished)
        part->ends_in = packet;
    session->part[event->direction] = NULL;
}

static bool is_plain_message(const struct wsx_frame_event *event) {
    const struct wsx_message *message = event->message;
    return message->frames == 1 && !message->compressed && !message->incomplete &&
           message->first_index == event->index && message->bytes == event->payload;
}

static void on_frame(void *context, const struct wsx_frame_event *event) {
    struct wsx_collecting *collecting = context;
    struct wsx_session *session = collecting->session;
    const struct wsx_frame *frame = event->frame;
    bool here = frame->whole && collecting->bytes;
    if (!here && session->part[event->direction])
        end_part(session, event, collecting->pinfo ? collecting->pinfo->num : 0);
    struct wsx_record *record = wsx_record_add(collecting, WSX_KIND_FRAME, event->direction);
    record->item = (uint8_t)event->kind;
    record->index = event->index;
    record->delta = event->delta;
    record->message_index = event->message_index;
    if (event->first_close)
        record->flags |= WSX_FLAG_FIRST_CLOSE;
    if (here)
        record->offset = (int32_t)(frame->whole - collecting->bytes);
    else
        put_frame(collecting, record, event);
    bool inside = event->message && event->message->first_index == event->index;
    if (event->message_index && !inside)
        add_fragment(session, event, record->packet);
    if (event->message) {
        bool in_frame = event->message->bytes == event->payload;
        if (event->message->utf8)
            record->flags |= WSX_FLAG_UTF8;
        if (!here || !is_plain_message(event))
            put_message(collecting, record, event->message, event->message->wire == event->payload,
                        in_frame);
        count_message(session, event->message);
    }
    if (event->answers_packet || event->mark)
        put_answer(record, event);
    session->totals[event->direction].frames++;
    if (event->kind == WSX_ITEM_FRAGMENT)
        gather_rules(session, event->direction, record->kept ? record->kept->findings : NULL);
    /* a message of its own inside an unfinished one does not take that one's rules */
    bool whole_message = event->message && event->message->frames > 1;
    if (event->kind != WSX_ITEM_FRAGMENT)
        put_rules(session, event->direction, whole_message, record);
}

static void on_broken(void *context, const struct wsx_message *message) {
    struct wsx_collecting *collecting = context;
    struct wsx_record *record = wsx_record_add(collecting, WSX_KIND_BROKEN, message->direction);
    record->message_index = message->index;
    put_message(collecting, record, message, false, false);
    put_rules(collecting->session, message->direction, true, record);
    count_message(collecting->session, message);
}

static void on_note(void *context, const struct wsx_note *note) {
    struct wsx_collecting *collecting = context;
    struct wsx_record *record = wsx_record_add(collecting, WSX_KIND_NOTE, note->direction);
    kept_of(record)->missing = note->missing;
    put_rules(collecting->session, note->direction, false, record);
}

const struct wsx_connection_events wsx_core_events = {on_frame, on_broken, on_note,
                                                      wsx_collect_finding};

/* ---- calls, first pass ---- */

static struct wsx_call *call_new(packet_info *pinfo, const struct wsx_session *session,
                                 enum wsx_direction direction) {
    struct wsx_call *call = wmem_new0(pinfo->pool, struct wsx_call);
    call->session = session;
    call->direction = direction;
    return call;
}

static struct wsx_record *call_begin(const struct wsx_session *session, packet_info *pinfo,
                                     enum wsx_direction direction, uint64_t length) {
    struct wsx_record *record = record_new(session, pinfo->num, WSX_KIND_CALL, direction);
    record->offset = (int32_t)MIN(length, INT32_MAX);
    return record;
}

/* A call that is its only frame needs no record of its own. True when it is so: then that frame's
 * record stands in its place. */
static bool call_is_its_frame(uint32_t first, const struct wsx_stream *stream) {
    uint64_t done, whole;
    if (record_count != first + 2 || wsx_stream_pending(stream, &done, &whole) ||
        stream->state == WSX_STREAM_SEARCH)
        return false;
    const struct wsx_record *frame = record_at(first + 1);
    if (frame->kind != WSX_KIND_FRAME || frame->offset != 0 || frame->item == WSX_ITEM_PING ||
        frame->item == WSX_ITEM_CLOSE) /* their record is marked */
        return false;
    *record_at(first) = *frame;
    record_count--;
    return true;
}

static void call_tail(struct wsx_call *call, struct wsx_session *session, struct wsx_record *record,
                      uint32_t packet) {
    const struct wsx_side *side = &session->core->side[call->direction];
    record->message_index = call->count;
    if (call->waiting)
        record->flags |= WSX_FLAG_WAITING;
    if (side->stream.state == WSX_STREAM_SEARCH) {
        call->searching = true;
        record->flags |= WSX_FLAG_SEARCHING;
    }
    if (!wsx_stream_pending(&side->stream, &call->part_done, &call->part_whole))
        return;
    if (!session->part[call->direction] && wsx_store_is_kept()) {
        struct wsx_part *part = wmem_new0(wmem_file_scope(), struct wsx_part);
        part->begins_in = side->stream.begin_packet ? side->stream.begin_packet : packet;
        session->part[call->direction] = part;
    }
    call->part_index = record->index = side->frames + 1;
    struct wsx_kept *kept = kept_of(record);
    kept->part_done = call->part_done;
    kept->part_whole = call->part_whole;
    kept->part = call->part = session->part[call->direction];
}

struct wsx_call *wsx_state_feed(packet_info *pinfo, struct wsx_session *session, tvbuff_t *tvb,
                                const uint8_t *bytes, size_t captured, uint64_t length,
                                enum wsx_direction direction, uint64_t offset, uint64_t acked) {
    struct wsx_collecting collecting;
    struct wsx_call *call = call_new(pinfo, session, direction);
    uint32_t first = record_count;
    wsx_collect_init(&collecting, session, pinfo);
    collecting.bytes = tvb ? bytes : NULL;
    struct wsx_record *own = call_begin(session, pinfo, direction, length);
    if (!tvb)
        own->flags |= WSX_FLAG_SETTLED;
    wsx_connection_push(session->core, direction, offset, bytes, captured, length, pinfo->num,
                        pinfo->num, wsx_state_time(pinfo), &collecting);
    wsx_connection_give_up(session->core, direction, acked, pinfo->num, wsx_state_time(pinfo),
                           &collecting);
    session->packets += session->last_packet != pinfo->num;
    session->last_packet = pinfo->num;
    session->last_time = wsx_state_time(pinfo);
    bool waits = session->core->side[direction].stream.queue != NULL;
    if (!waits)
        session->waiting_since[direction] = 0;
    else if (!session->waiting_since[direction])
        session->waiting_since[direction] = wsx_state_time(pinfo);
    call->first = first + 1;
    call->count = record_count - first - 1;
    call->length = length;
    call->settled = !tvb;
    call->waiting = length && offset > session->core->side[direction].stream.next;
    if (tvb && call_is_its_frame(first, &session->core->side[direction].stream))
        call->first = first;
    else
        call_tail(call, session, record_at(first), pinfo->num);
    return call;
}

/* One that a record can name until its own is known. */
static struct wsx_session *sessions_any(void) { return wsx_writable(wsx_state_session(0)); }

struct wsx_call *wsx_state_settle(packet_info *pinfo, struct wsx_session *session) {
    struct wsx_collecting collecting;
    if (!wsx_state_has_unsettled(session))
        return NULL;
    uint32_t first = record_count;
    struct wsx_session *owner = session ? session : sessions_any();
    call_begin(owner, pinfo, 0, 0)->flags = WSX_FLAG_SETTLED;
    struct wsx_session *settled = wsx_state_settle_one(pinfo, session, &collecting);
    if (record_count == first + 1) {
        record_count = first;
        return NULL;
    }
    if (settled)
        owner = settled;
    record_at(first)->session = owner->number;
    record_at(first)->message_index = record_count - first - 1;
    struct wsx_call *call = call_new(pinfo, owner, 0);
    call->first = first + 1;
    call->count = record_count - first - 1;
    return call;
}

/* ---- calls, later passes ---- */

static uint32_t first_of_packet(uint32_t packet) {
    uint32_t low = 0, high = record_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (record_at(middle)->packet < packet)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct wsx_call *recall(packet_info *pinfo, bool settled, uint32_t length) {
    struct wsx_packet *packet = wsx_state_packet(pinfo);
    if (packet->cursor == UINT32_MAX)
        packet->cursor = first_of_packet(pinfo->num);
    while (packet->cursor < record_count) {
        struct wsx_record *record = record_at(packet->cursor);
        if (record->packet != pinfo->num)
            return NULL;
        bool own = record->kind == WSX_KIND_CALL;
        if (settled != (own && (record->flags & WSX_FLAG_SETTLED))) {
            if (!settled)
                return NULL;
            packet->cursor += own ? record->message_index + 1 : 1;
            continue;
        }
        uint32_t count = own ? record->message_index : 1;
        struct wsx_call *call =
            call_new(pinfo, wsx_state_session(record->session), record->direction);
        call->first = packet->cursor + (own ? 1 : 0);
        call->count = count;
        packet->cursor = call->first + count;
        if (own && !settled && (uint32_t)record->offset != length)
            continue; /* of other bytes */
        call->settled = settled;
        call->length = own ? (uint32_t)record->offset : length;
        if (own) {
            call->searching = (record->flags & WSX_FLAG_SEARCHING) != 0;
            call->waiting = (record->flags & WSX_FLAG_WAITING) != 0;
            call->part_index = record->index;
            if (record->kept) {
                call->part_done = record->kept->part_done;
                call->part_whole = record->kept->part_whole;
                call->part = record->kept->part;
            }
        }
        return call;
    }
    return NULL;
}

struct wsx_call *wsx_state_recall(packet_info *pinfo, uint32_t length) {
    return recall(pinfo, false, length);
}

struct wsx_call *wsx_state_recall_settled(packet_info *pinfo) {
    return recall(pinfo, true, 0);
}

/* ---- items ---- */

static void item_frame(const struct wsx_record *record, tvbuff_t *tvb, struct wsx_item *item) {
    const struct wsx_kept_frame *frame = record->kept ? record->kept->frame : NULL;
    item->begin_packet = packet_of(record);
    if (frame) {
        item->header = frame->header;
        item->begin_packet = frame->begin_packet;
        item->have = frame->have;
        item->missing = frame->missing;
        item->over_limit = frame->over_limit;
        item->unfinished = frame->unfinished;
        item->wire = frame->payload;
        item->plain = true;
        return;
    }
    /* it lies in the packet as it lay there in the first pass */
    int left = tvb ? (int)tvb_captured_length(tvb) - record->offset : 0;
    if (left <= 0)
        return;
    const uint8_t *bytes = tvb_get_ptr(tvb, record->offset, left);
    wsx_frame_header_parse(bytes, (size_t)left, &item->header);
    item->have = (size_t)MIN(item->header.payload_length, (uint64_t)(left - item->header.length));
    item->wire = bytes + item->header.length;
}

static void item_message(const struct wsx_record *record, packet_info *pinfo,
                         struct wsx_item *item) {
    const struct wsx_kept_message *kept = record->kept ? record->kept->message : NULL;
    if (!kept && record->item != WSX_ITEM_MESSAGE)
        return;
    item->message = wmem_new0(pinfo->pool, struct wsx_message);
    if (kept) {
        *item->message = kept->message;
        item->fragments = kept->fragments;
        item->fragment_count = kept->fragment_count;
        return;
    }
    *item->message =
        (struct wsx_message){.direction = item->direction,
                             .index = record->message_index,
                             .text = wsx_header_opcode(&item->header) == WSX_OPCODE_TEXT,
                             .utf8 = (record->flags & WSX_FLAG_UTF8) != 0,
                             .length_known = true,
                             .frames = 1,
                             .first_index = record->index,
                             .first_packet = packet_of(record),
                             .first_time = wsx_state_time(pinfo),
                             .wire_length = item->header.payload_length,
                             .length = item->header.payload_length,
                             .have = item->have};
}

static void item_of(const struct wsx_record *record, tvbuff_t *tvb, packet_info *pinfo,
                    struct wsx_item *item) {
    const struct wsx_kept *kept = record->kept;
    *item = (struct wsx_item){.session = wsx_state_session(record->session),
                              .kind = record->kind,
                              .direction = record->direction,
                              .packet = packet_of(record),
                              .item = record->item,
                              .index = record->index,
                              .delta = record->delta,
                              .offset = record->offset,
                              .message_index = record->message_index,
                              .first_close = (record->flags & WSX_FLAG_FIRST_CLOSE) != 0,
                              .kept = kept,
                              .wire = (const uint8_t *)""};
    if (kept) {
        item->findings = kept->findings;
        item->rules = kept->rules;
        item->rule_count = kept->rule_count;
        item->missing = kept->missing;
        item->answers = kept->answers;
        item->answered_in = kept->answered_in;
        item->answer_time = kept->answer_time;
        item->cause = kept->cause;
    }
    if (item->kind == WSX_KIND_FRAME)
        item_frame(record, tvb, item);
    item_message(record, pinfo, item);
}

void wsx_state_item(const struct wsx_call *call, uint32_t i, tvbuff_t *tvb, packet_info *pinfo,
                    struct wsx_item *item) {
    item_of(record_at(call->first + i), tvb, pinfo, item);
}

const uint8_t *wsx_item_payload(const struct wsx_item *item, packet_info *pinfo, size_t max) {
    size_t length = MIN(item->have, max);
    if (item->plain || !item->header.masked || !length)
        return item->wire;
    uint8_t *plain = wmem_alloc(pinfo->pool, length);
    wsx_unmask(plain, item->wire, length, item->header.key, 0);
    return plain;
}

static const uint8_t *inflate_again(const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    const uint8_t *wire = message->wire ? message->wire : wsx_item_payload(item, pinfo, item->have);
    struct wsx_inflate_output output;
    wsx_inflate_again(message->window, message->window_length, wire, message->wire_have,
                      message->have, &output);
    uint8_t *bytes = wmem_alloc0(pinfo->pool, message->have);
    if (output.length)
        memcpy(bytes, output.bytes, MIN(output.length, message->have));
    free(output.bytes);
    return bytes;
}

const uint8_t *wsx_item_message(const struct wsx_item *item, packet_info *pinfo, size_t max) {
    const struct wsx_kept_message *kept = item->kept ? item->kept->message : NULL;
    struct wsx_message *message = item->message;
    if (message->bytes)
        return message->bytes;
    if (!kept || kept->at == WSX_BYTES_IN_FRAME) {
        const uint8_t *bytes = wsx_item_payload(item, pinfo, max);
        if (max >= message->have)
            message->bytes = bytes;
        return bytes;
    }
    if (kept->fresh && kept->fresh_epoch == wsx_store_epoch())
        message->bytes = kept->fresh;
    else
        message->bytes = inflate_again(item, pinfo);
    return message->bytes;
}

/* ---- the end of the file ---- */

void wsx_state_at_eof(void (*visit)(const struct wsx_item *item, packet_info *pinfo, void *data),
                      void *data) {
    /* Items need a packet_info only for its memory and its time. */
    packet_info pinfo = {.pool = wmem_file_scope()};
    for (unsigned i = 0; i < wsx_state_session_count(); i++) {
        struct wsx_session *session = wsx_writable(wsx_state_session(i));
        struct wsx_collecting collecting;
        struct wsx_item item;
        if (session->end_packet && !session->at_eof)
            continue;
        if (!session->at_eof) {
            wsx_collect_init(&collecting, session, NULL);
            session->eof_first = record_count;
            wsx_state_finish_at_eof(session, &collecting);
            session->eof_count = record_count - session->eof_first;
            for (uint32_t r = 0; r < session->eof_count; r++)
                record_at(session->eof_first + r)->packet = AT_EOF;
            session->at_eof = true;
        }
        pinfo.num = session->last_packet;
        pinfo.abs_ts.secs = (time_t)(session->last_time / 1000000000);
        pinfo.abs_ts.nsecs = (int)(session->last_time % 1000000000);
        for (uint32_t r = 0; r < session->eof_count; r++) {
            item_of(record_at(session->eof_first + r), NULL, &pinfo, &item);
            visit(&item, &pinfo, data);
        }
    }
}
