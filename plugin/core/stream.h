/*
 * stream.h - one direction of a connection: bytes at offsets in, frames out (RFC 6455 5.2). Puts
 * late pieces in order, drops what is known, keeps what a frame needs that lies in several pieces,
 * goes on exactly behind a hole in a payload, and searches for frames behind a hole over a header.
 * Knows nothing of messages: connection.h takes the frames. Knows no Wireshark type. Next:
 * search.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_STREAM_H
#define WSX_CORE_STREAM_H

#include "frame.h"
#include "search.h"

/* A frame, or what is known of it. Pointers are valid during the call only. */
struct wsx_frame {
    struct wsx_frame_header header;
    uint64_t begin;         /* offset of its first byte in the direction */
    uint32_t begin_packet;  /* packet of its first byte */
    const uint8_t *payload; /* as on the wire, masked when header.masked */
    size_t have;            /* bytes of payload given, up to the first hole or the limit */
    uint64_t missing;       /* payload bytes that were not captured */
    const uint8_t *whole;   /* the frame's first byte in the bytes being pushed, when it lies there
                               wholly, else NULL */
    bool over_limit;        /* longer than what is kept of a frame: `have` is cut for this reason */
    bool unfinished;        /* the direction stopped or ended before the frame did */
};

/* What a stream reports. `context` is the pointer given to the push. */
struct wsx_stream_events {
    void (*frame)(void *context, const struct wsx_frame *frame);
    /* `missing` bytes from `offset` on were not captured. followed: framing went on exactly, since
     * they lay in a payload. cut: the capture kept only the beginning of the packet (snaplen); only
     * told when not followed. missing 0, cut: what was found by search turned out to be no frames.
     */
    void (*gap)(void *context, uint64_t offset, uint64_t missing, bool followed, bool cut);
    /* Framing is found again at `offset`: a plausible chain of `frames` frames is there; `skipped`
     * captured bytes before it are not read. */
    void (*resync)(void *context, uint64_t offset, uint64_t skipped, unsigned frames);
    /* A 64-bit length with its most significant bit set: nothing behind it can be framed. */
    void (*msb)(void *context, const struct wsx_frame *frame);
};

enum wsx_stream_state {
    WSX_STREAM_HEADER,  /* between frames or in a header */
    WSX_STREAM_PAYLOAD, /* in a payload */
    WSX_STREAM_SEARCH,  /* framing is lost: a plausible chain of frames is looked for */
    WSX_STREAM_STOPPED, /* nothing more is read: what comes is counted */
};

struct wsx_segment; /* bytes that came too early */

/* Caller's memory, wsx_stream_init first and wsx_stream_clear last. Fields are read by others, set
 * by stream.c only. */
struct wsx_stream {
    const struct wsx_stream_events *events;
    struct wsx_expectation expectation; /* set by the owner: what frames are searched for */
    size_t frame_limit;                 /* payload bytes kept of one frame */
    uint64_t next;                      /* offset of the next byte wanted */
    enum wsx_stream_state state;
    bool gap_seen;         /* bytes of this direction are missing somewhere */
    unsigned since_search; /* frames since framing was found by search, with 1 added; 0: never */
    uint8_t head[WSX_HEADER_MAX]; /* a header that is not whole yet */
    unsigned head_have;
    struct wsx_frame_header header; /* valid in WSX_STREAM_PAYLOAD */
    uint64_t begin;                 /* offset of the present frame; valid when one has begun */
    uint32_t begin_packet;
    uint64_t payload_done; /* payload bytes passed, captured or not */
    uint64_t missing;      /* of these, not captured */
    uint8_t *kept;         /* payload from the beginning up to the first hole or frame_limit */
    size_t kept_length, kept_size;
    bool over_limit;
    struct wsx_search *search; /* in WSX_STREAM_SEARCH */
    struct wsx_habit {         /* how the sender cuts frames into segments */
        uint64_t longest;      /* segment so far */
        uint64_t before; /* bytes of the last segment, or of the hole where it was lost; 0 = not
                            known */
        bool hole;       /* a hole is between it and what comes next */
        unsigned seen, within; /* segments; of these, begun inside a frame */
        unsigned short_seen,
            short_within; /* the same, of those behind a segment that was not full */
    } habit;
    struct wsx_segment *queue, *queue_last; /* what came early, by offset */
    size_t queue_bytes;
    unsigned queue_count;
};

void wsx_stream_init(struct wsx_stream *stream, const struct wsx_stream_events *events,
                     size_t frame_limit);
void wsx_stream_clear(struct wsx_stream *stream);

/* Where the first frame begins is not known: it is searched for. Before the first push, with the
 * expectation set. */
void wsx_stream_start_unknown(struct wsx_stream *stream);

/*
 * Takes `length` bytes at `offset`, of which the first `captured` are in `bytes`. Frames that
 * become complete are reported in order. A piece beyond `next` waits for the bytes before it, up to
 * named bounds; over them, or with wsx_stream_give_up, what is before it counts as lost.
 */
void wsx_stream_push(struct wsx_stream *stream, uint64_t offset, const uint8_t *bytes,
                     size_t captured, uint64_t length, uint32_t packet, void *context);

/* The bytes before what waits will not come any more: goes on behind the hole. Does nothing when
 * nothing waits. */
void wsx_stream_give_up(struct wsx_stream *stream, void *context);

/* The direction ended at offset `end` (0: where its last byte is): what waits is taken, missing
 * bytes before `end` are reported, and a frame that has begun is reported as unfinished. */
void wsx_stream_finish(struct wsx_stream *stream, uint64_t end, void *context);

/* True when a frame has begun and not ended; *done bytes of it (header and payload) have passed,
 * *whole is its length with header, 0 while the header is not known. */
bool wsx_stream_pending(const struct wsx_stream *stream, uint64_t *done, uint64_t *whole);

#endif
