/*
 * store.h - what state.c, streams.c, blocks.c, pieces.c, records.c and ends.c share: the insides of
 * what state.h describes. Nobody else's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_STORE_H
#define WSX_EPAN_STORE_H

#include "state.h"

/* 40 bytes: the whole of most frames. What a later pass can't read in the packet again is in kept.
 */
struct wsx_record {
    uint32_t packet;
    uint32_t session;
    uint32_t index;         /* frame; call: the frame that is not complete at its end, 0 = none */
    uint32_t message_index; /* frame; call: number of the records behind it that are its own */
    int64_t delta;          /* frame */
    int32_t offset;         /* frame; call: length of its bytes */
    uint8_t kind, item, direction, flags;
    struct wsx_kept *kept; /* NULL when there is nothing more */
};

enum {
    WSX_FLAG_UTF8 = 1,        /* frame: a text message of valid UTF-8, uncompressed */
    WSX_FLAG_FIRST_CLOSE = 2, /* frame */
    WSX_FLAG_SETTLED = 4,     /* call: behind the packet's dissection */
    WSX_FLAG_SEARCHING = 8,   /* call: framing is lost */
    WSX_FLAG_WAITING = 16,    /* call: bytes before its own are missing */
};

/* What a frame's own packet does not tell. */
struct wsx_kept_frame {
    struct wsx_frame_header header;
    uint32_t begin_packet;
    size_t have;
    uint64_t missing;
    bool over_limit, unfinished;
    const uint8_t *payload; /* unmasked */
};

enum wsx_bytes_at {
    WSX_BYTES_IN_FRAME, /* the message is the frame's payload */
    WSX_BYTES_KEPT,     /* message.bytes */
    WSX_BYTES_AGAIN,    /* inflated again, from message.window and message.wire (NULL: the frame's
                           payload) */
};

struct wsx_kept_message {
    struct wsx_message message;
    enum wsx_bytes_at at;
    const struct wsx_fragment *fragments;
    uint32_t fragment_count;
    const uint8_t *fresh; /* the bytes, while the packet of the first pass lasts */
    uint32_t fresh_epoch;
};

struct wsx_kept {
    const struct wsx_finding *findings;
    const uint8_t *rules;
    struct wsx_kept_frame *frame;
    struct wsx_kept_message *message;
    uint64_t missing; /* note */
    uint32_t rule_count;
    uint32_t answers, answered_in;
    int64_t answer_time;
    enum wsx_cause cause; /* end */
    /* call */
    uint64_t part_done, part_whole;
    const struct wsx_part *part;
};

/* The sessions of one transport connection. */
struct wsx_carrier {
    struct wsx_session *latest;
    bool unread[2]; /* TLS: the last bytes of this direction were not decrypted, or not yet */
    /* HTTP/2 and HTTP/3: */
    uint32_t looked;          /* packet: see wsx_state_carrier_look */
    uint32_t repeated;        /* packet: it has no byte that was not in an earlier one */
    struct tcp_analysis *tcp; /* with SETTINGS; NULL where there is no TCP */
    struct wsx_flow {         /* TCP: what each side has sent */
        bool known;
        uint32_t next; /* sequence number behind the bytes of it that were captured last */
    } flow[2];
    uint64_t next_number[2];    /* QUIC: of each side's next packet */
    uint64_t next_unseen[2];    /* the same, of what the other side acknowledged unseen */
    uint32_t acks_in[2];        /* QUIC: packet, with the last ACK frame that each side sent */
    wmem_map_t *streams;        /* uint64_t to struct wsx_session */
    wmem_map_t *kept;           /* uint64_t to struct wsx_kept_stream, pieces.c's; NULL: none */
    bool kept_closed;           /* and none will be any more */
    struct wsx_block *block[2]; /* HTTP/2: of each side, not at its end; NULL: none */
    struct wsx_session *first, *last; /* the same, by number */
    struct wsx_settings {
        uint32_t packet; /* of its first SETTINGS, 0 = not seen */
        bool lossy;      /* segments of this side are missing, other SETTINGS may be in them */
        bool sequence_known;
        uint32_t sequence; /* TCP: of that packet; only told behind a request */
        bool enabled;      /* SETTINGS_ENABLE_CONNECT_PROTOCOL was 1 once */
        uint32_t fault_packet;
        const char *fault; /* of h2-setting-withdrawn, not told yet */
    } settings[2];         /* of each side */
};

/* Bytes that came before the answer. */
struct wsx_early {
    struct wsx_early *next;
    enum wsx_direction direction;
    uint32_t sequence;     /* TCP */
    uint32_t acknowledged; /* TCP: what its sender had received by then; 0 = not known */
    uint64_t length;
    size_t captured;
    bool after_hole; /* HTTP/2 and HTTP/3: bytes before it may be missing */
    uint32_t packet;
    int64_t time;
    uint8_t bytes[];
};

