/*
 * apps.h - what a dissector of an application protocol over WebSocket is given, where it keeps
 * state, and how it says what it read. One file a protocol in this folder, each with one struct
 * wsx_app_protocol, listed in apps.c. epan/payload.c chooses the protocol of a message and calls
 * it.
 *
 * An application dissector is a Wireshark dissector: own protocol, fields and expert items. Its
 * `data` is a struct wsx_app. It is called for every message in every pass, with a tree or without
 * one, and says with wsx_app_report, in every pass alike and in the same order, what each unit is
 * (a unit: an event, a call, a frame of its protocol). It writes state in the first pass only. It
 * returns the bytes it took, 0 when the message is not its protocol's. What is malformed is an
 * expert item of its own protocol; a message that it can't read at all still belongs to it once it
 * was chosen.
 *
 * Read next: stomp.c, the shortest example with requests and answers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_APPS_H
#define WSX_APPS_H

#include "epan/compat.h"
#include "epan/state.h"

/* How messages become what a dissector sees. */
enum wsx_mode {
    WSX_MODE_MESSAGE, /* a message is one unit */
    WSX_MODE_UNITS,   /* a message holds units: called again behind what it took */
    WSX_MODE_STREAM,  /* the messages of a direction are one stream of bytes: as WSX_MODE_UNITS, and
                         desegment_offset and desegment_len (can_desegment is set) keep what is not
                         whole yet for the next message */
};

/* One call. Valid during the call. */
struct wsx_app {
    const struct wsx_item *item;
    const struct wsx_session *session;
    enum wsx_direction direction;
    uint32_t packet;
    uint32_t message; /* message.index, in its direction */
    bool text;        /* of the message that ends in this packet */
    bool first_pass;  /* state may be written */
    int64_t time;     /* ns since the epoch */
    /* Set by a dissector that asks for DESEGMENT_ONE_MORE_SEGMENT: whether the unit can be read now
     * that there are `length` bytes of it, those from `fresh` on new. It is not called before.
     * NULL: it is called for each message, and sees all bytes of the unit again. */
    bool (*may_end)(const uint8_t *bytes, size_t length, size_t fresh);
    /* apps.c's */
    const struct wsx_app_protocol *protocol;
    unsigned units; /* reported so far */
};

struct wsx_app_protocol {
    const char *name;      /* "STOMP": Protocol column, JSON Lines */
    const char *dissector; /* the name given to register_dissector: "wsx_stomp" */
    /* Subprotocol tokens in lower case, NULL at the end; a last '*' stands for anything. May be
     * NULL.
     */
    const char *const *tokens;
    /* For connections whose subprotocol says nothing (none, or one that nobody takes): is this
     * message of the protocol? Asked about the first messages of each direction. May be NULL.
     * session->uri is NULL where no handshake was captured: be strict there. */
    bool (*sniff)(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction);
    /* Spares looking: a message that begins with '{' is none of the protocol's without a member of
     * this name (at any depth), unless the URI has this part in it. May be NULL: always asked. */
    const char *member, *uri_part;
    bool no_object; /* the same: none that begins with '{' is the protocol's */
    enum wsx_mode mode;
    /* Registers protocol, fields, expert items and the dissector. */
    void (*register_protocol)(void);
    /* Finds other dissectors. May be NULL. */
    void (*handoff)(void);
};

extern const struct wsx_app_protocol wsx_stomp_app, wsx_engineio_app, wsx_socketio_app,
    wsx_signalr_app, wsx_sockjs_app;

/* ---- what was read ---- */

enum wsx_app_role {
    WSX_APP_ALONE,    /* nothing answers it, it answers nothing */
    WSX_APP_REQUEST,  /* an answer from the other side is expected */
    WSX_APP_ANSWER,   /* the answer; the request is closed by it */
    WSX_APP_PARTIAL,  /* one of several answers; the request stays open */
    WSX_APP_FOLLOWUP, /* more from the requesting side that belongs to its open request */
};

/* What of the common fields a dissector's own fields in the unit's tree show, too. The common ones
 * are then hidden: there for filters, so that a person reads each fact once. */
enum wsx_app_shown {
    WSX_APP_TYPE_SHOWN = 1,
    WSX_APP_NAME_SHOWN = 2,
    WSX_APP_ID_SHOWN = 4,
};

/* What a dissector says of one unit. Texts are copied. Zeroed members are absent. */
struct wsx_app_event {
    enum wsx_app_role role;
    const char
        *type; /* "event", "ack", "call", "error", ...: lower case, the protocol's own word */
    const char *name;  /* of the event, action, method or operation; of an answer: NULL, the name of
                          its request is taken */
    const char *id;    /* as text; what request and answer share */
    const char *space; /* ids are unique within: a namespace, channel or kind. NULL: one space */
    bool oldest;       /* among open requests of equal id the oldest is meant (answers in order),
                          not the nearest */
    bool optional;     /* REQUEST: that nobody answers it is nothing to tell; FOLLOWUP: from now on
                          that of its request */
    bool silent_id;    /* id serves the matching and is not shown */
    unsigned shown;    /* of enum wsx_app_shown */
    const char *info;  /* for the Info column and the item; NULL: made of type, name and id */
    int offset, length; /* of the unit in the tvb */
    const void *kept;   /* first pass: anything in file scope that later passes shall find again */
};

