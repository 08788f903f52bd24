/*
 * ocpp.c - OCPP-J: the Open Charge Point Protocol 1.6, 2.0.1 and 2.1 between a charging station and
 * its management system, as JSON arrays [type, id, ...]. Either side calls; a result names its call
 * by the id alone, so its action is that of the call.
 *
 * Written after "OCPP 1.6 JSON specification" and part 4 of OCPP 2.0.1 and 2.1.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_app.h"

#include <string.h>

static int hf_type = -1, hf_id = -1, hf_action = -1, hf_error_code = -1, hf_description = -1,
           hf_payload = -1, hf_status = -1, hf_result_in = -1;

/* What stands behind type and id. */
enum layout {
    LAYOUT_CALL,   /* action, payload */
    LAYOUT_RESULT, /* payload */
    LAYOUT_ERROR,  /* code, description, details */
};

/* The message types; SEND and CALLRESULTERROR came with 2.1. */
static const struct type {
    const char *name, *word;
    enum wsx_app_role role;
    enum layout layout;
} types[] = {
    [2] = {"CALL", "call", WSX_APP_REQUEST, LAYOUT_CALL},
    [3] = {"CALLRESULT", "result", WSX_APP_ANSWER, LAYOUT_RESULT},
    [4] = {"CALLERROR", "error", WSX_APP_ANSWER, LAYOUT_ERROR},
    [5] = {"CALLRESULTERROR", "result error", WSX_APP_ALONE, LAYOUT_ERROR},
    [6] = {"SEND", "send", WSX_APP_ALONE, LAYOUT_CALL},
};
static const value_string type_names[] = {
    {2, "CALL"}, {3, "CALLRESULT"}, {4, "CALLERROR"}, {5, "CALLRESULTERROR"},
    {6, "SEND"}, {0, NULL},
};

static struct wsx_json_protocol protocol;

/* A result, for the CALLRESULTERROR that says that it can't be used. File scope. */
struct result {
    uint32_t packet;
    const char *action; /* NULL: of no call that was captured */
};
struct state {
    wmem_map_t *results; /* by direction and id */
};

/* The type, when all elements are of the kind that it asks for; NULL and *problem otherwise. */
static const struct type *read_type(const struct wsx_value *parts, unsigned count,
                                    const char **problem) {
    uint64_t number;
    if (!wsx_value_unsigned(&parts[0], &number) || number < 2 || number > 6) {
        *problem = "The first element is no message type (2 to 6)";
        return NULL;
    }
    const struct type *type = &types[number];
    if (parts[1].type != WSX_STRING) {
        *problem = "The second element, the message id, is no string";
        return NULL;
    }
    unsigned needed = type->layout == LAYOUT_CALL ? 4 : type->layout == LAYOUT_RESULT ? 3 : 5;
    *problem = count != needed ? "It has too few or too many elements for its type" : NULL;
    if (count >= 3 && type->layout != LAYOUT_RESULT && parts[2].type != WSX_STRING)
        *problem =
            type->layout == LAYOUT_CALL ? "The action is no string" : "The error code is no string";
    const struct wsx_value *body = &parts[needed - 1];
    if (!*problem && body->type != WSX_OBJECT)
        *problem = "The payload is no object";
    return type;
}

static void draw(const struct wsx_json *json, const struct type *type,
                 const struct wsx_value *parts) {
    bool error = type->layout == LAYOUT_ERROR;
    if (!json->tree)
        return;
    proto_tree_add_uint(json->tree, hf_type, json->tvb, (int)parts[0].begin,
                        (int)(parts[0].end - parts[0].begin), (unsigned)(type - types));
    wsx_json_add_text(json, json->tree, hf_id, &parts[1]);
    if (type->layout == LAYOUT_CALL)
        wsx_json_add_text(json, json->tree, hf_action, &parts[2]);
    if (error) {
        wsx_json_add_text(json, json->tree, hf_error_code, &parts[2]);
        wsx_json_add_text(json, json->tree, hf_description, &parts[3]);
    }
    const struct wsx_value *payload = &parts[error ? 4 : type->layout == LAYOUT_CALL ? 3 : 2];
    struct wsx_value status = wsx_value_member(payload, "status");
    if (status.type == WSX_STRING)
        wsx_json_add_text(json, json->tree, hf_status, &status);
    wsx_json_add_text(json, json->tree, hf_payload, payload);
}

