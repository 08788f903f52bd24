/*
 * wamp.c - WAMP version 2: the Web Application Messaging Protocol between a client and its router,
 * as arrays [type, ...] in JSON, MessagePack or CBOR, alone or batched. Publish and subscribe, and
 * calls that the router passes on as invocations.
 *
 * Written after the WAMP specification (draft-oberstet-hybi-tavendo-wamp). What stands where in
 * which message is the table below; nothing else knows a message type by its number.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_app.h"
#include "writable.h"

#include <string.h>

static int hf_type = -1, hf_request = -1, hf_request_type = -1, hf_session = -1, hf_realm = -1,
           hf_uri = -1, hf_subscription = -1, hf_registration = -1, hf_publication = -1,
           hf_error = -1, hf_reason = -1, hf_method = -1, hf_signature = -1, hf_options = -1,
           hf_arguments = -1, hf_arguments_kw = -1, hf_progress = -1;

/* A message has at most type, request type, request, details, error and two arguments. */
#define PARTS_MAX 8

/* What an element is; PART_END: no more. From PART_ARGUMENTS on they may be left out. */
enum part {
    PART_END,
    PART_REQUEST_TYPE,
    PART_REQUEST,
    PART_SESSION,
    PART_SUBSCRIPTION,
    PART_REGISTRATION,
    PART_PUBLICATION,
    PART_URI,
    PART_REALM,
    PART_REASON,
    PART_ERROR,
    PART_METHOD,
    PART_SIGNATURE,
    PART_OPTIONS,
    PART_ARGUMENTS,
    PART_ARGUMENTS_KW,
    PART_COUNT,
};
static const struct {
    int *field;
    enum wsx_type type;
} part_kinds[PART_COUNT] = {
    [PART_REQUEST_TYPE] = {&hf_request_type, WSX_NUMBER},
    [PART_REQUEST] = {&hf_request, WSX_NUMBER},
    [PART_SESSION] = {&hf_session, WSX_NUMBER},
    [PART_SUBSCRIPTION] = {&hf_subscription, WSX_NUMBER},
    [PART_REGISTRATION] = {&hf_registration, WSX_NUMBER},
    [PART_PUBLICATION] = {&hf_publication, WSX_NUMBER},
    [PART_URI] = {&hf_uri, WSX_STRING},
    [PART_REALM] = {&hf_realm, WSX_STRING},
    [PART_REASON] = {&hf_reason, WSX_STRING},
    [PART_ERROR] = {&hf_error, WSX_STRING},
    [PART_METHOD] = {&hf_method, WSX_STRING},
    [PART_SIGNATURE] = {&hf_signature, WSX_STRING},
    [PART_OPTIONS] = {&hf_options, WSX_OBJECT},
    [PART_ARGUMENTS] = {&hf_arguments, WSX_ARRAY},
    [PART_ARGUMENTS_KW] = {&hf_arguments_kw, WSX_OBJECT},
};

/* Ids of calls, subscriptions and so on are told apart by `space`; those of the session's own
 * messages are made up, since they have none. */
static const char space_session[] = "session", space_goodbye[] = "goodbye";

/* The router may also revoke a subscription or a registration: request 0, and details. */
enum { UNSUBSCRIBED = 35, UNREGISTERED = 67 };
/* Others that are no more than their row says. */
enum { ABORT = 3, CALL = 48, INVOCATION = 68 };

