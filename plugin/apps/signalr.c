/*
 * signalr.c - the hub protocol of ASP.NET Core SignalR: records of JSON, each ended by 0x1E, or of
 * MessagePack, each behind its length. Several in one message. A handshake in JSON comes first.
 * Written after the HubProtocol and TransportProtocols documents of dotnet/aspnetcore.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apps/apps.h"
#include "epan/info.h"
#include "json_value.h"

#include <string.h>

#define RECORD_END 0x1E

enum {
    HANDSHAKE, /* not in the protocol: it has no type */
    INVOCATION,
    STREAM_ITEM,
    COMPLETION,
    STREAM_INVOCATION,
    CANCEL_INVOCATION,
    PING,
    CLOSE,
    ACK,
    SEQUENCE,
    TYPES
};

static const value_string type_names[] = {{HANDSHAKE, "handshake"},
                                          {INVOCATION, "invocation"},
                                          {STREAM_ITEM, "stream_item"},
                                          {COMPLETION, "completion"},
                                          {STREAM_INVOCATION, "stream_invocation"},
                                          {CANCEL_INVOCATION, "cancel_invocation"},
                                          {PING, "ping"},
                                          {CLOSE, "close"},
                                          {ACK, "ack"},
                                          {SEQUENCE, "sequence"},
                                          {0, NULL}};

/* A record's parts; ABSENT where there is none. */
struct record {
    unsigned type;
    bool json;
    size_t at, length; /* of the JSON or MessagePack value in the tvb */
    size_t whole;      /* with 0x1E or the length before it */
    struct wsx_value id, target, arguments, error, result, protocol, version, sequence, reconnect;
};

static int proto, ett, hf_type = -1, hf_id = -1, hf_target = -1, hf_arguments = -1, hf_error = -1,
                       hf_result = -1, hf_protocol = -1, hf_version = -1, hf_sequence = -1,
                       hf_reconnect = -1, hf_length = -1;
static expert_field ei_bad = EI_INIT, ei_error = EI_INIT;

/* ---- reading ---- */

static bool read_json(const uint8_t *bytes, size_t length, struct record *record) {
    static const char *const names[] = {"type",    "invocationId", "target",        "arguments",
                                        "error",   "result",       "item",          "protocol",
                                        "version", "sequenceId",   "allowReconnect"};
    struct wsx_value document, values[array_length(names)];
    const uint8_t *end = memchr(bytes, RECORD_END, length);
    uint64_t type = HANDSHAKE;
    size_t bad;
    if (!end)
        return false;
    record->json = true;
    record->length = (size_t)(end - bytes);
    record->whole = record->length + 1;
    if (!wsx_value_read(WSX_JSON, bytes, record->length, &document, &bad) ||
        document.type != WSX_OBJECT)
        return false;
    wsx_value_members(&document, names, values, array_length(names));
    if (values[0].type != WSX_ABSENT &&
        (!wsx_value_unsigned(&values[0], &type) || type == HANDSHAKE || type >= TYPES))
        return false;
    record->type = (unsigned)type;
    record->id = values[1];
    record->target = values[2];
    record->arguments = values[3];
    record->error = values[4];
    record->result = values[5].type != WSX_ABSENT ? values[5] : values[6];
    record->protocol = values[7];
    record->version = values[8];
    record->sequence = values[9];
    record->reconnect = values[10];
    return true;
}

/* The length before a record: seven bits a byte, the lowest first. 0: not valid. */
static size_t prefix(const uint8_t *bytes, size_t length, size_t *value) {
    *value = 0;
    for (size_t i = 0; i < length && i < 5; i++) {
        *value |= (size_t)(bytes[i] & 0x7F) << (7 * i);
        if (!(bytes[i] & 0x80))
            return *value <= length - i - 1 ? i + 1 : 0;
    }
    return 0;
}

static void place(struct record *record, const struct wsx_value values[]) {
    switch (record->type) {
    case INVOCATION:
    case STREAM_INVOCATION:
        record->id = values[2];
        record->target = values[3];
        record->arguments = values[4];
        break;
    case STREAM_ITEM:
        record->id = values[2];
        record->result = values[3];
        break;
    case COMPLETION: {
        uint64_t kind = 0;
        record->id = values[2];
        wsx_value_unsigned(&values[3], &kind);
        if (kind == 1) /* 2: no result, 3: a result */
            record->error = values[4];
        else
            record->result = values[4];
        break;
    }
    case CANCEL_INVOCATION:
        record->id = values[2];
        break;
    case CLOSE:
        record->error = values[1];
        record->reconnect = values[2];
        break;
    case ACK:
    case SEQUENCE:
        record->sequence = values[1];
        break;
    default:
        break;
    }
}

