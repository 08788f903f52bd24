/*
 * stream.c - bytes to frames, one direction; see stream.h. A frame that lies wholly in one pushed
 * piece is reported without a copy; of any other, the payload is gathered in `kept`.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stream.h"

#include <glib.h>
#include <string.h>

/* What waits for earlier bytes: more than any window in flight that a capture is likely to hold,
 * and bounded. */
#define WSX_QUEUE_BYTES (4u << 20)
#define WSX_QUEUE_SEGMENTS 4096u

/* A buffer above this is given back after its frame: large frames are rare. */
#define KEPT_IDLE_MAX (1u << 16)

/* A header's promise is not believed: a buffer grows with what came, by steps that copy little.
 * From a sixteenth of the whole on it gets its full size; what is not written to takes no memory
 * yet. */
#define GROWTH 4u
#define GROWTH_LAST 16u

/* Bytes given to a search at a time: a piece of HTTP/2 may have 16 MB, and a search keeps places of
 * each. */
#define SEARCH_STEP (WSX_SEARCH_BYTES / 4)

/* Frames behind a search that may still show that it was wrong. */
#define TRUSTED_FRAMES 16u

struct wsx_segment {
    struct wsx_segment *next;
    uint64_t offset, length; /* length may be over captured: cut by the capture */
    size_t captured;
    uint32_t packet;
    uint8_t bytes[];
};

/* One run of consecutive bytes on its way through the stream. */
struct run {
    const uint8_t *bytes;
    size_t length;
    uint32_t packet;
    bool live; /* of the push itself, not from a queue */
    void *context;
    const uint8_t *segment; /* where a segment begins; NULL: somewhere before */
    bool ends_segment;      /* a segment ends with the run */
};

void wsx_stream_init(struct wsx_stream *stream, const struct wsx_stream_events *events,
                     size_t frame_limit) {
    memset(stream, 0, sizeof *stream);
    stream->events = events;
    stream->frame_limit = frame_limit;
}

void wsx_stream_clear(struct wsx_stream *stream) {
    g_free(stream->kept);
    wsx_search_free(stream->search);
    while (stream->queue) {
        struct wsx_segment *first = stream->queue;
        stream->queue = first->next;
        g_free(first);
    }
    memset(stream, 0, sizeof *stream);
}

static void search_begin(struct wsx_stream *stream) {
    stream->state = WSX_STREAM_SEARCH;
    if (!stream->search)
        stream->search = wsx_search_new(&stream->expectation);
}

void wsx_stream_start_unknown(struct wsx_stream *stream) {
    stream->habit.hole = true;
    search_begin(stream);
}

static void keep(struct wsx_stream *stream, const uint8_t *bytes, size_t length) {
    if (stream->missing || stream->over_limit)
        return;
    if (length > stream->frame_limit - stream->kept_length) {
        length = stream->frame_limit - stream->kept_length;
        stream->over_limit = true;
    }
    if (!length)
        return;
    if (stream->kept_size - stream->kept_length < length) {
        size_t came = stream->kept_length + length;
        uint64_t most = MIN(stream->header.payload_length, stream->frame_limit);
        uint64_t size = MAX((uint64_t)stream->kept_size * GROWTH, came);
        if (size > most || came > most / GROWTH_LAST)
            size = most;
        stream->kept = g_realloc(stream->kept, (size_t)size);
        stream->kept_size = (size_t)size;
    }
    memcpy(stream->kept + stream->kept_length, bytes, length);
    stream->kept_length += length;
}

static void frame_reset(struct wsx_stream *stream) {
    stream->state = WSX_STREAM_HEADER;
    stream->head_have = 0;
    stream->payload_done = 0;
    stream->missing = 0;
    stream->over_limit = false;
    stream->kept_length = 0;
    if (stream->kept_size > KEPT_IDLE_MAX) {
        g_free(stream->kept);
        stream->kept = NULL;
        stream->kept_size = 0;
    }
}

static void report_kept(struct wsx_stream *stream, bool unfinished, void *context) {
    struct wsx_frame frame = {.header = stream->header,
                              .begin = stream->begin,
                              .begin_packet = stream->begin_packet,
                              .payload = stream->kept,
                              .have = stream->kept_length,
                              .missing = stream->missing,
                              .over_limit = stream->over_limit,
                              .unfinished = unfinished};
    if (unfinished)
        frame.missing += stream->header.payload_length - stream->payload_done;
    stream->events->frame(context, &frame);
    frame_reset(stream);
}

