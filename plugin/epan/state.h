/*
 * state.h - what is stored, and for how long.
 *
 *   file       sessions and records: made in the first pass by state.c (the only file that stores),
 *              gone when the file is closed. A record is 40 bytes a frame, and more only for what a
 *              later pass can't read again in its packet. Only links forward (to a Pong, to a
 *              Close, to a frame's last packet) are set later than the record they stand in.
 *   first pass the core's connections: they decide everything; later passes repeat it.
 *   packet     calls and items: what show.c and the taps read, made anew in each pass.
 *
 * A run that is proved to be the only one over its packets keeps records for one packet only, see
 * wsx_state_enter.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_STATE_H
#define WSX_EPAN_STATE_H

#include "compat.h"
#include "connection.h"
#include "h3data.h"

struct wsx_finding {
    const struct wsx_finding *next;
    enum wsx_rule rule;
    enum wsx_severity severity;
    uint32_t packet; /* another packet involved, 0 = none */
    const char *detail;
};

enum wsx_kind {
    WSX_KIND_CALL,   /* begins the records of one call with bytes; not an item */
    WSX_KIND_FRAME,  /* a frame */
    WSX_KIND_BROKEN, /* a message that ended without its last frame */
    WSX_KIND_NOTE,   /* something of the direction: lost bytes, framing found again */
    WSX_KIND_END,    /* the connection ended */
};

/* How a connection ended. */
enum wsx_cause {
    WSX_CAUSE_NONE, /* it has not */
    WSX_CAUSE_FIN,
    WSX_CAUSE_RST,
    WSX_CAUSE_RESET,
    WSX_CAUSE_REFUSED,
    WSX_CAUSE_REPLACED,
    WSX_CAUSE_EOF,
};

/* Where a direction's bytes stand on TCP. */
struct wsx_position {
    bool known;
    uint32_t sequence; /* absolute; stands for `offset` */
    uint64_t offset;
};

/* A frame of a message of several. */
struct wsx_fragment {
    uint32_t packet; /* where it became complete */
    uint64_t length; /* of its payload, as its header says */
};

/* The first ones of a message. A message of a million empty frames must not cost a tree of a
 * million lines, nor their memory: wsx_message.frames counts all of them. */
#define WSX_FRAGMENTS_LISTED 1000u

struct wsx_fragment_list {
    struct wsx_fragment *list;
    uint32_t count, size;
    uint32_t message_index;
};

struct wsx_early; /* bytes that came before the answer */

struct wsx_end {
    address address;
    uint32_t port;
    const char *text; /* NULL until wsx_end_text is asked */
};