static bool read_msgpack(const uint8_t *bytes, size_t length, struct record *record) {
    static const unsigned needed[TYPES] = {0, 5, 4, 4, 5, 3, 1, 2, 2, 2};
    struct wsx_value document, values[6];
    uint64_t type;
    size_t size, bad;
    unsigned count;
    record->at = prefix(bytes, length, &size);
    record->length = size;
    record->whole = record->at + size;
    if (!record->at || !wsx_value_read(WSX_MSGPACK, bytes + record->at, size, &document, &bad) ||
        document.type != WSX_ARRAY || !(count = wsx_value_elements(&document, values, 6)) ||
        !wsx_value_unsigned(&values[0], &type) || type == HANDSHAKE || type >= TYPES ||
        count < needed[type])
        return false;
    record->type = (unsigned)type;
    place(record, values);
    return true;
}

/* The record at the beginning. The handshake is JSON in binary messages too; no MessagePack array
 * begins so. */
static bool read_record(const uint8_t *bytes, size_t length, bool text, struct record *record) {
    memset(record, 0, sizeof *record);
    if (text || (length > 1 && bytes[0] == '{' && (bytes[1] == '"' || bytes[1] == '}')))
        return read_json(bytes, length, record);
    return read_msgpack(bytes, length, record);
}

/* ---- drawing ---- */

static void add(proto_tree *tree, int field, tvbuff_t *tvb, packet_info *pinfo,
                const struct record *record, const struct wsx_value *value) {
    if (tree && value->type != WSX_ABSENT && value->type != WSX_NULL)
        proto_tree_add_string(tree, field, tvb, (int)(record->at + value->begin),
                              (int)(value->end - value->begin),
                              wsx_value_text(pinfo->pool, value, WSX_VALUE_LINE));
}

static void draw(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                 const struct record *record) {
    proto_item *type =
        proto_tree_add_uint(tree, hf_type, tvb, (int)record->at, (int)record->length, record->type);
    if (record->type == HANDSHAKE)
        proto_item_set_generated(type);
    if (!record->json)
        proto_tree_add_uint(tree, hf_length, tvb, 0, (int)record->at, (uint32_t)record->length);
    add(tree, hf_id, tvb, pinfo, record, &record->id);
    add(tree, hf_target, tvb, pinfo, record, &record->target);
    add(tree, hf_arguments, tvb, pinfo, record, &record->arguments);
    add(tree, hf_result, tvb, pinfo, record, &record->result);
    add(tree, hf_protocol, tvb, pinfo, record, &record->protocol);
    add(tree, hf_version, tvb, pinfo, record, &record->version);
    add(tree, hf_sequence, tvb, pinfo, record, &record->sequence);
    add(tree, hf_reconnect, tvb, pinfo, record, &record->reconnect);
    if (record->error.type == WSX_STRING) {
        add(tree, hf_error, tvb, pinfo, record, &record->error);
        proto_tree_add_expert(tree, pinfo, &ei_error, tvb, (int)(record->at + record->error.begin),
                              (int)(record->error.end - record->error.begin));
    }
    if (record->json)
        wsx_app_json(tvb, (int)record->at, (int)record->length, pinfo, top);
    else
        wsx_app_call("msgpack", tvb, (int)record->at, (int)record->length, pinfo, top);
}

/* ---- what a record is ---- */

static void set_role(const struct wsx_app *app, const struct record *record,
                     struct wsx_app_event *event) {
    bool from_server = app->direction == WSX_SERVER_TO_CLIENT;
    switch (record->type) {
    case HANDSHAKE:
        event->role = from_server ? WSX_APP_ANSWER : WSX_APP_REQUEST;
        event->space = "handshake";
        return;
    case INVOCATION:
    case STREAM_INVOCATION:
        event->role = event->id ? WSX_APP_REQUEST : WSX_APP_ALONE;
        return;
    case STREAM_ITEM:
    case COMPLETION:
        /* what a client streams up has ids of its own */
        if (from_server || wsx_app_request_of(app, NULL, event->id))
            event->role = record->type == COMPLETION ? WSX_APP_ANSWER : WSX_APP_PARTIAL;
        return;
    case CANCEL_INVOCATION:
        event->role = WSX_APP_FOLLOWUP;
        return;
    default:
        return;
    }
}

