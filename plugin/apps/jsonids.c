/*
 * jsonids.c - three protocols of JSON messages with ids:
 *
 *   Phoenix channels   [join_ref, ref, topic, event, payload], or an object of the same members in
 *                      version 1; binary messages of version 2. A reply has the ref of its push.
 *   Action Cable       commands of the client, types of the server; the identifier is a channel
 *   Chrome DevTools    id and method; the answer has the id; events have a method alone
 *
 * Each function read_... turns a message into a struct wsx_ids_unit and says what is wrong with it.
 * The fourth of the family is in json_jupyter.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_ids.h"
#include "writable.h"

#include <string.h>

static bool is_id(const struct wsx_value *value) {
    return value->type == WSX_STRING || value->type == WSX_NUMBER;
}

static bool none(const struct wsx_value *value) {
    return value->type == WSX_ABSENT || value->type == WSX_NULL;
}

/* ---- Phoenix ---- */

enum { PX_JOIN_REF, PX_REF, PX_TOPIC, PX_EVENT, PX_PAYLOAD, PX_COUNT };
static const char *const phoenix_names[] = {"join_ref", "ref", "topic", "event", "payload"};

static const char *phoenix_parts(const struct wsx_value *document, struct wsx_value *parts) {
    struct wsx_value all[PX_COUNT + 1];
    if (document->type == WSX_OBJECT) {
        wsx_value_members(document, phoenix_names, parts, PX_COUNT);
    } else if (document->type != WSX_ARRAY ||
               wsx_value_elements(document, all, PX_COUNT + 1) != PX_COUNT) {
        return "It is no array of five and no object";
    } else {
        memcpy(parts, all, PX_COUNT * sizeof *parts);
    }
    if (parts[PX_TOPIC].type != WSX_STRING || parts[PX_EVENT].type != WSX_STRING)
        return "Topic and event are not both strings";
    if ((!none(&parts[PX_REF]) && !is_id(&parts[PX_REF])) ||
        (!none(&parts[PX_JOIN_REF]) && !is_id(&parts[PX_JOIN_REF])))
        return "A reference is no string and not null";
    return NULL;
}

static void phoenix_reply(const struct wsx_value *parts, struct wsx_ids_unit *unit) {
    static const char *const names[] = {"status", "response"};
    struct wsx_value members[2];
    wsx_value_members(&parts[PX_PAYLOAD], names, members, 2);
    unit->status = members[0];
    unit->payload = members[1];
    unit->role = WSX_APP_ANSWER;
    unit->type = wsx_value_is(&unit->status, "error") ? "error" : "reply";
}

/* The library's own events, and what they are called here. */
static const struct {
    const char *event, *type;
    bool names_topic; /* the name shown is the topic */
} phoenix_events[] = {
    {"phx_join", "join", true},   {"phx_leave", "leave", true},      {"phx_close", "close", true},
    {"phx_error", "crash", true}, {"heartbeat", "heartbeat", false},
};

static void phoenix_unit(const struct wsx_json *json, const struct wsx_value *parts,
                         struct wsx_ids_unit *unit) {
    bool by_client = json->app->direction == WSX_CLIENT_TO_SERVER;
    unit->topic = parts[PX_TOPIC];
    unit->payload = parts[PX_PAYLOAD];
    unit->space = wsx_value_text(json->pinfo->pool, &parts[PX_TOPIC], WSX_JSON_ID_MAX);
    if (is_id(&parts[PX_REF]))
        unit->id = parts[PX_REF];
    if (wsx_value_is(&parts[PX_EVENT], "phx_reply")) {
        phoenix_reply(parts, unit);
        return;
    }
    unit->role = by_client && is_id(&unit->id) ? WSX_APP_REQUEST : WSX_APP_ALONE;
    unit->type = by_client || !none(&parts[PX_JOIN_REF]) ? "push" : "broadcast";
    unit->name = wsx_json_text(json, &parts[PX_EVENT]);
    for (size_t i = 0; i < array_length(phoenix_events); i++)
        if (wsx_value_is(&parts[PX_EVENT], phoenix_events[i].event)) {
            unit->type = phoenix_events[i].type;
            unit->name =
                phoenix_events[i].names_topic ? wsx_json_text(json, &parts[PX_TOPIC]) : NULL;
        }
    unit->optional = strcmp(unit->type, "push") == 0; /* a channel need not reply */
}

