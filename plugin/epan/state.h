/*
 * state.h - what is stored, and for how long. Everything here has file scope: made in the first
 * pass by state.c (the only file that stores), read by show.c, payload.c and the taps, gone when
 * the file is closed. Only links forward (to a Pong, to a Close) are set later than the record they
 * stand in.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_STATE_H
#define WSX_EPAN_STATE_H

#include "compat.h"
#include "connection.h"

struct wsx_finding {
    struct wsx_finding *next;
    enum wsx_rule rule;
    enum wsx_severity severity;
    uint32_t packet; /* another packet involved, 0 = none */
    const char *detail;
};

enum wsx_record_kind {
    WSX_RECORD_FRAME,
    WSX_RECORD_BROKEN,
    WSX_RECORD_NOTE,
    WSX_RECORD_OPEN,
    WSX_RECORD_END
};

/* A frame, or something else that a connection reported, in the order in which it happened. */
struct wsx_record {
    enum wsx_record_kind kind;
    enum wsx_item_kind item; /* WSX_RECORD_FRAME */
    enum wsx_direction direction;
    struct wsx_frame_header header;
    uint32_t index;
    uint32_t packet, begin_packet;
    int64_t delta; /* ns, -1: first frame of the connection */
    int offset;    /* of its first byte in the packet's bytes when it lies there wholly, else -1 */
    size_t have;   /* payload bytes */
    uint64_t missing; /* frame: payload bytes not captured; note: lost bytes */
    bool over_limit, unfinished;
    const uint8_t *payload; /* unmasked; NULL when it is to be taken from the packet */
    uint32_t message_index;
    struct wsx_message *message;   /* bytes NULL when they are the frame's payload */
    uint32_t answers, answered_in; /* packets; 0 = none */
    int64_t answer_time;           /* ns */
    bool first_close;
    const char *cause; /* WSX_RECORD_END */
    struct wsx_finding *findings;
};

/* One WebSocket connection. */
struct wsx_session {
    uint32_t number; /* websocket.stream */
    struct wsx_connection *core;
    const char *uri, *subprotocol, *extensions;
    const char *client, *server; /* "address:port" */
    uint16_t server_port;
    uint32_t request_packet, response_packet;
    unsigned status;
    bool midstream, opened, ended;
    uint32_t transport_stream;
    uint32_t last_packet;
    int64_t last_time;
    struct wsx_head request, response;
    int64_t request_time, response_time;
    struct wsx_finding *request_findings, *response_findings;
    uint64_t offset[2];   /* contiguous transports: bytes taken; TCP: what `sequence` stands for */
    uint32_t sequence[2]; /* TCP, absolute: of offset[] */
    bool sequence_known[2];
    bool direct;             /* TCP calls us, not HTTP */
    wmem_array_t *frames[2]; /* struct wsx_record *, by frame.index - 1 */
    address client_address;
    uint32_t client_port;
};

/* What one call with a run of bytes gave. */
struct wsx_chunk {
    uint32_t packet, ordinal;
    struct wsx_session *session;
    enum wsx_direction direction;
    uint32_t length;
    struct wsx_record **records;
    uint32_t count;
    bool begins_inside; /* the bytes begin inside a frame */
    uint32_t
        tail_index; /* frame that the last bytes belong to and that is not complete; 0 = none */
    uint64_t tail_done, tail_whole; /* bytes of it so far; its length, 0 = not known */
};

/* The items of a packet for the taps: queued once a packet. Packet scope. */
struct wsx_item {
    const struct wsx_session *session;
    const struct wsx_record *record;
    const uint8_t *bytes; /* of the message, or the frame's payload; unmasked */
    size_t length;
};
struct wsx_packet {
    uint32_t calls;
    wmem_array_t *items;
};

void wsx_state_register(void);

/* The packet's own list. */
struct wsx_packet *wsx_state_packet(packet_info *pinfo);

/* The session of a TCP conversation at this packet; NULL when there is none. */
struct wsx_session *wsx_state_find(packet_info *pinfo);

/* First pass: a request that asks for WebSocket. Takes the head. */
struct wsx_session *wsx_state_request(packet_info *pinfo, struct wsx_head *head, bool encrypted);
/* First pass: its answer. Takes the head. session NULL: the request was not captured. */
struct wsx_session *wsx_state_response(packet_info *pinfo, struct wsx_session *session,
                                       struct wsx_head *head, bool encrypted);
/* First pass: a connection without a captured handshake. */
struct wsx_session *wsx_state_midstream(packet_info *pinfo, bool from_client);

/* Sessions whose request or answer is in this packet (any pass); NULL when there is none. */
struct wsx_session *wsx_state_handshake(uint32_t packet);

/* First pass: the sequence number behind this packet's payload stands for what the direction has
 * taken so far. */
void wsx_state_anchor(packet_info *pinfo, struct wsx_session *session,
                      enum wsx_direction direction);

/* First pass: bytes of a direction. Returns what came of them. */
const struct wsx_chunk *wsx_state_feed(packet_info *pinfo, struct wsx_session *session,
                                       tvbuff_t *tvb, enum wsx_direction direction,
                                       uint64_t offset);
/* Later passes: what came of them. NULL when the first pass did not see these bytes. */
const struct wsx_chunk *wsx_state_recall(packet_info *pinfo, uint32_t length);

/* The record of a frame that is complete; NULL else. */
const struct wsx_record *wsx_state_frame(const struct wsx_session *session,
                                         enum wsx_direction direction, uint32_t index);

/* Direction of this packet. */
enum wsx_direction wsx_state_direction(const struct wsx_session *session, const packet_info *pinfo);

/* Ends all sessions still open, as the file's end does; calls back for each "end" in the order of
 * numbers. */
void wsx_state_each_open(void (*visit)(const struct wsx_session *session, void *data), void *data);

extern unsigned wsx_limit_frame_mib, wsx_limit_message_mib;

#endif