#define ARGUMENTS PART_ARGUMENTS, PART_ARGUMENTS_KW
/* clang-format off */
static const struct type {
    uint8_t number;
    enum wsx_app_role role;
    const char *name, *word, *space;
    uint8_t parts[PARTS_MAX];
} types[] = {
    {1, WSX_APP_REQUEST, "HELLO", "hello", space_session, {PART_REALM, PART_OPTIONS}},
    {2, WSX_APP_ANSWER, "WELCOME", "welcome", space_session, {PART_SESSION, PART_OPTIONS}},
    {3, WSX_APP_ANSWER, "ABORT", "abort", space_session, {PART_OPTIONS, PART_REASON, ARGUMENTS}},
    {4, WSX_APP_PARTIAL, "CHALLENGE", "challenge", space_session, {PART_METHOD, PART_OPTIONS}},
    {5, WSX_APP_FOLLOWUP, "AUTHENTICATE", "authenticate", space_session,
     {PART_SIGNATURE, PART_OPTIONS}},
    {6, WSX_APP_REQUEST, "GOODBYE", "goodbye", space_goodbye,
     {PART_OPTIONS, PART_REASON, ARGUMENTS}},
    {8, WSX_APP_ANSWER, "ERROR", "error", NULL,
     {PART_REQUEST_TYPE, PART_REQUEST, PART_OPTIONS, PART_ERROR, ARGUMENTS}},
    {16, WSX_APP_ALONE, "PUBLISH", "publish", "publish",
     {PART_REQUEST, PART_OPTIONS, PART_URI, ARGUMENTS}},
    {17, WSX_APP_ANSWER, "PUBLISHED", "published", "publish", {PART_REQUEST, PART_PUBLICATION}},
    {32, WSX_APP_REQUEST, "SUBSCRIBE", "subscribe", "subscribe",
     {PART_REQUEST, PART_OPTIONS, PART_URI}},
    {33, WSX_APP_ANSWER, "SUBSCRIBED", "subscribed", "subscribe",
     {PART_REQUEST, PART_SUBSCRIPTION}},
    {34, WSX_APP_REQUEST, "UNSUBSCRIBE", "unsubscribe", "unsubscribe",
     {PART_REQUEST, PART_SUBSCRIPTION}},
    {UNSUBSCRIBED, WSX_APP_ANSWER, "UNSUBSCRIBED", "unsubscribed", "unsubscribe",
     {PART_REQUEST, PART_OPTIONS}},
    {36, WSX_APP_ALONE, "EVENT", "event", NULL,
     {PART_SUBSCRIPTION, PART_PUBLICATION, PART_OPTIONS, ARGUMENTS}},
    {48, WSX_APP_REQUEST, "CALL", "call", "call",
     {PART_REQUEST, PART_OPTIONS, PART_URI, ARGUMENTS}},
    {49, WSX_APP_FOLLOWUP, "CANCEL", "cancel", "call", {PART_REQUEST, PART_OPTIONS}},
    {50, WSX_APP_ANSWER, "RESULT", "result", "call", {PART_REQUEST, PART_OPTIONS, ARGUMENTS}},
    {64, WSX_APP_REQUEST, "REGISTER", "register", "register",
     {PART_REQUEST, PART_OPTIONS, PART_URI}},
    {65, WSX_APP_ANSWER, "REGISTERED", "registered", "register", {PART_REQUEST, PART_REGISTRATION}},
    {66, WSX_APP_REQUEST, "UNREGISTER", "unregister", "unregister",
     {PART_REQUEST, PART_REGISTRATION}},
    {UNREGISTERED, WSX_APP_ANSWER, "UNREGISTERED", "unregistered", "unregister",
     {PART_REQUEST, PART_OPTIONS}},
    {68, WSX_APP_REQUEST, "INVOCATION", "invocation", "invocation",
     {PART_REQUEST, PART_REGISTRATION, PART_OPTIONS, ARGUMENTS}},
    {69, WSX_APP_FOLLOWUP, "INTERRUPT", "interrupt", "invocation", {PART_REQUEST, PART_OPTIONS}},
    {70, WSX_APP_ANSWER, "YIELD", "yield", "invocation", {PART_REQUEST, PART_OPTIONS, ARGUMENTS}},
};
/* clang-format on */
static value_string type_names[array_length(types) + 1]; /* filled from the table */

static struct wsx_json_protocol protocol;

/* The topics of subscriptions and the procedures of registrations: an event or an invocation names
 * the number only. */