/* Takes as much of a header as there is; true when it is whole. */
static bool take_header(struct wsx_stream *stream, struct run *run) {
    if (!stream->head_have) {
        stream->begin = stream->next;
        stream->begin_packet = run->packet;
    }
    while (run->length) {
        stream->head[stream->head_have++] = *run->bytes++;
        run->length--;
        stream->next++;
        if (wsx_frame_header_parse(stream->head, stream->head_have, &stream->header))
            return true;
    }
    return false;
}

static void take_payload(struct wsx_stream *stream, struct run *run) {
    uint64_t left = stream->header.payload_length - stream->payload_done;
    size_t take = left < run->length ? (size_t)left : run->length;
    keep(stream, run->bytes, take);
    run->bytes += take;
    run->length -= take;
    stream->next += take;
    stream->payload_done += take;
    if (stream->payload_done == stream->header.payload_length)
        report_kept(stream, false, run->context);
}

/* Behind lost bytes framing was found again by evidence. A header that can't be, soon after, says
 * that the evidence was chance. */
static bool is_doubtful(const struct wsx_stream *stream, const struct wsx_frame_header *header) {
    bool empty_fragment = !wsx_header_fin(header) && !header->payload_length;
    return stream->since_search && stream->since_search <= TRUSTED_FRAMES && !empty_fragment &&
           wsx_evidence_header(header, NULL, &stream->expectation) < 0;
}

/* Searches again, from the present header on. */
static void doubt(struct wsx_stream *stream, void *context) {
    uint64_t offset = stream->next - stream->head_have;
    search_begin(stream);
    wsx_search_add(stream->search, offset, stream->head, stream->head_have, stream->begin_packet, 0,
                   false);
    frame_reset(stream);
    stream->state = WSX_STREAM_SEARCH;
    stream->events->gap(context, offset, 0, false, true);
}

static void count_frame(struct wsx_stream *stream) {
    if (stream->since_search && stream->since_search <= TRUSTED_FRAMES)
        stream->since_search++;
}

/* A frame of which every byte is in the run: no copy. False when it is not so. */
static bool take_whole(struct wsx_stream *stream, struct run *run) {
    struct wsx_frame_header header;
    unsigned length = wsx_frame_header_parse(run->bytes, run->length, &header);
    if (!length || header.payload_length > run->length - length ||
        header.payload_length > stream->frame_limit || is_doubtful(stream, &header))
        return false;
    count_frame(stream);
    struct wsx_frame frame = {.header = header,
                              .begin = stream->next,
                              .begin_packet = run->packet,
                              .payload = run->bytes + length,
                              .have = (size_t)header.payload_length,
                              .whole = run->live ? run->bytes : NULL};
    size_t size = length + frame.have;
    run->bytes += size;
    run->length -= size;
    stream->next += size;
    stream->events->frame(run->context, &frame);
    return true;
}

static void stop_at_msb(struct wsx_stream *stream, void *context) {
    struct wsx_frame frame = {.header = stream->header,
                              .begin = stream->begin,
                              .begin_packet = stream->begin_packet,
                              .unfinished = true};
    frame_reset(stream);
    stream->state = WSX_STREAM_STOPPED;
    stream->events->msb(context, &frame);
}

static void take_run(struct wsx_stream *stream, struct run *run);
static void skip(struct wsx_stream *stream, uint64_t count, bool cut, void *context);

/* Framing is found: what the search holds from there on is read. */
static void replay(struct wsx_stream *stream, const struct wsx_found *found, void *context) {
    struct wsx_search *search = stream->search;
    uint64_t end = stream->next, at;
    uint64_t held = 0;
    const uint8_t *bytes;
    size_t length;
    uint32_t packet;
    stream->search = NULL;
    for (unsigned i = 0; wsx_search_run(search, &i, found->offset, &at, &bytes, &length, &packet);)
        held += length;
    stream->state = WSX_STREAM_HEADER;
    stream->since_search = 1;
    stream->events->resync(context, found->offset, wsx_search_bytes(search) - held, found->frames);
    stream->next = found->offset;
    for (unsigned i = 0;
         wsx_search_run(search, &i, found->offset, &at, &bytes, &length, &packet);) {
        if (at > stream->next)
            skip(stream, at - stream->next, true, context);
        struct run run = {bytes, length, packet, false, context, NULL, false};
        take_run(stream, &run);
    }
    if (end > stream->next) /* a hole at the end, told when it was met */
        skip(stream, end - stream->next, true, context);
    wsx_search_free(search);
}

