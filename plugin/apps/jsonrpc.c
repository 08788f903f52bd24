/*
 * jsonrpc.c - JSON-RPC 2.0: requests with an id, their results and errors, notifications (requests
 * without an id), and batches of them. Either side may ask.
 *
 * Three kinds of subscriptions on top of it are known: notifications whose params name the
 * subscription that an earlier result gave (Ethereum's eth_subscribe, Solana's logsSubscribe, ...),
 * and the library rpc-websockets (rpc.on, then objects with the member "notification").
 *
 * Written after the JSON-RPC 2.0 specification.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_app.h"

#include <string.h>

static int hf_version = -1, hf_method = -1, hf_id = -1, hf_params = -1, hf_result = -1,
           hf_error = -1, hf_error_code = -1, hf_error_message = -1, hf_batch = -1,
           hf_subscription = -1, hf_subscribed_in = -1, hf_unit = -1;

/* Units of a batch that get a subtree: a tree of more is of no use, and too large to draw. */
#define UNITS_DRAWN 500

static struct wsx_json_protocol protocol;

enum {
    MEMBER_VERSION,
    MEMBER_METHOD,
    MEMBER_ID,
    MEMBER_PARAMS,
    MEMBER_RESULT,
    MEMBER_ERROR,
    MEMBER_NOTIFICATION, /* rpc-websockets */
    MEMBER_COUNT
};
static const char *const member_names[] = {"jsonrpc", "method", "id",          "params",
                                           "result",  "error",  "notification"};

enum kind { KIND_BAD, KIND_REQUEST, KIND_NOTIFICATION, KIND_RESULT, KIND_ERROR };

/* A subscription that an answer confirmed. File scope. */
struct subscription {
    uint32_t packet; /* of the answer */
};
struct state {
    wmem_map_t *subscriptions; /* by the side that notifies and its id or name */
};

/* What an object is; *problem: what is wrong with it, NULL for nothing. */
static enum kind read_unit(const struct wsx_value *unit, struct wsx_value *members,
                           const char **problem) {
    *problem = NULL;
    wsx_value_members(unit, member_names, members, MEMBER_COUNT);
    enum wsx_type id = members[MEMBER_ID].type;
    if (id != WSX_ABSENT && id != WSX_NULL && id != WSX_STRING && id != WSX_NUMBER)
        *problem = "The id is no string, no number and not null";
    if (members[MEMBER_NOTIFICATION].type == WSX_STRING &&
        members[MEMBER_METHOD].type == WSX_ABSENT)
        return KIND_NOTIFICATION;
    if (members[MEMBER_VERSION].type == WSX_ABSENT)
        *problem = "There is no member jsonrpc";
    else if (!wsx_value_is(&members[MEMBER_VERSION], "2.0"))
        *problem = "The member jsonrpc is not \"2.0\"";
    if (members[MEMBER_METHOD].type == WSX_STRING)
        return id == WSX_ABSENT ? KIND_NOTIFICATION : KIND_REQUEST;
    bool result = members[MEMBER_RESULT].type != WSX_ABSENT;
    bool error = members[MEMBER_ERROR].type != WSX_ABSENT;
    if (result == error) {
        if (result && members[MEMBER_ERROR].type == WSX_NULL)
            return KIND_RESULT; /* the form of JSON-RPC 1.0 */
        *problem =
            result ? "It has a result and an error" : "It has no method, no result and no error";
        return result ? KIND_ERROR : KIND_BAD;
    }
    if (id == WSX_ABSENT)
        *problem = "An answer without an id";
    if (error && members[MEMBER_ERROR].type != WSX_OBJECT)
        *problem = "The error is no object";
    return result ? KIND_RESULT : KIND_ERROR;
}

/* ---- subscriptions ---- */

/* server: the notifying side is the server. */
static const char *subscription_key(const struct wsx_json *json, bool server,
                                    const struct wsx_value *id) {
    return wmem_strdup_printf(json->pinfo->pool, "%d%s", server, wsx_json_key(json, id));
}