/* One WebSocket connection. Set in the first pass, unless said otherwise. */
struct wsx_session {
    uint32_t number;             /* websocket.stream */
    struct wsx_connection *core; /* NULL before the answer, and for a refused upgrade */
    enum wsx_http_version http;
    bool midstream; /* no handshake was captured */
    bool encrypted;
    bool opened;  /* frames are read */
    bool deflate; /* permessage-deflate was agreed */
    bool direct;  /* TCP calls us, with sequence numbers */
    enum wsx_cause cause;
    const char *uri, *subprotocol, *extensions; /* NULL when there is none */
    struct wsx_end client, server;
    uint32_t transport_stream; /* tcp.stream, or the QUIC connection's number */
    uint64_t stream_id;        /* HTTP/2, HTTP/3 */
    uint32_t request_packet, response_packet;
    int64_t request_time, response_time;
    unsigned status;
    struct wsx_head request, response;
    const struct wsx_finding *request_findings, *response_findings;
    uint32_t open_packet; /* where "open" stands: the answer, or the first frame */
    int64_t open_time;
    int time_digits;  /* decimal digits of the capture's time stamps */
    uint32_t packets; /* those with its handshake, bytes or end */
    uint32_t last_packet;
    int64_t last_time;
    uint32_t end_packet; /* with cause */
    int64_t end_time;
    const struct wsx_finding *end_findings;
    struct wsx_side_totals {
        uint32_t frames, messages;
        uint64_t bytes; /* of messages, after inflating */
    } totals[2];
    struct wsx_session *next_stream; /* of the same HTTP/2 or HTTP/3 connection */
    struct wsx_delivery *delivery;   /* delivery.c's, set when its messages are first handed on */
    /* first pass only */
    conversation_t *conversation;
    struct tcp_analysis *tcp;      /* NULL where there is no TCP */
    const tcp_flow_t *client_flow; /* of tcp */
    struct wsx_position position[2];
    uint32_t early_until[2]; /* TCP: sequence number behind the early bytes */
    bool content_open;       /* how long the request's content is was not known with its head */
    tvbuff_t *not_handed; /* HTTP hands on other bytes of it than those behind the answer's head */
    uint32_t answer_rest; /* bytes behind the answer, in its packet, that wait as early ones */
    uint64_t answer_seen; /* bytes from the server before frames, as far as none are missing */
    unsigned client_segments;  /* on end: frames, and of the server nothing was captured */
    struct wsx_answer *answer; /* the server's bytes, while the answer is due */
    bool by_records;   /* TLS hands its records to others: they are read behind the dissection */
    bool on_tcp;       /* no TLS, no other HTTP between it and TCP: its bytes are TCP's */
    bool frames_known; /* TCP: where the server's frames begin, behind the answer's head: */
    uint32_t frames_from;
    int64_t waiting_since[2]; /* ns since the epoch; 0: nothing waits */
    bool fin_seen[2];
    uint64_t fin_offset[2]; /* 0: not known */
    struct wsx_early *early, **early_end;
    size_t early_bytes;
    struct wsx_reset {
        bool seen, from_server;
        uint64_t code;
    } reset;                       /* HTTP/2 and HTTP/3: the stream was reset */
    struct wsx_quic_side *quic[2]; /* HTTP/3 */
    struct wsx_h3_data *h3[2];     /* HTTP/3: its bytes on their way */
    /* HTTP/3 without the preference, any pass: its bytes are taken from QUIC, or from Wireshark's
     * calls */
    bool by_pieces, by_calls;
    bool hole[2];        /* TLS, HTTP/2: bytes may be missing before those that come next */
    bool lossy[2];       /* bytes are missing, before the answer or of what carries it */
    uint32_t answer_end; /* TCP: sequence number behind the answer's packet; 0 = not known */
    const char *setting_finding; /* of h2-setting-withdrawn, to be told in this packet */
    enum wsx_direction setting_sender;
    bool request_ack_known;
    uint32_t request_ack; /* TCP: what the request acknowledged */
    unsigned early_count[2];
    int64_t early_since[2];                /* time of the first of these */
    uint8_t open_rules[2][WSX_RULE_COUNT]; /* of the message under way, in order */
    uint8_t open_rule_count[2];
    const struct wsx_part *part[2];        /* of the frame under way */
    struct wsx_fragment_list fragments[2]; /* of the message under way */
    bool at_eof; /* the end of the file ended it: its last records are these */
    uint32_t eof_first, eof_count;
};

/* A frame over several packets: shared by its parts. */
struct wsx_part {
    uint32_t begins_in, ends_in; /* ends_in 0: not seen (yet) */
};

struct wsx_record;

/* What one call with a run of bytes gave. Packet scope. */
struct wsx_call {
    const struct wsx_session *session;
    struct wsx_packet *packet; /* that it belongs to; NULL: to be looked for */
    enum wsx_direction direction;
    uint32_t first, count; /* its records */
    uint64_t length;       /* of its bytes */
    bool settled;          /* its bytes are not those it is drawn into */
    /* the frame that the last bytes belong to and that is not complete; index 0 = none */
    uint32_t part_index;
    uint64_t part_done, part_whole; /* bytes of it so far, with header; its length, 0 = not known */
    const struct wsx_part *part;
    bool searching; /* framing is lost: the bytes are not read (yet) */
    bool waiting;   /* bytes before its own are missing: they are not read yet */
};