struct state {
    wmem_map_t *names; /* "s1234" or "r1234" */
    /* binary without a token: what the first message that could be read was, and its packet */
    enum wsx_notation notation;
    uint32_t notation_packet;
};

/* One message, its elements by what they are. */
struct message {
    const struct type *type;
    struct wsx_value parts[PART_COUNT];
};

static const struct type *find_type(uint64_t number) {
    for (size_t i = 0; i < array_length(types); i++)
        if (types[i].number == number)
            return &types[i];
    return NULL;
}

/* What these two have only when the router revokes. */
static bool is_details(const struct type *type, enum part part) {
    return part == PART_OPTIONS && (type->number == UNSUBSCRIBED || type->number == UNREGISTERED);
}

/* Fills the message; NULL when all is as it should be, else what is wrong. */
static const char *read_message(const struct wsx_value *document, struct message *message) {
    struct wsx_value values[PARTS_MAX + 1];
    uint64_t number;
    memset(message, 0, sizeof *message);
    if (document->type != WSX_ARRAY)
        return "It is no array";
    unsigned count = wsx_value_elements(document, values, PARTS_MAX + 1);
    if (!wsx_value_unsigned(&values[0], &number) || !(message->type = find_type(number)))
        return "The first element is no message type of WAMP 2";
    unsigned i = 0;
    for (; message->type->parts[i] != PART_END; i++) {
        enum part part = message->type->parts[i];
        const struct wsx_value *value = &values[i + 1];
        bool of_user = part >= PART_ARGUMENTS;
        if (value->type == WSX_ABSENT && !of_user && !is_details(message->type, part))
            return "It ends before what its type asks for";
        if (value->type != WSX_ABSENT && value->type != part_kinds[part].type &&
            !(of_user &&
              (value->type == WSX_NULL || value->type == WSX_BYTES || value->type == WSX_STRING)))
            return "An element is of another kind than its type asks for";
        message->parts[part] = *value;
    }
    return count > i + 1 ? "It has more elements than its type has" : NULL;
}

static bool is_true(const struct wsx_value *object, const char *name) {
    struct wsx_value value = wsx_value_member(object, name);
    const char *text = wsx_value_text(NULL, &value, 8);
    bool yes = value.type == WSX_BOOLEAN && strcmp(text, "true") == 0;
    wmem_free(NULL, wsx_writable(text));
    return yes;
}

static const char *name_key(const struct wsx_json *json, char kind, const struct wsx_value *id) {
    return wmem_strdup_printf(json->pinfo->pool, "%c%s", kind, wsx_json_text(json, id));
}

/* First pass: the number that was given to a topic or a procedure. */
static void keep_name(struct wsx_json *json, char kind, const struct wsx_value *id,
                      const char *name) {
    struct state *state = wsx_app_state(json->app, sizeof *state);
    if (json->app->first_pass && name && wsx_json_text(json, id))
        wmem_map_insert(wsx_json_map(&state->names),
                        wmem_strdup(wsx_app_scope(), name_key(json, kind, id)),
                        wmem_strdup(wsx_app_scope(), name));
}

/* The topic or procedure behind a number; NULL when its beginning was not captured. */
static const char *name_of(struct wsx_json *json, char kind, const struct wsx_value *id) {
    if (!json->app->first_pass)
        return wsx_app_kept(json->app);
    struct state *state = wsx_app_state(json->app, sizeof *state);
    return state->names && wsx_json_text(json, id)
               ? wmem_map_lookup(state->names, name_key(json, kind, id))
               : NULL;
}