/* Binary: the kind, the lengths of what follows, then they, then the payload. */
static const char *phoenix_binary(const struct wsx_json *json, struct wsx_value *parts) {
    static const int push[] = {PX_JOIN_REF, PX_REF, PX_TOPIC, PX_EVENT, -1},
                     told[] = {PX_JOIN_REF, PX_TOPIC, PX_EVENT, -1},
                     reply[] = {PX_JOIN_REF, PX_REF, PX_TOPIC, PX_EVENT, -1},
                     broadcast[] = {PX_TOPIC, PX_EVENT, -1};
    const uint8_t *bytes = json->bytes;
    bool by_client = json->app->direction == WSX_CLIENT_TO_SERVER;
    unsigned kind = json->length ? bytes[0] : 255;
    if (kind > 2)
        return "The first byte is no kind of message";
    const int *order = kind == 0 ? (by_client ? push : told) : kind == 1 ? reply : broadcast;
    size_t count = 0;
    while (order[count] >= 0)
        count++;
    size_t at = 1 + count;
    for (size_t i = 0; i < count; i++) {
        size_t length = 1 + i < json->length ? bytes[1 + i] : SIZE_MAX;
        if (at > json->length || length > json->length - at)
            return "It ends before what its lengths say";
        if (length || order[i] >= PX_TOPIC)
            parts[order[i]] = wsx_ids_slice(bytes, at, length);
        at += length;
    }
    parts[PX_PAYLOAD] = wsx_ids_slice(bytes, at, json->length - at);
    parts[PX_PAYLOAD].type = WSX_BYTES;
    return NULL;
}

static int dissect_phoenix(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    const struct wsx_app *app = data;
    struct wsx_json json;
    struct wsx_value parts[PX_COUNT] = {{0}};
    struct wsx_ids_unit unit = {0};
    const char *problem;
    if (!app->text) {
        wsx_json_begin(&json, &wsx_ids_protocol, tvb, pinfo, tree, data);
        problem = phoenix_binary(&json, parts);
        if (!problem && json.bytes[0] == 1) {
            unit.role = WSX_APP_ANSWER;
            unit.status = parts[PX_EVENT];
            unit.type = wsx_value_is(&unit.status, "error") ? "error" : "reply";
            unit.id = parts[PX_REF];
            unit.topic = parts[PX_TOPIC];
            unit.payload = parts[PX_PAYLOAD];
            unit.space = wsx_value_text(pinfo->pool, &unit.topic, WSX_JSON_ID_MAX);
        } else if (!problem) {
            phoenix_unit(&json, parts, &unit);
        }
        wsx_ids_report(&json, &unit, problem);
    } else if (wsx_json_open(&json, &wsx_ids_protocol, WSX_JSON, tvb, pinfo, tree, data)) {
        if (!(problem = phoenix_parts(&json.document, parts)))
            phoenix_unit(&json, parts, &unit);
        wsx_ids_report(&json, &unit, problem);
        wsx_json_draw(&json, &json.document);
    }
    return (int)tvb_captured_length(tvb);
}

static bool is_count(const struct wsx_value *value) {
    uint64_t number = 0;
    const char *text = value->type == WSX_STRING ? wsx_value_text(NULL, value, 32) : NULL;
    bool count = value->type != WSX_STRING ||
                 g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &number, NULL);
    wmem_free(NULL, wsx_writable(text));
    return count;
}