/* One item of a packet, whole, for drawing and for taps. Packet scope. */
struct wsx_item {
    const struct wsx_session *session;
    enum wsx_kind kind;
    enum wsx_direction direction;
    uint32_t packet;
    const struct wsx_finding *findings; /* its own */
    const uint8_t *rules;               /* enum wsx_rule; of all frames of a message */
    unsigned rule_count;
    /* WSX_KIND_FRAME */
    enum wsx_item_kind item;
    struct wsx_frame_header header;
    uint32_t index; /* frame.index */
    uint32_t begin_packet;
    int64_t delta;    /* ns, -1: first frame of the connection */
    int offset;       /* of its first byte in the call's bytes when it lies there wholly, else -1 */
    size_t have;      /* payload bytes given */
    uint64_t missing; /* payload bytes not captured; note: lost bytes */
    bool over_limit, unfinished, first_close;
    const uint8_t *wire;           /* payload; masked where the frame is and `plain` is false */
    bool plain;                    /* wire is unmasked */
    uint32_t answers, answered_in; /* packets; 0 = none */
    int64_t answer_time;           /* ns */
    uint32_t message_index;        /* 0 = none */
    /* the message that this frame ends, or a broken one; NULL else. Its bytes are there when
     * message_bytes is called. */
    struct wsx_message *message;
    const struct wsx_fragment
        *fragments;              /* of the message: the first WSX_FRAGMENTS_LISTED frames */
    uint32_t fragment_count;     /* 0 for a message of one frame */
    const struct wsx_kept *kept; /* state.c's */
    enum wsx_cause cause;        /* WSX_KIND_END */
};

/* What is known of a packet. Packet scope; queued for the taps once. */
struct wsx_packet {
    uint32_t cursor;             /* later passes: the next record */
    wmem_array_t *items;         /* struct wsx_item */
    struct wsx_session *session; /* first pass: of the last call */
    bool called;                 /* the packet's dissection handed us bytes */
    bool end_told;               /* and said whether a FIN is behind them; there is no RST */
    bool columns;                /* the Info column is ours */
    wmem_list_t *tvbs;           /* first pass: data sources that we were called with */
    wmem_list_t
        *tunnelled; /* first pass: bytes that we were called with, of a session not known then */
};

void wsx_state_register(void);

/*
 * At the beginning of each call from Wireshark. In the first pass it also watches whether the
 * packets' frame_data all lie at one address while columns are built or our own tap runs between
 * them: that is how a run looks that never comes back to a packet, and no other. From then on
 * records live for one packet.
 */
void wsx_state_enter(packet_info *pinfo);
/* Our tap ran, see wsx_state_enter. */
void wsx_state_tap_ran(void);
/* The packet's own list. */
struct wsx_packet *wsx_state_packet(packet_info *pinfo);
/* The same, NULL when nothing of WebSocket is in the packet. */
struct wsx_packet *wsx_state_packet_peek(packet_info *pinfo);
/* The same while the packet is dissected: others may have been since, when a window or a tap asks.
 */
struct wsx_packet *wsx_state_packet_here(packet_info *pinfo);
bool wsx_state_first_pass(const packet_info *pinfo);
/* The packet's time, ns since the epoch. */
int64_t wsx_state_time(const packet_info *pinfo);

/* ---- sessions; first pass only, unless said otherwise ---- */

/* How many sessions are not at their end. */
extern unsigned wsx_sessions_open;

/* Any pass: takes note of what delivery.c keeps of the session. */
void wsx_state_put_delivery(const struct wsx_session *session, struct wsx_delivery *delivery);

/* The latest session of this packet's TCP connection; NULL when there is none. */
struct wsx_session *wsx_state_find(packet_info *pinfo);
/* The session of a stream under HTTP/2 or HTTP/3. */
struct wsx_session *wsx_state_find_stream(packet_info *pinfo, uint64_t stream_id);

/* A request that asks for WebSocket. Takes the head. stream_id: HTTP/2, HTTP/3. */
struct wsx_session *wsx_state_request(packet_info *pinfo, struct wsx_head *head, bool encrypted,
                                      uint64_t stream_id);
/* The same where the packet is the server's: the request was not seen, its head is known. */
struct wsx_session *wsx_state_request_known(packet_info *pinfo, struct wsx_head *head,
                                            bool from_client, bool encrypted, uint64_t stream_id);