/* What is known of one unit, in every pass. */
struct wsx_app_unit {
    const struct wsx_app_protocol *protocol;
    enum wsx_app_role role;
    const char *type, *name, *id;
    uint32_t packet; /* its own */
    int64_t time;
    /* ANSWER, PARTIAL, FOLLOWUP: its request, NULL when none was open */
    const struct wsx_app_unit *request;
    uint32_t answered_in; /* REQUEST: packet of the first answer, 0 = none (yet) */
    int64_t answer_time;  /* of that */
    uint32_t answers;     /* how many */
    uint32_t number;      /* REQUEST: in the order of the connection's requests */
    bool optional;        /* REQUEST: as the event says */
    bool first_answer;    /* ANSWER, PARTIAL: the first to its request */
    bool repeated;        /* REQUEST: an earlier one of the same id was open */
    bool ambiguous;       /* ANSWER and the like: more than one request of the id was open */
    const void *kept;
};

/*
 * Says what a unit is. Draws into `tree` (the unit's own subtree; NULL for none) the fields that
 * all applications share: wsx.app.type, .name, .id, .answered_in, .answers, .time; adds the Info
 * text; feeds the taps. Returns what is known of the unit, never NULL; use it during the call only.
 */
const struct wsx_app_unit *wsx_app_report(struct wsx_app *app, packet_info *pinfo, tvbuff_t *tvb,
                                          proto_tree *tree, const struct wsx_app_event *event);

/* The request that an answer with this id and space would close, without closing it: for
 * dissectors that read an answer by the kind of its request. First pass: looks; later passes:
 * gives what wsx_app_report found for the unit that will be reported next. NULL: none. */
const struct wsx_app_unit *wsx_app_request_of(const struct wsx_app *app, const char *space,
                                              const char *id);

/* The same for a request of this side, that a WSX_APP_FOLLOWUP would belong to. */
const struct wsx_app_unit *wsx_app_open_of(const struct wsx_app *app, const char *space,
                                           const char *id);

/* What wsx_app_report was told to keep for the unit that will be reported next; later passes
 * only, NULL in the first pass. */
const void *wsx_app_kept(const struct wsx_app *app);

/* Closes an open request of either side without an answer (cancelled, unsubscribed). First pass
 * only. */
void wsx_app_forget(struct wsx_app *app, enum wsx_direction requester, const char *space,
                    const char *id);

/* ---- state ---- */

/* The protocol's own state of this connection: `size` bytes, zeroed when first asked for; the same
 * size each time. File scope; write it in the first pass only. */
void *wsx_app_state(struct wsx_app *app, size_t size);
/* File scope, for what state points to. */
wmem_allocator_t *wsx_app_scope(void);

/* ---- help with drawing ---- */

/* Hands a part of the message to Wireshark's JSON dissector; only where there is a tree in which
 * someone can see it. */
void wsx_app_json(tvbuff_t *tvb, int offset, int length, packet_info *pinfo, proto_tree *tree);
/* The same for a dissector by name ("msgpack", "cbor", "xml", ...); false when this Wireshark has
 * none or it took nothing. Exceptions are shown and do not come back. */
bool wsx_app_call(const char *dissector, tvbuff_t *tvb, int offset, int length, packet_info *pinfo,
                  proto_tree *tree);
/* The protocol's item and tree at the top of the packet's tree, as every application draws it. */
proto_tree *wsx_app_tree(struct wsx_app *app, int proto, int ett, tvbuff_t *tvb, int offset,
                         int length, proto_tree *tree, proto_item **item);

/* ---- for payload.c and the taps ---- */

/* The applications, NULL at the end. */
extern const struct wsx_app_protocol *const wsx_apps[];
void wsx_apps_register(void);
void wsx_apps_handoff(void);
/* Before a message's dissector is called, and behind it. */
void wsx_app_begin(struct wsx_app *app, const struct wsx_item *item, packet_info *pinfo,
                   const struct wsx_app_protocol *protocol);
/* Who took a message, also a dissector of Wireshark's, and the units of it. */
struct wsx_app_message {
    const char *protocol; /* "STOMP", "MQTT" */
    wmem_array_t *units;  /* const struct wsx_app_unit *; empty for Wireshark's dissectors */
    const struct wsx_session *session;
    enum wsx_direction direction;
    uint32_t message;
};
/* For taps: of an item of the packet being dissected. NULL when nobody took it. */
const struct wsx_app_message *wsx_app_message_of(const struct wsx_item *item, packet_info *pinfo);
/* False for JSON, MessagePack, CBOR and XML of more values than Wireshark can show: an item says so
 * instead. */
bool wsx_app_can_draw(dissector_handle_t handle, tvbuff_t *tvb, packet_info *pinfo,
                      proto_tree *tree);
/* A dissector took the message. */
void wsx_app_taken(const struct wsx_item *item, packet_info *pinfo, const char *protocol);
/* The connection ended in this packet: an expert item names the requests that nobody answered.
 * tree: of the connection's end; NULL for none. */
void wsx_app_ended(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                   proto_tree *tree);
/* One that takes it as it stands: exceptions are shown in the tree and end there. */
int wsx_app_call_handle(dissector_handle_t handle, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree, void *data);

#endif