/* References are counted; of other clients' messages the library's own events tell. */
static bool is_phoenix_array(const struct wsx_value *parts) {
    const char *event = wsx_value_text(NULL, &parts[PX_EVENT], WSX_VALUE_LINE);
    bool own = g_str_has_prefix(event, "phx_");
    wmem_free(NULL, wsx_writable(event));
    return own || (is_count(&parts[PX_REF]) && is_count(&parts[PX_JOIN_REF]));
}

/* A message in full; of an object also the ref, since topic and event alone are everybody's. */
static bool sniff_phoenix(const struct wsx_session *session _U_, const uint8_t *bytes,
                          size_t length, bool text, enum wsx_direction direction _U_) {
    struct wsx_value document, parts[PX_COUNT];
    size_t bad;
    return text && length && (bytes[0] == '[' || bytes[0] == '{') &&
           wsx_value_read(WSX_JSON, bytes, length, &document, &bad) &&
           !phoenix_parts(&document, parts) && parts[PX_REF].type != WSX_ABSENT &&
           parts[PX_PAYLOAD].type == WSX_OBJECT &&
           (document.type == WSX_OBJECT || is_phoenix_array(parts));
}

/* ---- Action Cable ---- */

enum { AC_TYPE, AC_COMMAND, AC_IDENTIFIER, AC_MESSAGE, AC_DATA, AC_REASON, AC_COUNT };
static const char *const cable_names[] = {"type",    "command", "identifier",
                                          "message", "data",    "reason"};

/* A member of JSON inside a string. */
static const char *inner_member(const struct wsx_json *json, const struct wsx_value *text,
                                const char *name) {
    struct wsx_value document;
    size_t bad;
    if (text->type != WSX_STRING)
        return NULL;
    const char *inner = wsx_value_text(json->pinfo->pool, text, json->length);
    if (!wsx_value_read(WSX_JSON, (const uint8_t *)inner, strlen(inner), &document, &bad))
        return NULL;
    struct wsx_value value = wsx_value_member(&document, name);
    return wsx_json_text(json, &value);
}

static const char *cable_command(const struct wsx_json *json, const struct wsx_value *members,
                                 struct wsx_ids_unit *unit) {
    unit->type = wsx_json_text(json, &members[AC_COMMAND]);
    unit->payload = members[AC_DATA];
    if (members[AC_IDENTIFIER].type != WSX_STRING)
        return "The command has no identifier";
    if (wsx_value_is(&members[AC_COMMAND], "subscribe"))
        unit->role = WSX_APP_REQUEST;
    else if (wsx_value_is(&members[AC_COMMAND], "message")) {
        const char *action = inner_member(json, &members[AC_DATA], "action");
        unit->name = action ? action : unit->name;
    }
    return NULL;
}

static const char *read_cable(const struct wsx_json *json, struct wsx_ids_unit *unit) {
    struct wsx_value members[AC_COUNT];
    wsx_value_members(&json->document, cable_names, members, AC_COUNT);
    if (json->document.type != WSX_OBJECT)
        return "It is no object";
    unit->topic = members[AC_IDENTIFIER];
    unit->name = inner_member(json, &unit->topic, "channel");
    unit->match = wsx_value_text(json->pinfo->pool, &unit->topic, WSX_JSON_ID_MAX);
    if (members[AC_COMMAND].type == WSX_STRING)
        return cable_command(json, members, unit);
    unit->payload = members[AC_MESSAGE];
    if (members[AC_TYPE].type == WSX_STRING) {
        unit->type = wsx_json_text(json, &members[AC_TYPE]);
        unit->error = members[AC_REASON];
        if (strcmp(unit->type, "confirm_subscription") == 0 ||
            strcmp(unit->type, "reject_subscription") == 0) {
            unit->role = WSX_APP_ANSWER;
            unit->name = NULL;
        }
        return NULL;
    }
    if (unit->topic.type != WSX_STRING || members[AC_MESSAGE].type == WSX_ABSENT)
        return "It has no command, no type, and is no message of a channel";
    unit->type = "message";
    return NULL;
}