/* Its answer. Takes the head. session NULL: the request was not captured. */
struct wsx_session *wsx_state_response(packet_info *pinfo, struct wsx_session *session,
                                       struct wsx_head *head, bool encrypted, uint64_t stream_id);
/* The answer was not captured, and frames are seen: they are read without knowing what was agreed.
 */
void wsx_state_open_unanswered(packet_info *pinfo, struct wsx_session *session);
/* A connection without a captured handshake. */
struct wsx_session *wsx_state_midstream(packet_info *pinfo, bool from_client, bool encrypted);

/* The sessions whose request or answer is in a packet. */
struct wsx_handshakes {
    struct wsx_session *const *sessions;
    unsigned count;
};

/* Any pass. What it gives holds until the next request or answer is read. */
struct wsx_handshakes wsx_state_handshakes(uint32_t packet);

/* Direction of this packet, first pass. */
enum wsx_direction wsx_state_direction(const struct wsx_session *session, const packet_info *pinfo);

/* The TCP sequence number that stands for what the direction has taken so far. */
void wsx_state_anchor(struct wsx_session *session, enum wsx_direction direction, uint32_t sequence);
/* Offset of a TCP sequence number; *before is true when it lies before the direction's beginning.
 */
uint64_t wsx_state_offset(struct wsx_session *session, enum wsx_direction direction,
                          uint32_t sequence, uint64_t *before);
/* How long pieces of this direction have waited for bytes before them, ns; 0 when none wait. */
int64_t wsx_state_waited(const packet_info *pinfo, const struct wsx_session *session,
                         enum wsx_direction direction);
/* Bytes that came before the answer. sequence: of the first one; without TCP's numbers (position
 * not known) they follow those before. */
void wsx_state_early(packet_info *pinfo, struct wsx_session *session, enum wsx_direction direction,
                     uint32_t sequence, const uint8_t *bytes, size_t captured, uint64_t length);
/* The same, of an earlier packet. */
void wsx_state_early_in(packet_info *pinfo, struct wsx_session *session,
                        enum wsx_direction direction, uint32_t sequence, const uint8_t *bytes,
                        size_t captured, uint64_t length, uint32_t packet);
/* Pieces of the direction that wait so, and since when (ns since the epoch, 0 for none). */
unsigned wsx_state_early_count(const struct wsx_session *session, enum wsx_direction direction,
                               int64_t *since);
/* A FIN behind the direction's byte at `offset` (0: not known). */
void wsx_state_fin(struct wsx_session *session, enum wsx_direction direction, uint64_t offset);
/* TCP: a RST without an acknowledgement answers a segment of the direction, and has its number from
 * what that one acknowledged (RFC 9293 3.10.7): was it seen? */
void wsx_state_elicited(struct wsx_session *session, enum wsx_direction direction,
                        uint32_t sequence);
/* TCP: a packet's numbers tell that the direction's bytes before this one were sent. `last`: the
 * connection ends here. */
void wsx_state_reach(struct wsx_session *session, enum wsx_direction direction, uint32_t sequence,
                     bool last);

/* ---- HTTP/2 and HTTP/3; first pass, unless said otherwise ---- */

/* The direction of this packet where no TCP tells it: by the client's address and port. */
enum wsx_direction wsx_state_stream_direction(const struct wsx_session *session,
                                              const packet_info *pinfo);
/* Later passes: bytes of the stream in this packet belong to frames. */
bool wsx_state_stream_is_open(const struct wsx_session *session, const packet_info *pinfo);
/* The stream's sender said that nothing follows. */
void wsx_state_stream_fin(struct wsx_session *session, enum wsx_direction direction);
/* The stream was reset. */
void wsx_state_stream_reset(struct wsx_session *session, bool from_server, uint64_t code);
/* Looks whether TCP lost bytes right before this packet, or has another order: they may have been
 * of any stream that it carries. Before the packet's bytes are fed. handed_on: by TCP to what it
 * carries. */
void wsx_state_carrier_look(packet_info *pinfo, bool handed_on);
/* TLS: the packet's bytes were decrypted, or could not be (yet). */
void wsx_state_carrier_read(const packet_info *pinfo, struct wsx_session *session,
                            enum wsx_direction direction, bool read);
