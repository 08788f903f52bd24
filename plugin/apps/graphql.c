/*
 * graphql.c - GraphQL over WebSocket: the protocol of the graphql-ws library (token
 * "graphql-transport-ws") and the older one of subscriptions-transport-ws (token "graphql-ws").
 * Every message is an object with a type; those of one operation have its id.
 *
 * Written after the PROTOCOL.md of both libraries. The table below holds the message types; nothing
 * else knows them by name.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_app.h"
#include "writable.h"

#include <string.h>

static int hf_type = -1, hf_id = -1, hf_operation = -1, hf_name = -1, hf_query = -1,
           hf_variables = -1, hf_payload = -1, hf_data = -1, hf_errors = -1;

/* What the payload is. */
enum payload {
    PAYLOAD_ANY,
    PAYLOAD_OPERATION, /* query, variables, operationName */
    PAYLOAD_RESULT,    /* data, errors */
    PAYLOAD_ERRORS,    /* errors themselves */
};

/* `space`: what shares ids; a type with a made-up id has no id of its own. */
static const char space_connection[] = "connection", space_ping[] = "ping";
static const struct type {
    const char *name;
    enum wsx_app_role role;
    const char *space;
    enum payload payload;
} types[] = {
    {"connection_init", WSX_APP_REQUEST, space_connection, PAYLOAD_ANY},
    {"connection_ack", WSX_APP_ANSWER, space_connection, PAYLOAD_ANY},
    {"connection_error", WSX_APP_ANSWER, space_connection, PAYLOAD_ERRORS},
    {"connection_terminate", WSX_APP_ALONE, space_connection, PAYLOAD_ANY},
    {"connection_keep_alive", WSX_APP_ALONE, space_connection, PAYLOAD_ANY},
    {"ka", WSX_APP_ALONE, space_connection, PAYLOAD_ANY},
    {"ping", WSX_APP_REQUEST, space_ping, PAYLOAD_ANY},
    {"pong", WSX_APP_ANSWER, space_ping, PAYLOAD_ANY},
    {"subscribe", WSX_APP_REQUEST, NULL, PAYLOAD_OPERATION},
    {"start", WSX_APP_REQUEST, NULL, PAYLOAD_OPERATION},
    {"start_ack", WSX_APP_PARTIAL, NULL, PAYLOAD_ANY}, /* AWS AppSync's */
    {"next", WSX_APP_PARTIAL, NULL, PAYLOAD_RESULT},
    {"data", WSX_APP_PARTIAL, NULL, PAYLOAD_RESULT},
    {"error", WSX_APP_ANSWER, NULL, PAYLOAD_ERRORS},
    {"complete", WSX_APP_ANSWER, NULL, PAYLOAD_ANY}, /* from the client: it wants no more */
    {"stop", WSX_APP_FOLLOWUP, NULL, PAYLOAD_ANY},
};

static struct wsx_json_protocol protocol;

/* One message, its members by name. */
enum { MEMBER_TYPE, MEMBER_ID, MEMBER_PAYLOAD, MEMBER_COUNT };
static const char *const member_names[] = {"type", "id", "payload"};
enum { PART_QUERY, PART_VARIABLES, PART_OPERATION_NAME, PART_DATA, PART_ERRORS, PART_COUNT };
static const char *const part_names[] = {"query", "variables", "operationName", "data", "errors"};
struct message {
    const struct type *type;
    struct wsx_value members[MEMBER_COUNT], parts[PART_COUNT];
};

/* Fills the message; NULL when all is as it should be, else what is wrong. */
static const char *read_message(const struct wsx_value *document, struct message *message) {
    memset(message, 0, sizeof *message);
    if (document->type != WSX_OBJECT)
        return "It is no object";
    wsx_value_members(document, member_names, message->members, MEMBER_COUNT);
    wsx_value_members(&message->members[MEMBER_PAYLOAD], part_names, message->parts, PART_COUNT);
    for (size_t i = 0; i < array_length(types) && !message->type; i++)
        if (wsx_value_is(&message->members[MEMBER_TYPE], types[i].name))
            message->type = &types[i];
    if (!message->type)
        return "Its type is none of this protocol's";
    const struct type *type = message->type;
    enum wsx_type id = message->members[MEMBER_ID].type;
    if (!type->space && id != WSX_STRING && id != WSX_NUMBER)
        return "It has no id";
    if (type->payload == PAYLOAD_OPERATION && message->members[MEMBER_PAYLOAD].type != WSX_OBJECT)
        return "It has no payload with the operation";
    return NULL;
}