/* ---- how the sender cuts frames into segments ---- */

/* A segment below this may be the last one of a write on every path. */
#define SEGMENT_FULL_MIN 536u
/* Bits at most. */
#define HABIT_BITS_MAX 6
#define HABIT_BITS_MAX_LONG 3

static bool is_short(const struct wsx_habit *habit) {
    return habit->before && habit->before < MAX(habit->longest, SEGMENT_FULL_MIN);
}

/* A segment comes whose beginning is known to be that of a frame, or not to be. */
static void habit_learn(struct wsx_stream *stream) {
    struct wsx_habit *habit = &stream->habit;
    bool within = stream->state == WSX_STREAM_PAYLOAD || stream->head_have;
    if (stream->state > WSX_STREAM_PAYLOAD || !habit->before || habit->hole)
        return;
    habit->seen++;
    habit->within += within;
    if (is_short(habit)) {
        habit->short_seen++;
        habit->short_within += within;
    }
}

/* Bits for a frame at the beginning of the segment that comes; fewer where frames often begin
 * elsewhere. */
static int habit_bits(const struct wsx_habit *habit) {
    unsigned seen = is_short(habit) ? habit->short_seen : habit->seen;
    unsigned within = is_short(habit) ? habit->short_within : habit->within;
    int most = is_short(habit) ? HABIT_BITS_MAX : HABIT_BITS_MAX_LONG, bits = 0;
    for (unsigned odds = (seen - within + 1) / (within + 1); odds > 1 && bits < most; odds /= 2)
        bits++;
    for (unsigned odds = (within + 1) / (seen - within + 1); odds > 1 && bits > -HABIT_BITS_MAX;
         odds /= 2)
        bits--;
    return bits + (habit->hole ? WSX_EVIDENCE_HOLE_END : WSX_EVIDENCE_SEGMENT_START);
}

static void search_take(struct wsx_stream *stream, struct run *run) {
    struct wsx_found found;
    size_t step = MIN(run->length, SEARCH_STEP);
    int bits = run->bytes == run->segment ? habit_bits(&stream->habit) : 0;
    wsx_search_add(stream->search, stream->next, run->bytes, step, run->packet, bits,
                   run->ends_segment && step == run->length);
    stream->next += step;
    run->bytes += step;
    run->length -= step;
    if (wsx_search_find(stream->search, &found))
        replay(stream, &found, run->context);
}

static void take_run(struct wsx_stream *stream, struct run *run) {
    while (run->length) {
        if (stream->state == WSX_STREAM_STOPPED) {
            stream->next += run->length;
            return;
        }
        if (stream->state == WSX_STREAM_SEARCH) {
            search_take(stream, run);
            continue;
        }
        if (stream->state == WSX_STREAM_PAYLOAD) {
            take_payload(stream, run);
            continue;
        }
        if (!stream->head_have && take_whole(stream, run))
            continue;
        if (!take_header(stream, run))
            return;
        if (is_doubtful(stream, &stream->header)) {
            doubt(stream, run->context);
            continue;
        }
        count_frame(stream);
        if (stream->header.payload_length >> 63) {
            stop_at_msb(stream, run->context);
            continue;
        }
        stream->state = WSX_STREAM_PAYLOAD;
        if (!stream->header.payload_length)
            take_payload(stream, run);
    }
}

/* `count` bytes that nobody will see. `cut`: left out by the capture's own limit, or told before:
 * no gap is reported when framing survives. */
static void skip(struct wsx_stream *stream, uint64_t count, bool cut, void *context) {
    uint64_t offset = stream->next;
    uint64_t left = stream->state == WSX_STREAM_PAYLOAD
                        ? stream->header.payload_length - stream->payload_done
                        : 0;
    stream->next += count;
    stream->gap_seen = true;
    stream->habit.before = count;
    stream->habit.hole = true;
    if (stream->state == WSX_STREAM_STOPPED || stream->state == WSX_STREAM_SEARCH) {
        if (!cut)
            stream->events->gap(context, offset, count, false, false);
        return;
    }
    if (count <= left) {
        stream->missing += count;
        stream->payload_done += count;
        if (!cut)
            stream->events->gap(context, offset, count, true, false);
        if (count == left)
            report_kept(stream, false, context);
        return;
    }
    if (stream->state == WSX_STREAM_PAYLOAD) {
        stream->missing += left;
        stream->payload_done += left;
        report_kept(stream, false, context);
    }
    frame_reset(stream);
    stream->events->gap(context, offset, count, false, cut);
    search_begin(stream);
}