/* The name that the message itself or what came before it gives it. */
static void name_event(struct wsx_json *json, const struct message *message,
                       struct wsx_app_event *event) {
    const struct wsx_value *parts = message->parts;
    const char *own = event->role == WSX_APP_ANSWER ? NULL : "topic";
    if (event->role == WSX_APP_ALONE && is_details(message->type, PART_OPTIONS)) {
        bool topic = message->type->number == UNSUBSCRIBED;
        struct wsx_value id =
            wsx_value_member(&parts[PART_OPTIONS], topic ? "subscription" : "registration");
        event->kept = event->name = name_of(json, topic ? 's' : 'r', &id);
        return;
    }
    if (message->type->number == 68)
        own = "procedure";
    event->name = wsx_json_text(json, &parts[PART_URI]);
    if (!event->name)
        event->name = wsx_json_text(json, &parts[PART_REALM]);
    if (event->name || event->role == WSX_APP_ANSWER || event->role == WSX_APP_PARTIAL ||
        event->role == WSX_APP_FOLLOWUP)
        return;
    if (parts[PART_SUBSCRIPTION].type != WSX_ABSENT)
        event->kept = event->name = name_of(json, 's', &parts[PART_SUBSCRIPTION]);
    else if (parts[PART_REGISTRATION].type != WSX_ABSENT)
        event->kept = event->name = name_of(json, 'r', &parts[PART_REGISTRATION]);
    if (own && parts[PART_OPTIONS].type == WSX_OBJECT) {
        struct wsx_value told = wsx_value_member(&parts[PART_OPTIONS], own);
        if (told.type == WSX_STRING)
            event->name = wsx_json_text(json, &told);
    }
}

/* Progressive calls: more arguments under the number of a call that said that more will come. */
static bool goes_on(struct wsx_json *json, const struct message *message,
                    const struct wsx_app_event *event) {
    const struct wsx_value *request = &message->parts[PART_REQUEST];
    char kind = message->type->number == CALL ? 'c' : 'i';
    const struct wsx_app_unit *open = wsx_app_open_of(json->app, event->space, event->id);
    if (!json->app->first_pass || !event->id)
        return open != NULL;
    struct state *state = wsx_app_state(json->app, sizeof *state);
    const char *key = name_key(json, kind, request);
    bool more = state->names && wmem_map_remove(state->names, key) && open;
    if (is_true(&message->parts[PART_OPTIONS], "progress"))
        keep_name(json, kind, request, "");
    return more;
}

/* What role the message has here, and which ids it shares. */
static void place_event(struct wsx_json *json, const struct message *message,
                        struct wsx_app_event *event) {
    const struct type *type = message->type;
    const struct wsx_value *parts = message->parts, *options = &parts[PART_OPTIONS];
    uint64_t number;
    event->role = type->role;
    event->type = type->word;
    event->space = type->space;
    event->id = wsx_json_text(json, &parts[PART_REQUEST]);
    if (!event->id && type->space) {
        event->id = type->space; /* a session has one of them at a time */
        event->silent_id = true;
    }
    if (is_details(type, PART_OPTIONS) && options->type == WSX_OBJECT &&
        wsx_value_unsigned(&parts[PART_REQUEST], &number) && number == 0) {
        event->role = WSX_APP_ALONE; /* revoked: nobody asked */
        event->id = NULL;
    }
    if (type->number == 16 && is_true(options, "acknowledge"))
        event->role = WSX_APP_REQUEST;
    if ((type->number == 50 || type->number == 70) && is_true(options, "progress"))
        event->role = WSX_APP_PARTIAL;
    if (type->number == 6 && wsx_app_request_of(json->app, event->space, event->id))
        event->role = WSX_APP_ANSWER;
    if ((type->number == CALL || type->number == INVOCATION) && goes_on(json, message, event))
        event->role = WSX_APP_FOLLOWUP;
    if (type->number == ABORT && !wsx_app_request_of(json->app, event->space, event->id)) {
        event->role = WSX_APP_ALONE; /* of a client that gives up, or of a session that was open */
        wsx_app_forget(json->app, json->app->direction, event->space, event->id);
    }
    if (wsx_value_unsigned(&parts[PART_REQUEST_TYPE], &number)) {
        const struct type *asked = find_type(number);
        event->space = asked ? asked->space : NULL;
    }
}