/* "eth_subscribe", "accountSubscribe", "chain_subscribeNewHeads", but not "eth_unsubscribe". */
static bool subscribes(const char *method) {
    char *lower = g_ascii_strdown(method, -1);
    bool found = strstr(lower, "subscribe") && !strstr(lower, "unsubscribe");
    g_free(lower);
    return found;
}

static void keep_subscription(struct wsx_json *json, const struct wsx_value *id) {
    struct state *state = wsx_app_state(json->app, sizeof *state);
    struct subscription *subscription = wmem_new(wsx_app_scope(), struct subscription);
    subscription->packet = json->app->packet;
    bool server = json->app->direction == WSX_SERVER_TO_CLIENT;
    wmem_map_insert(wsx_json_map(&state->subscriptions),
                    wmem_strdup(wsx_app_scope(), subscription_key(json, server, id)), subscription);
}

/* First pass: a result that confirms a subscription. */
static void learn(struct wsx_json *json, const struct wsx_value *result, const char *method) {
    struct wsx_walk walk;
    struct wsx_value name, value;
    if (!method)
        return;
    if (subscribes(method) && (result->type == WSX_STRING || result->type == WSX_NUMBER))
        keep_subscription(json, result);
    if (strcmp(method, "rpc.on") != 0)
        return;
    wsx_walk_begin(&walk, result);
    while (result->type == WSX_OBJECT && wsx_walk_next(&walk, &name, &value))
        if (wsx_value_is(&value, "ok"))
            keep_subscription(json, &name);
}

/* What a notification belongs to: params.subscription, or the name of rpc-websockets. */
static struct wsx_value subscription_of(const struct wsx_value *members) {
    if (members[MEMBER_NOTIFICATION].type == WSX_STRING)
        return members[MEMBER_NOTIFICATION];
    struct wsx_value id = wsx_value_member(&members[MEMBER_PARAMS], "subscription");
    if (id.type != WSX_STRING && id.type != WSX_NUMBER)
        id.type = WSX_ABSENT;
    return id;
}

static const struct subscription *find_subscription(struct wsx_json *json,
                                                    const struct wsx_value *id) {
    if (!json->app->first_pass)
        return wsx_app_kept(json->app);
    struct state *state = wsx_app_state(json->app, sizeof *state);
    bool server = json->app->direction == WSX_SERVER_TO_CLIENT;
    return state->subscriptions && id->type != WSX_ABSENT
               ? wmem_map_lookup(state->subscriptions, subscription_key(json, server, id))
               : NULL;
}

/* ---- one request, answer or notification ---- */

static void draw(const struct wsx_json *json, proto_tree *tree, const struct wsx_value *members) {
    if (!tree)
        return;
    wsx_json_add_text(json, tree, hf_version, &members[MEMBER_VERSION]);
    wsx_json_add_text(json, tree, hf_method, &members[MEMBER_METHOD]);
    wsx_json_add_text(json, tree, hf_method, &members[MEMBER_NOTIFICATION]);
    wsx_json_add_text(json, tree, hf_id, &members[MEMBER_ID]);
    wsx_json_add_text(json, tree, hf_params, &members[MEMBER_PARAMS]);
    wsx_json_add_text(json, tree, hf_result, &members[MEMBER_RESULT]);
    wsx_json_add_text(json, tree, hf_error, &members[MEMBER_ERROR]);
    struct wsx_value code = wsx_value_member(&members[MEMBER_ERROR], "code");
    struct wsx_value message = wsx_value_member(&members[MEMBER_ERROR], "message");
    if (code.type == WSX_NUMBER)
        proto_tree_add_int64(tree, hf_error_code, json->tvb, (int)code.begin,
                             (int)(code.end - code.begin),
                             g_ascii_strtoll(wsx_json_text(json, &code), NULL, 10));
    wsx_json_add_text(json, tree, hf_error_message, &message);
}

/* "sum", "sum → result", "missing: Method not found" */
static const char *info_of(const struct wsx_json *json, enum kind kind, const char *name,
                           const struct wsx_value *members) {
    static const char *const words[] = {"?", "request", "notification", "result", "error"};
    const char *id = wsx_json_text(json, &members[MEMBER_ID]);
    struct wsx_value message = wsx_value_member(&members[MEMBER_ERROR], "message");
    const char *error = kind == KIND_ERROR ? wsx_json_text(json, &message) : NULL;
    return wmem_strdup_printf(json->pinfo->pool, "%s%s%s%s%s%s%s", words[kind], name ? " " : "",
                              name ? name : "", error ? ": " : "", error ? error : "",
                              id ? " #" : "", id ? id : "");
}