static int dissect_cable(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    const struct wsx_app *app = data;
    struct wsx_json json;
    if (wsx_json_open(&json, &wsx_ids_protocol, app->text ? WSX_JSON : WSX_MSGPACK, tvb, pinfo,
                      tree, data)) {
        struct wsx_ids_unit unit = {0};
        const char *problem = read_cable(&json, &unit);
        wsx_ids_report(&json, &unit, problem);
        wsx_json_draw(&json, &json.document);
    }
    return (int)tvb_captured_length(tvb);
}

/* By its identifier, a string that is an object with a channel. */
static bool sniff_cable(const struct wsx_session *session _U_, const uint8_t *bytes, size_t length,
                        bool text, enum wsx_direction direction _U_) {
    struct wsx_value document;
    size_t bad;
    if (!text || !length || bytes[0] != '{' ||
        !wsx_value_read(WSX_JSON, bytes, length, &document, &bad))
        return false;
    struct wsx_value identifier = wsx_value_member(&document, "identifier");
    const char *inner = wsx_value_text(NULL, &identifier, WSX_JSON_ID_MAX);
    bool found = identifier.type == WSX_STRING && g_str_has_prefix(inner, "{\"channel\":\"");
    wmem_free(NULL, wsx_writable(inner));
    return found;
}

/* ---- Chrome DevTools ---- */

enum { CD_ID, CD_METHOD, CD_PARAMS, CD_RESULT, CD_ERROR, CD_SESSION, CD_COUNT };
static const char *const devtools_names[] = {"id",     "method", "params",
                                             "result", "error",  "sessionId"};

/* The sessions of commands, by id. First pass. */
struct devtools_state {
    wmem_map_t *sessions;
};

/* A command to a session that is closed is answered without the session's id. */
static const char *devtools_space(const struct wsx_json *json, const struct wsx_ids_unit *unit) {
    const char *space = wsx_value_text(json->pinfo->pool, &unit->topic, WSX_JSON_ID_MAX);
    const char *id = wsx_value_text(json->pinfo->pool, &unit->id, WSX_JSON_ID_MAX);
    if (!json->app->first_pass || !id)
        return space;
    struct devtools_state *state = wsx_app_state(json->app, sizeof *state);
    if (unit->role == WSX_APP_REQUEST && space)
        wmem_map_insert(wsx_json_map(&state->sessions), wmem_strdup(wsx_app_scope(), id),
                        wmem_strdup(wsx_app_scope(), space));
    if (unit->role == WSX_APP_ANSWER && !space && state->sessions &&
        unit->error.type != WSX_ABSENT && !wsx_app_request_of(json->app, NULL, id))
        space = wmem_map_lookup(state->sessions, id);
    return space;
}

static const char *read_devtools(const struct wsx_json *json, struct wsx_ids_unit *unit) {
    struct wsx_value members[CD_COUNT];
    wsx_value_members(&json->document, devtools_names, members, CD_COUNT);
    if (json->document.type != WSX_OBJECT)
        return "It is no object";
    unit->topic = members[CD_SESSION];
    unit->id = members[CD_ID];
    if (!none(&unit->id) && unit->id.type != WSX_NUMBER)
        return "The id is no number";
    if (members[CD_METHOD].type == WSX_STRING) {
        unit->role = unit->id.type == WSX_NUMBER ? WSX_APP_REQUEST : WSX_APP_ALONE;
        unit->type = unit->role == WSX_APP_REQUEST ? "command" : "event";
        unit->name = wsx_json_text(json, &members[CD_METHOD]);
        unit->payload = members[CD_PARAMS];
        unit->space = devtools_space(json, unit);
        return NULL;
    }
    if (members[CD_RESULT].type == WSX_ABSENT && members[CD_ERROR].type == WSX_ABSENT)
        return "It has no method, no result and no error";
    unit->role = WSX_APP_ANSWER;
    unit->type = members[CD_ERROR].type != WSX_ABSENT ? "error" : "result";
    unit->payload = members[CD_ERROR].type != WSX_ABSENT ? members[CD_ERROR] : members[CD_RESULT];
    unit->error = wsx_value_member(&members[CD_ERROR], "message");
    unit->space = devtools_space(json, unit);
    return NULL;
}