/* Findings on their way to the item that they belong to. */
struct wsx_collecting {
    struct wsx_session *session;
    packet_info *pinfo;
    const uint8_t *bytes; /* of the run being fed, when later passes find them too */
    const struct wsx_finding *findings, **findings_end;
};

/* Where things live that records point to. */
wmem_allocator_t *wsx_store_scope(void);
/* Records are kept for later passes. */
bool wsx_store_is_kept(void);
uint32_t wsx_store_epoch(void);

void wsx_collect_init(struct wsx_collecting *collecting, struct wsx_session *session,
                      packet_info *pinfo);
/* A wsx_finding_sink's report, with a struct wsx_collecting. */
void wsx_collect_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                         uint32_t packet, const char *detail);
const struct wsx_finding *wsx_collect_take(struct wsx_collecting *collecting);
/* Where the next finding goes, while the list is being made. */
const struct wsx_finding **wsx_finding_next(const struct wsx_finding *finding);

/* records.c */
void wsx_records_init(void);
void wsx_records_cleanup(void);
/* Forgets the records of the packet before: nobody will ask for them. */
void wsx_records_forget(void);
extern const struct wsx_connection_events wsx_core_events;
struct wsx_record *wsx_record_add(struct wsx_collecting *collecting, enum wsx_kind kind,
                                  enum wsx_direction direction);
/* The record of a connection's end. */
void wsx_record_end(struct wsx_collecting *collecting, enum wsx_cause cause);
uint32_t wsx_record_count(void);
/* Forgets what came before the answer. */
void wsx_store_early_clear(struct wsx_session *session);
/* The session is seen in this packet. */
void wsx_store_touch(struct wsx_session *session, const packet_info *pinfo);

/* ends.c */
void wsx_store_ends_init(void);
void wsx_store_ends_cleanup(void);
/* Does what is left to do at the packet's end for one session, one that ended before `session`.
 * NULL when there is none. */
struct wsx_session *wsx_state_settle_one(packet_info *pinfo, struct wsx_session *session,
                                         struct wsx_collecting *collecting);
void wsx_state_finish_at_eof(struct wsx_session *session, struct wsx_collecting *collecting);

/* lookup.c */
void wsx_store_lookup_init(void);
conversation_t *wsx_store_conversation(packet_info *pinfo, bool create);

/* state.c */
struct wsx_carrier *wsx_store_carrier(const conversation_t *conversation);
struct wsx_carrier *wsx_store_carrier_new(conversation_t *conversation);
/* The file has a session over TLS or HTTP/2. */
extern bool wsx_store_any_carried;
/* The session is settled at this packet's end. */
void wsx_store_unsettled(struct wsx_session *session);

/* ends.c: what the client sent before an answer that refuses. Keeps nothing. */
void wsx_store_judge_refused(const struct wsx_session *session,
                             const struct wsx_finding_sink *sink);

/* blocks.c */
void wsx_store_blocks_init(void);
void wsx_store_blocks_cleanup(void);

/* pieces.c */
void wsx_store_pieces_init(void);

/* streams.c: rules of HTTP/2 and HTTP/3. */
void wsx_store_streams_init(void);
/* Which of the two sides sent this packet, whoever is the client. */
unsigned wsx_store_sender(const packet_info *pinfo);
void wsx_store_judge_settings(const struct wsx_session *session, const packet_info *pinfo,
                              bool from_client, const struct wsx_finding_sink *sink);
/* False where earlier headers of a side may be missing: HPACK then tells wrong ones. */
bool wsx_store_headers_are_whole(const struct wsx_session *session, const packet_info *pinfo,
                                 bool from_client);
/* The same for the server's alone. */
bool wsx_store_answer_is_whole(const struct wsx_session *session, const packet_info *pinfo);
void wsx_store_judge_late_settings(const struct wsx_session *session, const packet_info *pinfo,
                                   const struct wsx_finding_sink *sink);
void wsx_store_judge_reset(const struct wsx_session *session, const struct wsx_finding_sink *sink);
/* A capture that lacks segments of what carries the streams may lack the answer, too: that shows
 * only in what the server sends behind it. */
bool wsx_store_carrier_is_lossy(const struct wsx_session *session);
/* The session ends: what is missing of its QUIC stream. */
void wsx_store_end_quic(struct wsx_session *session, struct wsx_collecting *collecting);
void wsx_store_tell_setting(struct wsx_session *session, struct wsx_collecting *collecting);

#endif