static bool is_name(char c) { return g_ascii_isalnum(c) || c == '_'; }

static const char *skip_ignored(const char *at) {
    for (; *at; at++) {
        if (*at == '#')
            at += strcspn(at, "\n\r");
        else if (strncmp(at, "\xef\xbb\xbf", 3) == 0)
            at += 2;
        else if (!g_ascii_isspace(*at) && *at != ',')
            break;
        if (!*at)
            break;
    }
    return at;
}

/* Behind what stands between two brackets, and what of strings and comments lies there. */
static const char *skip_brackets(const char *at, char open, char close) {
    unsigned depth = 0;
    for (; *at; at++) {
        if (*at == '#') {
            at += strcspn(at, "\n\r");
        } else if (strncmp(at, "\"\"\"", 3) == 0) {
            const char *end = strstr(at + 3, "\"\"\"");
            at = end ? end + 2 : at + strlen(at) - 1;
        } else if (*at == '"') {
            for (at++; *at && *at != '"'; at++)
                at += *at == '\\' && at[1];
        } else if (*at == open) {
            depth++;
        } else if (*at == close && depth && !--depth) {
            return at + 1;
        }
        if (!*at)
            break;
    }
    return at;
}

/* The first operation: fragments may stand before it. */
static const char *skip_fragments(const char *at) {
    for (at = skip_ignored(at); strncmp(at, "fragment", 8) == 0 && !is_name(at[8]);)
        at = skip_ignored(skip_brackets(at, '{', '}'));
    return at;
}

static const char *take_name(wmem_allocator_t *pool, const char **at) {
    const char *begin = *at = skip_ignored(*at);
    while (is_name(**at))
        (*at)++;
    return *at > begin ? wmem_strndup(pool, begin, (gsize)(*at - begin)) : NULL;
}

/* What kind of operation a document begins with, and its name; the first field's name where it has
 * none. "{ hello }" is a query. */
static void read_operation(wmem_allocator_t *pool, const char *query, const char **kind,
                           const char **name) {
    const char *at = skip_fragments(query);
    *name = NULL;
    *kind = take_name(pool, &at);
    if (*kind)
        *name = take_name(pool, &at);
    else if (*at == '{')
        *kind = "query";
    if (*kind && !*name && *(at = skip_ignored(at)) == '(')
        at = skip_brackets(at, '(', ')');
    if (*kind && !*name && (at = strchr(at, '{'))) {
        at++;
        *name = take_name(pool, &at);
    }
}

/* AWS AppSync has the operation as JSON in a string. */
static void read_inner(wmem_allocator_t *pool, const struct wsx_value *data, const char **kind,
                       const char **name) {
    struct wsx_value document;
    size_t bad;
    const char *text = wsx_value_text(pool, data, data->end - data->begin);
    if (!wsx_value_read(WSX_JSON, (const uint8_t *)text, strlen(text), &document, &bad))
        return;
    struct wsx_value query = wsx_value_member(&document, "query");
    if (query.type == WSX_STRING)
        read_operation(pool, wsx_value_text(pool, &query, ITEM_LABEL_LENGTH * 16), kind, name);
}

/* The operation that a message begins: "subscription", "OnTick". */
static void operation_of(const struct wsx_json *json, const struct message *message,
                         const char **kind, const char **name) {
    *kind = *name = NULL;
    if (!message->type || message->type->payload != PAYLOAD_OPERATION)
        return;
    const struct wsx_value *parts = message->parts;
    const struct wsx_value *query = &parts[PART_QUERY];
    if (query->type == WSX_STRING)
        read_operation(json->pinfo->pool,
                       wsx_value_text(json->pinfo->pool, query, ITEM_LABEL_LENGTH * 16), kind,
                       name);
    else if (parts[PART_DATA].type == WSX_STRING)
        read_inner(json->pinfo->pool, &parts[PART_DATA], kind, name);
    if (parts[PART_OPERATION_NAME].type == WSX_STRING &&
        !wsx_value_is(&parts[PART_OPERATION_NAME], ""))
        *name = wsx_json_text(json, &parts[PART_OPERATION_NAME]);
}