static int dissect_devtools(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_json json;
    if (wsx_json_open(&json, &wsx_ids_protocol, WSX_JSON, tvb, pinfo, tree, data)) {
        struct wsx_ids_unit unit = {0};
        const char *problem = read_devtools(&json, &unit);
        wsx_ids_report(&json, &unit, problem);
        wsx_json_draw(&json, &json.document);
    }
    return (int)tvb_captured_length(tvb);
}

/* "Page.enable": a domain with a capital, a dot, a method without. */
static bool is_devtools_method(const struct wsx_value *method) {
    if (method->type != WSX_STRING) /* it may be missing, and have no bytes */
        return false;
    const uint8_t *at = method->bytes + method->inner, *end = method->bytes + method->end - 1;
    if (at >= end || !g_ascii_isupper(*at))
        return false;
    while (at < end && g_ascii_isalnum(*at))
        at++;
    if (at + 1 >= end || *at != '.' || !g_ascii_islower(at[1]))
        return false;
    for (at++; at < end && g_ascii_isalnum(*at);)
        at++;
    return at == end;
}

static bool is_devtools_member(const struct wsx_value *key) {
    return wsx_value_is(key, "method") || wsx_value_is(key, "id") || wsx_value_is(key, "params") ||
           wsx_value_is(key, "sessionId");
}

static bool sniff_devtools(const struct wsx_session *session, const uint8_t *bytes, size_t length,
                           bool text, enum wsx_direction direction _U_) {
    static const char *const names[] = {"method", "id", "params"};
    struct wsx_value document, members[3], key, value;
    struct wsx_walk walk;
    size_t bad;
    if (!text || !length || bytes[0] != '{')
        return false;
    if (session->uri && strstr(session->uri, "/devtools/"))
        return true;
    if (!wsx_value_read(WSX_JSON, bytes, length, &document, &bad))
        return false;
    wsx_walk_begin(&walk, &document);
    while (wsx_walk_next(&walk, &key, &value)) /* others have methods, too: JSON-RPC, Meteor */
        if (!is_devtools_member(&key))
            return false;
    wsx_value_members(&document, names, members, 3);
    return is_devtools_method(&members[0]) &&
           (members[1].type == WSX_ABSENT || members[1].type == WSX_NUMBER) &&
           (members[2].type == WSX_ABSENT || members[2].type == WSX_OBJECT);
}

/* ---- registration ---- */

static void register_phoenix(void) { wsx_ids_register("wsx_phoenix", dissect_phoenix); }
static void register_cable(void) { wsx_ids_register("wsx_actioncable", dissect_cable); }
static void register_devtools(void) { wsx_ids_register("wsx_devtools", dissect_devtools); }

static const char *const cable_tokens[] = {"actioncable-v1-json", "actioncable-v1-ext-json",
                                           "actioncable-v1-msgpack", "actioncable-v1-ext-msgpack",
                                           NULL};
/* Phoenix clients offer the first with an auth token beside it. */
static const char *const phoenix_tokens[] = {"phoenix", NULL};

const struct wsx_app_protocol wsx_phoenix_app = {
    .name = "Phoenix",
    .dissector = "wsx_phoenix",
    .tokens = phoenix_tokens,
    .sniff = sniff_phoenix,
    .member = "topic",
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_phoenix,
};
const struct wsx_app_protocol wsx_actioncable_app = {
    .name = "ActionCable",
    .dissector = "wsx_actioncable",
    .tokens = cable_tokens,
    .sniff = sniff_cable,
    .member = "identifier",
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_cable,
};
const struct wsx_app_protocol wsx_devtools_app = {
    .name = "DevTools",
    .dissector = "wsx_devtools",
    .sniff = sniff_devtools,
    .member = "method",
    .uri_part = "/devtools/",
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_devtools,
};