static void draw(const struct wsx_json *json, const struct message *message,
                 const struct wsx_value *document) {
    const struct wsx_value *parts = message->parts;
    if (!json->tree || !message->type)
        return;
    proto_tree_add_uint(json->tree, hf_type, json->tvb, (int)document->begin,
                        (int)(document->end - document->begin), message->type->number);
    for (int part = PART_END + 1; part < PART_COUNT; part++) {
        if (part_kinds[part].type == WSX_NUMBER && part != PART_REQUEST_TYPE)
            wsx_json_add_number(json, json->tree, *part_kinds[part].field, &parts[part]);
        else if (part != PART_REQUEST_TYPE)
            wsx_json_add_text(json, json->tree, *part_kinds[part].field, &parts[part]);
    }
    uint64_t number;
    const struct wsx_value *asked = &parts[PART_REQUEST_TYPE];
    if (wsx_value_unsigned(asked, &number))
        proto_tree_add_uint(json->tree, hf_request_type, json->tvb, (int)asked->begin,
                            (int)(asked->end - asked->begin), (unsigned)MIN(number, UINT8_MAX));
    if (is_true(&parts[PART_OPTIONS], "progress"))
        proto_tree_add_boolean(json->tree, hf_progress, json->tvb, 0, 0, 1);
}

static const char *info_of(const struct wsx_json *json, const struct message *message,
                           const struct wsx_app_event *event, const char *name) {
    const char *wrong = wsx_json_text(json, &message->parts[PART_ERROR]);
    if (!wrong)
        wrong = wsx_json_text(json, &message->parts[PART_REASON]);
    bool shown = event->id && !event->silent_id;
    return wmem_strdup_printf(json->pinfo->pool, "%s%s%s%s%s%s%s", message->type->name,
                              name ? " " : "", name ? name : "", wrong ? ": " : "",
                              wrong ? wrong : "", shown ? " #" : "", shown ? event->id : "");
}

static void report(struct wsx_json *json, const struct message *message,
                   const struct wsx_value *document) {
    const struct wsx_value *parts = message->parts;
    struct wsx_app_event event = {0};
    const struct wsx_app_unit *request = NULL, *unit;
    place_event(json, message, &event);
    name_event(json, message, &event);
    if (event.role == WSX_APP_ANSWER || event.role == WSX_APP_PARTIAL)
        request = wsx_app_request_of(json->app, event.space, event.id);
    const char *name = event.name ? event.name : request ? request->name : NULL;
    if (message->type->number == 33)
        keep_name(json, 's', &parts[PART_SUBSCRIPTION], name);
    if (message->type->number == 65)
        keep_name(json, 'r', &parts[PART_REGISTRATION], name);
    if (event.role != WSX_APP_FOLLOWUP)
        event.info = info_of(json, message, &event, name);
    bool known = parts[PART_URI].type == WSX_ABSENT && message->type->number > 6;
    event.shown =
        WSX_APP_TYPE_SHOWN | WSX_APP_ID_SHOWN | (event.name || known ? WSX_APP_NAME_SHOWN : 0u);
    unit = wsx_json_report(json, &event, document);
    if (known)
        wsx_json_add_known(json, json->tree, hf_uri, unit->name);
}

static void one_message(struct wsx_json *json, const struct wsx_value *document) {
    struct message message;
    const char *problem = read_message(document, &message);
    if (problem)
        wsx_json_malformed(json, "%s", problem);
    draw(json, &message, document);
    if (message.type)
        report(json, &message, document);
    else
        wsx_json_report_malformed(json, document);
    wsx_json_draw(json, document);
}

static bool token_says(const struct wsx_session *session, const char *word) {
    char *lower = session->subprotocol ? g_ascii_strdown(session->subprotocol, -1) : NULL;
    bool says = lower && strstr(lower, word);
    g_free(lower);
    return says;
}

/* Where a batched message's next unit begins and ends: behind the last one (JSON ends each with
 * U+001E), or as long as its four bytes say. False at the end. */