static void draw(const struct wsx_json *json, const struct message *message, const char *kind) {
    const struct wsx_value *payload = &message->members[MEMBER_PAYLOAD], *parts = message->parts;
    proto_tree *tree = json->tree;
    if (!tree)
        return;
    wsx_json_add_text(json, tree, hf_type, &message->members[MEMBER_TYPE]);
    wsx_json_add_text(json, tree, hf_id, &message->members[MEMBER_ID]);
    if (!message->type)
        return;
    wsx_json_add_known(json, tree, hf_operation, kind);
    if (message->type->payload == PAYLOAD_OPERATION) {
        wsx_json_add_text(json, tree, hf_query, &parts[PART_QUERY]);
        wsx_json_add_text(json, tree, hf_variables, &parts[PART_VARIABLES]);
    } else if (message->type->payload == PAYLOAD_RESULT) {
        wsx_json_add_text(json, tree, hf_data, &parts[PART_DATA]);
        wsx_json_add_text(json, tree, hf_errors, &parts[PART_ERRORS]);
    } else if (message->type->payload == PAYLOAD_ERRORS) {
        wsx_json_add_text(json, tree, hf_errors, payload);
    } else {
        wsx_json_add_text(json, tree, hf_payload, payload);
    }
}

/* The first error's message. */
static const char *error_text(const struct wsx_json *json, const struct message *message) {
    const struct wsx_value *errors = &message->parts[PART_ERRORS];
    struct wsx_value first;
    if (message->type->payload < PAYLOAD_RESULT)
        return NULL;
    if (message->type->payload == PAYLOAD_ERRORS)
        errors = &message->members[MEMBER_PAYLOAD];
    if (errors->type == WSX_OBJECT)
        first = *errors;
    else
        wsx_value_elements(errors, &first, 1);
    struct wsx_value text = wsx_value_member(&first, "message");
    return wsx_json_text(json, &text);
}

/* "subscribe OnTick", "next OnTick", "error OnTick: Not allowed" */
static const char *info_of(const struct wsx_json *json, const struct message *message,
                           const char *kind, const char *name) {
    const char *error = error_text(json, message);
    return wmem_strdup_printf(json->pinfo->pool, "%s%s%s%s%s%s%s", message->type->name,
                              kind ? " " : "", kind ? kind : "", name ? " " : "", name ? name : "",
                              error ? ": " : "", error ? error : "");
}

static void report(struct wsx_json *json, const struct message *message, const char *kind,
                   const char *name) {
    const struct type *type = message->type;
    const struct wsx_value *id = &message->members[MEMBER_ID];
    struct wsx_app_event event = {.role = type->role, .type = type->name, .name = name};
    event.space = type->space;
    event.id = wsx_value_text(json->pinfo->pool, id, WSX_JSON_ID_MAX);
    if (type->space) {
        event.id = type->space;
        event.silent_id = true;
        event.oldest = true;
    }
    bool by_client = json->app->direction == WSX_CLIENT_TO_SERVER;
    bool cancels =
        by_client && !type->space && type->role == WSX_APP_ANSWER && type->payload == PAYLOAD_ANY;
    if (cancels)
        event.role = WSX_APP_FOLLOWUP;
    event.optional = event.role == WSX_APP_FOLLOWUP; /* the old servers send nothing more */
    if (event.role == WSX_APP_ANSWER || event.role == WSX_APP_PARTIAL) {
        const struct wsx_app_unit *request = wsx_app_request_of(json->app, event.space, event.id);
        name = request ? request->name : NULL;
        if (!request && type->space == space_ping)
            event.role = WSX_APP_ALONE; /* a Pong may come unasked */
    }
    if (!cancels && event.role != WSX_APP_FOLLOWUP)
        event.info = info_of(json, message, kind, name);
    event.shown = WSX_APP_TYPE_SHOWN | WSX_APP_NAME_SHOWN | WSX_APP_ID_SHOWN;
    name = wsx_json_report(json, &event, NULL)->name;
    if (cancels && json->app->first_pass)
        wsx_app_forget(json->app, json->app->direction, event.space, event.id);
    wsx_json_add_known(json, json->tree, hf_name, name);
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_json json;
    struct message message;
    const char *kind, *name;
    if (!wsx_json_open(&json, &protocol, WSX_JSON, tvb, pinfo, tree, data))
        return (int)tvb_captured_length(tvb);
    const char *problem = read_message(&json.document, &message);
    if (problem)
        wsx_json_malformed(&json, "%s", problem);
    operation_of(&json, &message, &kind, &name);
    draw(&json, &message, kind);
    if (message.type)
        report(&json, &message, kind, name);
    else
        wsx_json_report_malformed(&json, NULL);
    wsx_json_draw(&json, &json.document);
    return (int)tvb_captured_length(tvb);
}