static void take(struct wsx_stream *stream, uint64_t offset, const uint8_t *bytes, size_t captured,
                 uint64_t length, uint32_t packet, bool live, void *context) {
    uint64_t known = stream->next - offset;
    if (known >= length && length)
        return;
    size_t drop = known < captured ? (size_t)known : captured;
    struct run run = {bytes + drop,         captured - drop,   packet, live, context,
                      known ? NULL : bytes, captured == length};
    struct wsx_habit *habit = &stream->habit;
    if (!known)
        habit_learn(stream);
    take_run(stream, &run);
    uint64_t end = offset + length;
    if (end > stream->next)
        skip(stream, end - stream->next, true, context);
    habit->longest = MAX(habit->longest, length);
    habit->before = length;
    habit->hole = captured < length;
}

static void drain(struct wsx_stream *stream, void *context) {
    while (stream->queue && stream->queue->offset <= stream->next) {
        struct wsx_segment *first = stream->queue;
        stream->queue = first->next;
        if (!stream->queue)
            stream->queue_last = NULL;
        stream->queue_bytes -= first->captured;
        stream->queue_count--;
        take(stream, first->offset, first->bytes, first->captured, first->length, first->packet,
             false, context);
        g_free(first);
    }
}

/* Keeps a piece that came too early. Of two that overlap, each byte is taken from the one with the
 * lower offset. Most come in order: the last one is looked at first. */
static void enqueue(struct wsx_stream *stream, uint64_t offset, const uint8_t *bytes,
                    size_t captured, uint64_t length, uint32_t packet) {
    struct wsx_segment **at = &stream->queue;
    if (stream->queue_last && stream->queue_last->offset < offset)
        at = &stream->queue_last->next;
    while (*at && (*at)->offset <= offset) {
        if ((*at)->offset == offset && (*at)->length >= length && (*at)->captured >= captured)
            return;
        at = &(*at)->next;
    }
    struct wsx_segment *segment = g_malloc(sizeof *segment + captured);
    *segment = (struct wsx_segment){
        .next = *at, .offset = offset, .length = length, .captured = captured, .packet = packet};
    memcpy(segment->bytes, bytes, captured);
    *at = segment;
    if (!segment->next)
        stream->queue_last = segment;
    stream->queue_bytes += captured;
    stream->queue_count++;
}

void wsx_stream_push(struct wsx_stream *stream, uint64_t offset, const uint8_t *bytes,
                     size_t captured, uint64_t length, uint32_t packet, void *context) {
    if (!length)
        return;
    if (offset > stream->next) {
        enqueue(stream, offset, bytes, captured, length, packet);
        if (stream->queue_bytes > WSX_QUEUE_BYTES || stream->queue_count > WSX_QUEUE_SEGMENTS)
            wsx_stream_give_up(stream, context);
        return;
    }
    take(stream, offset, bytes, captured, length, packet, true, context);
    drain(stream, context);
}

void wsx_stream_give_up(struct wsx_stream *stream, void *context) {
    if (!stream->queue)
        return;
    if (stream->queue->offset > stream->next)
        skip(stream, stream->queue->offset - stream->next, false, context);
    drain(stream, context);
}

void wsx_stream_finish(struct wsx_stream *stream, uint64_t end, void *context) {
    while (stream->queue)
        wsx_stream_give_up(stream, context);
    if (end > stream->next)
        skip(stream, end - stream->next, false, context);
    if (stream->state == WSX_STREAM_PAYLOAD)
        report_kept(stream, true, context);
    stream->head_have = 0;
    wsx_search_free(stream->search);
    stream->search = NULL;
    stream->state = WSX_STREAM_STOPPED;
}

bool wsx_stream_pending(const struct wsx_stream *stream, uint64_t *done, uint64_t *whole) {
    *whole = 0;
    *done = stream->head_have;
    if (stream->state == WSX_STREAM_PAYLOAD) {
        *done = stream->header.length + stream->payload_done;
        *whole = stream->header.length + stream->header.payload_length;
        return true;
    }
    return stream->head_have != 0;
}