static bool next_batched(const struct wsx_json *json, enum wsx_notation notation, size_t *at,
                         size_t *begin, size_t *end) {
    const uint8_t *bytes = json->bytes;
    *begin = *at;
    if (*at >= json->length)
        return false;
    if (notation == WSX_JSON) {
        const uint8_t *mark = memchr(bytes + *at, 0x1e, json->length - *at);
        *end = mark ? (size_t)(mark - bytes) : json->length;
        *at = *end + 1;
        return true;
    }
    *begin = *at + 4;
    size_t left = json->length - MIN(*begin, json->length);
    size_t length = 0;
    for (size_t i = 0; i < 4 && *at + i < json->length; i++)
        length = length << 8 | bytes[*at + i];
    *begin = MIN(*begin, json->length);
    *end = *begin + MIN(length, left);
    *at = *end;
    return true;
}

static void batched(struct wsx_json *json, enum wsx_notation notation) {
    size_t at = 0, begin, end, bad;
    while (next_batched(json, notation, &at, &begin, &end)) {
        struct wsx_value document;
        if (wsx_value_read(notation, json->bytes + begin, end - begin, &document, &bad)) {
            struct wsx_json part = *json;
            part.tvb = tvb_new_subset_length(json->tvb, (int)begin, (int)(end - begin));
            part.bytes = json->bytes + begin;
            part.length = end - begin;
            one_message(&part, &document);
            continue;
        }
        wsx_json_malformed(json, "The unit at byte %zu can't be read", begin + 1);
        wsx_json_report_malformed(json, NULL);
    }
}

static bool is_message(enum wsx_notation notation, const uint8_t *bytes, size_t length) {
    struct wsx_value document;
    struct message message;
    size_t bad;
    return length && wsx_value_read(notation, bytes, length, &document, &bad) &&
           !read_message(&document, &message);
}

/* Binary and no token: the one in which it, or an earlier message, is one of WAMP. */
static enum wsx_notation notation_of(struct wsx_app *app, const uint8_t *bytes, size_t length) {
    if (app->text)
        return WSX_JSON;
    if (token_says(app->session, "cbor"))
        return WSX_CBOR;
    if (token_says(app->session, "msgpack"))
        return WSX_MSGPACK;
    struct state *state = wsx_app_state(app, sizeof *state);
    if (state->notation_packet && state->notation_packet < app->packet)
        return state->notation;
    enum wsx_notation notation = is_message(WSX_CBOR, bytes, length) ? WSX_CBOR : WSX_MSGPACK;
    if (app->first_pass && !state->notation_packet && is_message(notation, bytes, length)) {
        state->notation = notation;
        state->notation_packet = app->packet;
    }
    return notation;
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_app *app = data;
    int length = (int)tvb_captured_length(tvb);
    struct wsx_json json;
    enum wsx_notation notation =
        notation_of(app, length ? tvb_get_ptr(tvb, 0, length) : NULL, (size_t)length);
    if (token_says(app->session, ".batched")) {
        wsx_json_begin(&json, &protocol, tvb, pinfo, tree, data);
        batched(&json, notation);
    } else if (wsx_json_open(&json, &protocol, notation, tvb, pinfo, tree, data)) {
        one_message(&json, &json.document);
    }
    return length;
}

/* Arrays of numbers, and [4, "text", {}], are everybody's. Behind a handshake without the token,
 * which WAMP asks for, there has to be a URI, too. */
static bool tells(const struct wsx_session *session, const struct message *message) {
    const struct wsx_value *parts = message->parts;
    unsigned number = message->type->number;
    if (number <= 2) {
        struct wsx_value roles = wsx_value_member(&parts[PART_OPTIONS], "roles");
        return roles.type == WSX_OBJECT;
    }
    return parts[PART_OPTIONS].type == WSX_OBJECT && number != 4 && number != 5 &&
           (!session->uri || parts[PART_URI].type == WSX_STRING ||
            parts[PART_REASON].type == WSX_STRING || parts[PART_ERROR].type == WSX_STRING);
}