/* A search may have a query, too. */
static bool is_document(const struct wsx_value *query) {
    static const char *const kinds[] = {"query", "mutation", "subscription", "fragment"};
    const char *text = wsx_value_text(NULL, query, ITEM_LABEL_LENGTH * 16);
    const char *at = text ? skip_ignored(text) : "";
    size_t length = 0;
    while (is_name(at[length]))
        length++;
    bool found = query->type == WSX_STRING && *at == '{';
    for (size_t i = 0; i < array_length(kinds); i++)
        found = found || (query->type == WSX_STRING && strlen(kinds[i]) == length &&
                          strncmp(at, kinds[i], length) == 0);
    wmem_free(NULL, wsx_writable(text));
    return found;
}

/* Without a handshake: messages of an operation only, with an id and the payload that they need;
 * {"type":"ping"} is everybody's. */
static bool sniff(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction _U_) {
    struct wsx_value document;
    struct message message;
    size_t bad;
    if (!text || !length || bytes[0] != '{' ||
        !wsx_value_read(WSX_JSON, bytes, length, &document, &bad) ||
        read_message(&document, &message))
        return false;
    const struct wsx_value *parts = message.parts;
    return (message.type->payload == PAYLOAD_OPERATION && is_document(&parts[PART_QUERY])) ||
           (message.type->payload == PAYLOAD_RESULT &&
            (parts[PART_DATA].type != WSX_ABSENT || parts[PART_ERRORS].type != WSX_ABSENT)) ||
           /* of another protocol where a token says so: AWS AppSync Events begins so */
           (!session->subprotocol && (strcmp(message.type->name, "connection_init") == 0 ||
                                      strcmp(message.type->name, "connection_ack") == 0));
}

#define STRING(field, title, name, help)                                                           \
    {                                                                                              \
        &(field), { title, name, FT_STRING, BASE_NONE, NULL, 0, help, HFILL }                      \
    }

static void register_protocol(void) {
    static hf_register_info fields[] = {
        STRING(hf_type, "Type", "graphql.type",
               "The message's type, of graphql-transport-ws or of the older graphql-ws"),
        STRING(hf_id, "Operation id", "graphql.id", "Given by the client; results have the same"),
        STRING(hf_operation, "Operation", "graphql.operation", "query, mutation or subscription"),
        STRING(hf_name, "Operation name", "graphql.operation_name",
               "Its name, or that of its first field; of a result: that of its operation"),
        STRING(hf_query, "Query", "graphql.query", "The document with the operation, as sent"),
        STRING(hf_variables, "Variables", "graphql.variables", "JSON as sent"),
        STRING(hf_data, "Data", "graphql.data", "JSON as sent"),
        STRING(hf_errors, "Errors", "graphql.errors", "JSON as sent"),
        STRING(hf_payload, "Payload", "graphql.payload", "JSON as sent"),
    };
    protocol.fields = fields;
    protocol.field_count = array_length(fields);
    wsx_json_register(&protocol);
}

static struct wsx_json_protocol protocol = {
    .title = "GraphQL over WebSocket",
    .short_title = "GraphQL",
    .filter = "graphql",
    .dissector = "wsx_graphql",
    .dissect = dissect,
};

static const char *const tokens[] = {"graphql-transport-ws", "graphql-ws", NULL};

const struct wsx_app_protocol wsx_graphql_app = {
    .name = "GraphQL",
    .dissector = "wsx_graphql",
    .tokens = tokens,
    .sniff = sniff,
    .member = "type",
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};