static const char *report(struct wsx_json *json, enum kind kind, const struct wsx_value *members,
                          proto_tree *tree, const struct wsx_value *unit) {
    static const struct {
        enum wsx_app_role role;
        const char *word;
    } kinds[] = {
        [KIND_BAD] = {WSX_APP_ALONE, "malformed"},
        [KIND_REQUEST] = {WSX_APP_REQUEST, "request"},
        [KIND_NOTIFICATION] = {WSX_APP_ALONE, "notification"},
        [KIND_RESULT] = {WSX_APP_ANSWER, "result"},
        [KIND_ERROR] = {WSX_APP_ANSWER, "error"},
    };
    struct wsx_app_event event = {.role = kinds[kind].role, .type = kinds[kind].word};
    struct wsx_value subscription = {0};
    const struct wsx_value *id = &members[MEMBER_ID];
    const char *name = wsx_json_text(json, &members[MEMBER_METHOD]);
    if (id->type == WSX_STRING || id->type == WSX_NUMBER) {
        event.id = wsx_value_text(json->pinfo->pool, id, WSX_JSON_ID_MAX);
        event.space = id->type == WSX_STRING ? "string" : "number"; /* "1" is not 1 */
    } else if (kind != KIND_NOTIFICATION && kind != KIND_BAD) {
        event.role = WSX_APP_ALONE; /* an error whose request could not be read */
    }
    if (!name)
        name = wsx_json_text(json, &members[MEMBER_NOTIFICATION]);
    event.name = name;
    if (event.role == WSX_APP_ANSWER) {
        const struct wsx_app_unit *request = wsx_app_request_of(json->app, event.space, event.id);
        name = request ? request->name : NULL;
    }
    if (kind == KIND_NOTIFICATION) {
        subscription = subscription_of(members);
        event.kept = find_subscription(json, &subscription);
    }
    if (kind == KIND_RESULT && json->app->first_pass)
        learn(json, &members[MEMBER_RESULT], name);
    event.info = info_of(json, kind, name, members);
    const struct subscription *known = event.kept;
    proto_tree *whole = json->tree;
    json->tree = tree;
    event.shown = WSX_APP_NAME_SHOWN | WSX_APP_ID_SHOWN;
    wsx_json_report(json, &event, unit);
    json->tree = whole;
    wsx_json_add_text(json, tree, hf_subscription, &subscription);
    if (known)
        wsx_json_add_packet(json, tree, hf_subscribed_in, known->packet);
    if (event.role == WSX_APP_ANSWER)
        wsx_json_add_known(json, tree, hf_method, name);
    return event.info;
}

static void one_unit(struct wsx_json *json, const struct wsx_value *unit, proto_tree *tree) {
    struct wsx_value members[MEMBER_COUNT];
    const char *problem = NULL;
    memset(members, 0, sizeof members);
    enum kind kind = KIND_BAD;
    if (unit->type == WSX_OBJECT)
        kind = read_unit(unit, members, &problem);
    else
        problem = "It is no object";
    if (problem)
        wsx_json_malformed(json, "%s", problem);
    draw(json, tree, members);
    report(json, kind, members, tree, unit);
}