/* Where the bytes that come next stand: behind what came, or behind a hole. */
uint64_t wsx_state_stream_offset(struct wsx_session *session, enum wsx_direction direction);
/* HTTP/2: a packet of the server with bytes was seen on what carries the stream. */
bool wsx_state_server_is_seen(const struct wsx_session *session);
/* The stream is of this QUIC connection, by Wireshark's number. */
void wsx_state_on_quic(struct wsx_session *session, uint32_t connection);
/* Bytes of the stream that come next begin at this byte of the QUIC stream, those before in the
 * packet included. Where that is not behind the piece that came last, some are missing or come
 * late. */
void wsx_state_quic_begin(packet_info *pinfo, struct wsx_session *session,
                          enum wsx_direction direction, uint64_t offset);
/* What a QUIC STREAM frame brings. */
struct wsx_quic_piece {
    uint64_t offset;
    const uint8_t *bytes;
    size_t length;
    bool fin;
    int64_t time; /* of its packet */
};
/* Puts the QUIC stream's bytes in order and gives those of DATA, also of earlier packets. */
void wsx_state_h3_push(struct wsx_session *session, enum wsx_direction direction,
                       const struct wsx_quic_piece *piece, wsx_h3_take take, void *context);
/* A QUIC STREAM frame of a stream that is not known to be WebSocket's: kept, up to named bounds. */
void wsx_state_keep_piece(packet_info *pinfo, uint64_t stream_id,
                          const struct wsx_quic_piece *piece);
/* A stream that was reset, and all of a connection that is closed: nothing of it is kept any more.
 */
void wsx_state_drop_kept(packet_info *pinfo, uint64_t stream_id);
void wsx_state_drop_all_kept(packet_info *pinfo);
/* Everything that came of the stream is. */
bool wsx_state_pieces_are_kept(packet_info *pinfo, uint64_t stream_id);
typedef void (*wsx_take_piece)(void *context, enum wsx_direction direction,
                               const struct wsx_quic_piece *piece);
/* Gives what was kept of the stream, once, as it came. */
void wsx_state_take_kept(packet_info *pinfo, struct wsx_session *session, wsx_take_piece take,
                         void *context);
/* Bytes may be missing before those that come next. */
void wsx_state_stream_hole(struct wsx_session *session, enum wsx_direction direction);
/* Earlier packets had all these bytes of the QUIC stream. */
bool wsx_state_quic_is_known(const struct wsx_session *session, enum wsx_direction direction,
                             uint64_t offset, uint64_t length);
/* The number of a 1-RTT packet: where one is missing before it, any stream may lack bytes. */
void wsx_state_quic_number(packet_info *pinfo, uint64_t number);
/* The sender of this 1-RTT packet has received the other side's packet of this number. One that was
 * not captured may have been about any stream. */
void wsx_state_quic_ack(packet_info *pinfo, uint64_t largest);
/* Bytes of the stream come: they may answer what the capture lacks, unless the packet acknowledges
 * what its sender had received. */
void wsx_state_quic_answers(const packet_info *pinfo, struct wsx_session *session);
/* The sender of this packet ends the stream, or the connection (session NULL). What the other side
 * sent last is known to have been seen only where the packet acknowledges what had come. */
void wsx_state_quic_ends(packet_info *pinfo, struct wsx_session *session);
/* A QUIC STREAM frame; fin: its last byte is the direction's last. Frames may come in any order:
 * the direction is at its end when all bytes before it are there. */
void wsx_state_quic_piece(packet_info *pinfo, struct wsx_session *session,
                          enum wsx_direction direction, uint64_t offset, uint64_t length, bool fin);
/* What carries the stream ended, and with it all others: by a FIN of one side, or at once. */
void wsx_state_carrier_fin(struct wsx_session *session, enum wsx_direction direction);
void wsx_state_carrier_end(struct wsx_session *session, enum wsx_cause cause);
/* The sender of this packet sent SETTINGS; extended_connect NULL: without that setting. */
void wsx_state_settings(packet_info *pinfo, const uint64_t *extended_connect);