static const char *result_key(const struct wsx_json *json, const char *id, bool own) {
    bool from_client = (json->app->direction == WSX_CLIENT_TO_SERVER) == own;
    return wmem_strdup_printf(json->pinfo->pool, "%d%s", from_client, id);
}

/* First pass: what a CALLRESULT may be named by later. */
static void keep_result(struct wsx_json *json, const char *id, const char *action) {
    struct state *state = wsx_app_state(json->app, sizeof *state);
    struct result *result = wmem_new(wsx_app_scope(), struct result);
    result->packet = json->app->packet;
    result->action = action ? wmem_strdup(wsx_app_scope(), action) : NULL;
    wmem_map_insert(wsx_json_map(&state->results),
                    wmem_strdup(wsx_app_scope(), result_key(json, id, true)), result);
}

/* The other side's result that a CALLRESULTERROR is about. */
static const struct result *find_result(struct wsx_json *json, const char *id) {
    if (!json->app->first_pass)
        return wsx_app_kept(json->app);
    struct state *state = wsx_app_state(json->app, sizeof *state);
    return state->results ? wmem_map_lookup(state->results, result_key(json, id, false)) : NULL;
}

/* Where no handshake was captured, it may be. */
static bool is_2_1(const struct wsx_session *session) {
    return !session->subprotocol || g_ascii_strcasecmp(session->subprotocol, "ocpp2.1") == 0;
}

/* "CALL BootNotification", "CALLERROR BootNotification: NotImplemented" */
static const char *info_of(const struct wsx_json *json, const struct type *type, const char *action,
                           const char *error) {
    return wmem_strdup_printf(json->pinfo->pool, "%s%s%s%s%s", type->name, action ? " " : "",
                              action ? action : "", error ? ": " : "", error ? error : "");
}

static void report(struct wsx_json *json, const struct type *type, const struct wsx_value *parts) {
    const char *id = wsx_value_text(json->pinfo->pool, &parts[1], WSX_JSON_ID_MAX);
    const char *third = type->layout == LAYOUT_RESULT ? NULL : wsx_json_text(json, &parts[2]);
    const char *action = type->layout == LAYOUT_CALL ? third : NULL;
    const char *error = type->layout == LAYOUT_ERROR ? third : NULL;
    const struct result *result = NULL;
    struct wsx_app_event event = {.role = type->role, .type = type->word, .id = id};
    event.name = action;
    if (type->role == WSX_APP_ANSWER) {
        const struct wsx_app_unit *call = wsx_app_request_of(json->app, NULL, id);
        action = call ? call->name : NULL;
        if (!call && error && strcmp(id, "-1") == 0)
            event.role = WSX_APP_ALONE; /* since 2.0.1: to a call whose id could not be read */
    } else if (error) {
        result = find_result(json, id);
        event.name = action = result ? result->action : NULL;
        event.kept = result;
    }
    event.info = info_of(json, type, action, error);
    if (json->app->first_pass && type == &types[3] && is_2_1(json->app->session))
        keep_result(json, id, action);
    event.shown = WSX_APP_TYPE_SHOWN | WSX_APP_NAME_SHOWN | WSX_APP_ID_SHOWN;
    wsx_json_report(json, &event, NULL);
    if (result)
        wsx_json_add_packet(json, json->tree, hf_result_in, result->packet);
    if (type->layout != LAYOUT_CALL)
        wsx_json_add_known(json, json->tree, hf_action, action);
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_json json;
    struct wsx_value parts[6];
    const char *problem;
    if (!wsx_json_open(&json, &protocol, WSX_JSON, tvb, pinfo, tree, data))
        return (int)tvb_captured_length(tvb);
    unsigned count = wsx_value_elements(&json.document, parts, 6);
    const struct type *type = read_type(parts, count, &problem);
    if (json.document.type != WSX_ARRAY)
        problem = "It is no array";
    if (problem)
        wsx_json_malformed(&json, "%s", problem);
    if (type) {
        draw(&json, type, parts);
        report(&json, type, parts);
    } else {
        wsx_json_report_malformed(&json, NULL);
    }
    wsx_json_draw(&json, &json.document);
    return (int)tvb_captured_length(tvb);
}