static void batch(struct wsx_json *json) {
    struct wsx_walk walk;
    struct wsx_value unit;
    unsigned count = 0;
    wsx_walk_begin(&walk, &json->document);
    while (wsx_walk_next(&walk, NULL, &unit)) {
        proto_tree *tree = NULL;
        if (json->tree && count < UNITS_DRAWN)
            tree = proto_item_add_subtree(
                proto_tree_add_none_format(json->tree, hf_unit, json->tvb, (int)unit.begin,
                                           (int)(unit.end - unit.begin), "Unit %u", count + 1),
                protocol.ett);
        one_unit(json, &unit, tree);
        count++;
    }
    if (json->tree && count > UNITS_DRAWN)
        proto_item_append_text(json->item, " (%u more units, not drawn)", count - UNITS_DRAWN);
    if (json->tree)
        proto_item_set_generated(proto_tree_add_uint(json->tree, hf_batch, json->tvb, 0, 0, count));
    if (count)
        return;
    wsx_json_malformed(json, "An empty batch");
    wsx_json_report_malformed(json, NULL);
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_json json;
    if (wsx_json_open(&json, &protocol, WSX_JSON, tvb, pinfo, tree, data)) {
        if (json.document.type == WSX_ARRAY)
            batch(&json);
        else
            one_unit(&json, &json.document, json.tree);
        wsx_json_draw(&json, &json.document);
    }
    return (int)tvb_captured_length(tvb);
}

/* By the member jsonrpc, which has to be "2.0". */
static bool sniff(const struct wsx_session *session _U_, const uint8_t *bytes, size_t length,
                  bool text _U_, enum wsx_direction direction _U_) {
    struct wsx_value document, first;
    size_t bad;
    if (!length || (bytes[0] != '{' && bytes[0] != '[') ||
        !wsx_value_read(WSX_JSON, bytes, length, &document, &bad))
        return false;
    first = document;
    if (document.type == WSX_ARRAY)
        wsx_value_elements(&document, &first, 1);
    struct wsx_value version = wsx_value_member(&first, "jsonrpc");
    return wsx_value_is(&version, "2.0");
}

#define STRING(field, title, name, help)                                                           \
    {                                                                                              \
        &(field), { title, name, FT_STRING, BASE_NONE, NULL, 0, help, HFILL }                      \
    }

static void register_protocol(void) {
    static hf_register_info fields[] = {
        STRING(hf_version, "Version", "jsonrpc.version", "The member jsonrpc, always 2.0"),
        STRING(hf_method, "Method", "jsonrpc.method",
               "Of a result or an error: that of its request"),
        STRING(hf_id, "Id", "jsonrpc.id", "Given by the asking side; the answer has the same"),
        STRING(hf_params, "Parameters", "jsonrpc.params", "JSON as sent"),
        STRING(hf_result, "Result", "jsonrpc.result", "JSON as sent"),
        STRING(hf_error, "Error", "jsonrpc.error", "JSON as sent"),
        {&hf_error_code,
         {"Error code", "jsonrpc.error.code", FT_INT64, BASE_DEC, NULL, 0,
          "-32768 to -32000 are JSON-RPC's own", HFILL}},
        STRING(hf_error_message, "Error message", "jsonrpc.error.message",
               "What went wrong, in a sentence"),
        {&hf_batch,
         {"Units in the batch", "jsonrpc.batch", FT_UINT32, BASE_DEC, NULL, 0,
          "How many requests, notifications or answers the array has", HFILL}},
        {&hf_unit, {"Unit", "jsonrpc.unit", FT_NONE, BASE_NONE, NULL, 0, "One of a batch", HFILL}},
        STRING(hf_subscription, "Subscription", "jsonrpc.subscription",
               "What this notification belongs to"),
        {&hf_subscribed_in,
         {"Subscribed in", "jsonrpc.subscribed_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "The answer that confirmed the subscription", HFILL}},
    };
    protocol.fields = fields;
    protocol.field_count = array_length(fields);
    wsx_json_register(&protocol);
}

static struct wsx_json_protocol protocol = {
    .title = "JSON-RPC 2.0",
    .short_title = "JSON-RPC",
    .filter = "jsonrpc",
    .dissector = "wsx_jsonrpc",
    .dissect = dissect,
};

static const char *const tokens[] = {"jsonrpc",     "json-rpc",     "jsonrpc2",    "jsonrpc2.0",
                                     "jsonrpc-2.0", "json-rpc-2.0", "jsonrpc.2.0", NULL};

const struct wsx_app_protocol wsx_jsonrpc_app = {
    .name = "JSON-RPC",
    .dissector = "wsx_jsonrpc",
    .tokens = tokens,
    .sniff = sniff,
    .member = "jsonrpc",
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};