static bool is_seen(const struct wsx_session *session, enum wsx_notation notation,
                    const uint8_t *bytes, size_t length) {
    struct wsx_value document;
    struct message message;
    size_t bad;
    return length && wsx_value_read(notation, bytes, length, &document, &bad) &&
           !read_message(&document, &message) && tells(session, &message);
}

/* Without a token: a message with all that its type asks for, and nothing else. */
static bool sniff(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction _U_) {
    if (text)
        return length && bytes[0] == '[' && is_seen(session, WSX_JSON, bytes, length);
    return is_seen(session, WSX_MSGPACK, bytes, length) ||
           is_seen(session, WSX_CBOR, bytes, length);
}

#define NUMBER(field, title, name, help)                                                           \
    {                                                                                              \
        &(field), { title, name, FT_UINT64, BASE_DEC, NULL, 0, help, HFILL }                       \
    }
#define STRING(field, title, name, help)                                                           \
    {                                                                                              \
        &(field), { title, name, FT_STRING, BASE_NONE, NULL, 0, help, HFILL }                      \
    }

static void register_protocol(void) {
    static hf_register_info fields[] = {
        {&hf_type,
         {"Message type", "wamp.message_type", FT_UINT8, BASE_DEC, VALS(type_names), 0,
          "The first element", HFILL}},
        {&hf_request_type,
         {"Type of the request", "wamp.request.type", FT_UINT8, BASE_DEC, VALS(type_names), 0,
          "The message that this error answers", HFILL}},
        NUMBER(hf_request, "Request", "wamp.request", "The answer has the same number"),
        NUMBER(hf_session, "Session", "wamp.session",
               "Number that the router gives to the session"),
        NUMBER(hf_subscription, "Subscription", "wamp.subscription",
               "Number that the broker gives to a subscription; its events have it"),
        NUMBER(hf_registration, "Registration", "wamp.registration",
               "Number that the dealer gives to a procedure; its invocations have it"),
        NUMBER(hf_publication, "Publication", "wamp.publication",
               "Number that the broker gives to an event"),
        STRING(hf_realm, "Realm", "wamp.realm", "What the client wants to join"),
        STRING(hf_uri, "Topic or procedure", "wamp.uri",
               "Generated where the message names only a number"),
        STRING(hf_error, "Error", "wamp.error", "URI of what went wrong"),
        STRING(hf_reason, "Reason", "wamp.reason", "URI of why the session ends"),
        STRING(hf_method, "Authentication method", "wamp.authmethod",
               "How the router wants the client to prove who it is"),
        STRING(hf_signature, "Signature", "wamp.signature", "The client's proof"),
        STRING(hf_options, "Options or details", "wamp.options", "JSON as sent"),
        STRING(hf_arguments, "Arguments", "wamp.arguments", "JSON as sent"),
        STRING(hf_arguments_kw, "Arguments by name", "wamp.arguments_kw", "JSON as sent"),
        {&hf_progress,
         {"Progressive", "wamp.progress", FT_BOOLEAN, BASE_NONE, NULL, 0,
          "More results of this call follow", HFILL}},
    };
    for (size_t i = 0; i < array_length(types); i++) {
        type_names[i].value = types[i].number;
        type_names[i].strptr = types[i].name;
    }
    protocol.fields = fields;
    protocol.field_count = array_length(fields);
    wsx_json_register(&protocol);
}

static struct wsx_json_protocol protocol = {
    .title = "Web Application Messaging Protocol",
    .short_title = "WAMP",
    .filter = "wamp",
    .dissector = "wsx_wamp",
    .dissect = dissect,
};

static const char *const tokens[] = {"wamp.2.*", NULL};

const struct wsx_app_protocol wsx_wamp_app = {
    .name = "WAMP",
    .dissector = "wsx_wamp",
    .tokens = tokens,
    .sniff = sniff,
    .no_object = true,
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};