/* A field block of HTTP/2, as far as its frames have come. */
struct wsx_block {
    uint64_t stream_id;
    bool fin; /* its first frame has END_STREAM */
    struct wsx_head head;
};
/* The one that the sender of this packet has begun and not ended; NULL when there is none. */
struct wsx_block *wsx_state_block(packet_info *pinfo);
/* The other side has begun one of this stream and not ended it. */
bool wsx_state_block_is_due(packet_info *pinfo, uint64_t stream_id);
/* The sender begins one; it has none. */
struct wsx_block *wsx_state_block_begin(packet_info *pinfo, uint64_t stream_id, bool fin);
/* The rest of the sender's block is missing: what its headers lack is not judged. */
void wsx_state_block_lacks_end(packet_info *pinfo);
/* Forgets the sender's block, and what its head holds. */
void wsx_state_block_end(packet_info *pinfo);

/* ---- calls ---- */

/* First pass: bytes of a direction at an offset. tvb: where they lie, in a call of the packet's
 * dissection; NULL behind it, when a later pass will not find them there. acked: the other side has
 * acknowledged the bytes before this offset, so that those still missing won't come; 0 if that is
 * not known. */
struct wsx_call *wsx_state_feed(packet_info *pinfo, struct wsx_session *session, tvbuff_t *tvb,
                                const uint8_t *bytes, size_t captured, uint64_t length,
                                enum wsx_direction direction, uint64_t offset, uint64_t acked);
/* First pass, behind the packet's dissection: early bytes, ends, and what else waits for this
 * moment. NULL when there is nothing. */
struct wsx_call *wsx_state_settle(packet_info *pinfo, struct wsx_session *session);
/* That would give something. session NULL: any that ended in this packet. */
bool wsx_state_has_unsettled(const struct wsx_session *session);
/* First pass: the connection ended in this packet; settled with the next wsx_state_settle. */
void wsx_state_end(struct wsx_session *session, enum wsx_cause cause);

/* Later passes: what came of the packet's next call; NULL when there is none. length: of its bytes.
 */
struct wsx_call *wsx_state_recall(packet_info *pinfo, uint32_t length);
/* The same for what came behind the packet's dissection. */
struct wsx_call *wsx_state_recall_settled(packet_info *pinfo);

/* Record number i of the call, for drawing: fills *item. tvb: the call's bytes, NULL for none. */
void wsx_state_item(const struct wsx_call *call, uint32_t i, tvbuff_t *tvb, packet_info *pinfo,
                    struct wsx_item *item);
/* The frame's payload, unmasked: at most `max` bytes of it, in packet memory. */
const uint8_t *wsx_item_payload(const struct wsx_item *item, packet_info *pinfo, size_t max);
/* The message's bytes, message->have of them, unmasked and inflated; at most `max` are needed. */
const uint8_t *wsx_item_message(const struct wsx_item *item, packet_info *pinfo, size_t max);

/* ---- the end of the file ---- */

/* What is unfinished when the file ends, session by session: items as in a packet, each session's
 * last an end. For taps that write at the end only. */
void wsx_state_at_eof(void (*visit)(const struct wsx_item *item, packet_info *pinfo, void *data),
                      void *data);
/* "address:port"; an IPv6 address stands in brackets. Lives as long as the session. */
const char *wsx_end_text(const struct wsx_end *end);
/* All sessions of the file, by number. */
unsigned wsx_state_session_count(void);
const struct wsx_session *wsx_state_session(unsigned number);

/* Preferences. */
extern unsigned wsx_limit_frame_mib, wsx_limit_message_mib, wsx_limit_inflated_mib,
    wsx_limit_total_mib, wsx_limit_ratio;
extern wsx_bool wsx_group_enabled[];
enum wsx_group {
    WSX_GROUP_HANDSHAKE,
    WSX_GROUP_FRAME,
    WSX_GROUP_MESSAGE,
    WSX_GROUP_CLOSE,
    WSX_GROUP_DEFLATE,
    WSX_GROUP_SECURITY,
    WSX_GROUP_COUNT
};

#endif