static void describe(const struct wsx_app *app, packet_info *pinfo, const struct record *record,
                     struct wsx_app_event *event) {
    event->type = val_to_str_const(record->type, type_names, "");
    if (record->id.type != WSX_NULL)
        event->id = wsx_value_text(pinfo->pool, &record->id, WSX_VALUE_LINE);
    event->name = wsx_value_text(pinfo->pool, &record->target, WSX_VALUE_LINE);
    if (record->type == HANDSHAKE)
        event->name = wsx_value_text(pinfo->pool, &record->protocol, WSX_VALUE_LINE);
    else if (record->type == ACK || record->type == SEQUENCE)
        event->id = wsx_value_text(pinfo->pool, &record->sequence, WSX_VALUE_LINE);
    event->length = (int)record->whole;
    set_role(app, record, event);
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *top, void *data) {
    struct wsx_app *app = data;
    int length = (int)tvb_captured_length(tvb);
    if (!app || !length)
        return 0;
    struct record record;
    struct wsx_app_event event = {.type = "malformed", .length = length};
    bool good = read_record(tvb_get_ptr(tvb, 0, length), (size_t)length, app->text, &record);
    /* behind a record that can't be read the next one begins, where its end is known */
    int whole = record.whole && record.whole <= (size_t)length ? (int)record.whole : length;
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, 0, whole, top, &item);
    if (good) {
        describe(app, pinfo, &record, &event);
        event.shown = WSX_APP_TYPE_SHOWN | WSX_APP_ID_SHOWN | (event.name ? WSX_APP_NAME_SHOWN : 0);
        draw(tree, tvb, pinfo, top, &record);
    } else {
        event.length = whole;
        expert_add_info(pinfo, item, &ei_bad);
    }
    const struct wsx_app_unit *unit = wsx_app_report(app, pinfo, tvb, tree, &event);
    proto_item_append_text(item, ", %s%s%s", event.type, unit->name ? " " : "",
                           wsx_shown(pinfo->pool, unit->name));
    return whole;
}

/* Every record of the message is one of SignalR. Behind a handshake the hub's own comes first, in
 * JSON: a binary message of a few bytes may be anything. */
static bool sniff(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction _U_) {
    struct record record;
    size_t at = 0;
    while (at < length) {
        if (!read_record(bytes + at, length - at, text, &record))
            return false;
        if (!at && !text && session->uri && record.type != HANDSHAKE)
            return false;
        if (record.type == HANDSHAKE && record.protocol.type == WSX_ABSENT && record.length > 2 &&
            record.error.type == WSX_ABSENT)
            return false;
        at += record.whole;
    }
    return length > 0;
}

/* ---- registration ---- */

#define STRING(var, title, name, blurb)                                                            \
    {                                                                                              \
        &(var), { title, "signalr." name, FT_STRING, BASE_NONE, NULL, 0, blurb, HFILL }            \
    }

static void register_protocol(void) {
    static hf_register_info fields[] = {
        {&hf_type,
         {"Type", "signalr.type", FT_UINT8, BASE_DEC, VALS(type_names), 0, "0: handshake", HFILL}},
        {&hf_length,
         {"Length", "signalr.length", FT_UINT32, BASE_DEC, NULL, 0, "Of a MessagePack record",
          HFILL}},
        STRING(hf_id, "Invocation id", "invocation_id",
               "Given by the caller; items, completion and cancellation have the same"),
        STRING(hf_target, "Target", "target", "The hub's or the client's method"),
        STRING(hf_arguments, "Arguments", "arguments", "The call's arguments, in JSON as sent"),
        STRING(hf_error, "Error", "error", "Why a call, the handshake or the connection failed"),
        STRING(hf_result, "Result", "result", "Or an item of a stream"),
        STRING(hf_protocol, "Protocol", "protocol", "What the handshake asks for"),
        STRING(hf_version, "Version", "version",
               "Version of the hub protocol that the client asks for"),
        STRING(hf_sequence, "Sequence id", "sequence_id",
               "Of an ack: the last message that was taken; of a sequence: the first that will be "
               "sent again"),
        STRING(hf_reconnect, "Reconnect allowed", "allow_reconnect",
               "Of a close: whether the client may come again by itself"),
    };
    static ei_register_info items[] = {
        {&ei_bad,
         {"signalr.malformed", PI_MALFORMED, PI_ERROR, "This is no SignalR record", EXPFILL}},
        {&ei_error,
         {"signalr.failed", PI_RESPONSE_CODE, PI_NOTE, "The other side reports an error", EXPFILL}},
    };
    static int *trees[] = {&ett};
    ett = -1;
    proto = proto_register_protocol("SignalR hub protocol", "SignalR", "signalr");
    proto_register_field_array(proto, fields, array_length(fields));
    proto_register_subtree_array(trees, array_length(trees));
    expert_register_field_array(expert_register_protocol(proto), items, array_length(items));
    register_dissector("wsx_signalr", dissect, proto);
}

const struct wsx_app_protocol wsx_signalr_app = {
    .name = "SignalR",
    .dissector = "wsx_signalr",
    .sniff = sniff,
    .mode = WSX_MODE_UNITS,
    .register_protocol = register_protocol,
};