/* Actions and error codes: "BootNotification". */
static bool is_word(const struct wsx_value *value) {
    const uint8_t *at = value->bytes + value->inner, *end = value->bytes + value->end - 1;
    if (at >= end || !g_ascii_isupper(*at))
        return false;
    while (at < end && g_ascii_isalnum(*at))
        at++;
    return at == end;
}

/* Without a handshake: only what has the form of a call, a result or an error to the letter, and
 * an id that nobody would write by chance. */
static bool sniff(const struct wsx_session *session _U_, const uint8_t *bytes, size_t length,
                  bool text, enum wsx_direction direction _U_) {
    struct wsx_value document, parts[6];
    const char *problem;
    size_t bad;
    if (!text || !length || bytes[0] != '[' ||
        !wsx_value_read(WSX_JSON, bytes, length, &document, &bad))
        return false;
    unsigned count = wsx_value_elements(&document, parts, 6);
    const struct type *type = read_type(parts, count, &problem);
    return type && !problem && type->layout != LAYOUT_RESULT && is_word(&parts[2]);
}

static void register_protocol(void) {
    static hf_register_info fields[] = {
        {&hf_type,
         {"Message type", "ocpp.message_type", FT_UINT8, BASE_DEC, VALS(type_names), 0,
          "The first element: call, result, error, and since 2.1 result error and send", HFILL}},
        {&hf_id,
         {"Message id", "ocpp.id", FT_STRING, BASE_NONE, NULL, 0,
          "Given by the caller; the result has the same", HFILL}},
        {&hf_action,
         {"Action", "ocpp.action", FT_STRING, BASE_NONE, NULL, 0,
          "Of a result or an error: that of its call", HFILL}},
        {&hf_error_code,
         {"Error code", "ocpp.error.code", FT_STRING, BASE_NONE, NULL, 0,
          "One of the codes of OCPP-J, as NotImplemented", HFILL}},
        {&hf_description,
         {"Error description", "ocpp.error.description", FT_STRING, BASE_NONE, NULL, 0,
          "What went wrong, in a sentence; may be empty", HFILL}},
        {&hf_status,
         {"Status", "ocpp.status", FT_STRING, BASE_NONE, NULL, 0,
          "The payload's own member of that name", HFILL}},
        {&hf_payload,
         {"Payload", "ocpp.payload", FT_STRING, BASE_NONE, NULL, 0, "JSON as sent", HFILL}},
        {&hf_result_in,
         {"Result in", "ocpp.result_in", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_REQUEST),
          0, "The result that this error is about", HFILL}},
    };
    protocol.fields = fields;
    protocol.field_count = array_length(fields);
    wsx_json_register(&protocol);
}

static struct wsx_json_protocol protocol = {
    .title = "Open Charge Point Protocol (JSON)",
    .short_title = "OCPP-J",
    .filter = "ocpp",
    .dissector = "wsx_ocpp",
    .dissect = dissect,
};

static const char *const tokens[] = {"ocpp*", NULL};

const struct wsx_app_protocol wsx_ocpp_app = {
    .name = "OCPP-J",
    .dissector = "wsx_ocpp",
    .tokens = tokens,
    .sniff = sniff,
    .no_object = true,
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};
