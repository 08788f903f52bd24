/*
 * stomp.c - STOMP 1.0, 1.1 and 1.2: frames of a command, headers and a body, ended by a zero byte;
 * an end of line alone is a heart-beat. Frames may go over several messages, and a message may hold
 * several. Links receipts, CONNECT and CONNECTED, acknowledgements, and messages with their
 * subscription. Written after stomp.github.io/stomp-specification-1.2.html.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apps/apps.h"
#include "epan/info.h"

/* Bytes of command and headers; brokers refuse more than some ten thousand. */
#define HEAD_MAX (64u << 10)
/* Characters of a header's value in its line. */
#define HEADER_SHOWN 200u

struct span {
    const char *text;
    size_t length;
};

/* One frame as it lies in the bytes; offsets from the frame's beginning. */
struct frame {
    struct span command;
    const char *headers; /* lines, up to and without the blank one */
    size_t headers_length;
    size_t body, body_length;
    size_t whole;      /* with the zero byte */
    bool plain;        /* of STOMP 1.0, which has no escapes */
    bool wrong_length; /* no zero byte where content-length says that the body ends */
};

enum parsed { PARSED_FRAME, PARSED_MORE, PARSED_BAD };

/* Of a connection. First pass. */
struct state {
    wmem_map_t *subscriptions; /* id to struct subscription */
    wmem_map_t *messages;      /* message-id to the subscription that it came by last */
    bool plain;                /* the server chose STOMP 1.0 */
};
/* File scope. */
struct subscription {
    uint32_t packet;
    const char *destination;
    bool acknowledged; /* its messages want an ACK */
};

static int proto, ett, ett_header,
    hf_command = -1, hf_header = -1, hf_name = -1, hf_value = -1, hf_body = -1, hf_heartbeat = -1,
    hf_subscribed_in = -1, hf_destination = -1, hf_subscription = -1, hf_receipt = -1,
    hf_receipt_id = -1, hf_message_id = -1, hf_transaction = -1, hf_version = -1,
    hf_heart_beat = -1, hf_content_type = -1, hf_content_length = -1, hf_error = -1;
static expert_field ei_bad = EI_INIT, ei_escape = EI_INIT, ei_error = EI_INIT, ei_length = EI_INIT;

/* Headers with a field of their own. */
static const struct {
    const char *name;
    int *field;
} known_headers[] = {
    {"destination", &hf_destination},
    {"subscription", &hf_subscription},
    {"receipt", &hf_receipt},
    {"receipt-id", &hf_receipt_id},
    {"message-id", &hf_message_id},
    {"transaction", &hf_transaction},
    {"version", &hf_version},
    {"accept-version", &hf_version},
    {"heart-beat", &hf_heart_beat},
    {"content-type", &hf_content_type},
    {"content-length", &hf_content_length},
    {"message", &hf_error},
};

static const char *const commands[] = {"CONNECT", "STOMP", "CONNECTED", "SEND",        "SUBSCRIBE",
                                       "MESSAGE", "ACK",   "NACK",      "UNSUBSCRIBE", "BEGIN",
                                       "COMMIT",  "ABORT", "RECEIPT",   "DISCONNECT",  "ERROR"};

/* ---- reading ---- */

static bool is(struct span span, const char *text) {
    return strlen(text) == span.length && memcmp(span.text, text, span.length) == 0;
}

static bool is_command(struct span span) {
    for (size_t i = 0; i < array_length(commands); i++)
        if (is(span, commands[i]))
            return true;
    return false;
}

/* The line at *at, without its end; false when its end is not there. */
static bool next_line(const char *text, size_t length, size_t *at, struct span *line) {
    const char *end = *at < length ? memchr(text + *at, '\n', length - *at) : NULL;
    if (!end)
        return false;
    line->text = text + *at;
    line->length = (size_t)(end - line->text);
    *at += line->length + 1;
    if (line->length && line->text[line->length - 1] == '\r')
        line->length--;
    return true;
}

/* One header of a line; false when the line has no colon. */
static bool split(struct span line, struct span *name, struct span *value) {
    const char *colon = memchr(line.text, ':', line.length);
    if (!colon)
        return false;
    *name = (struct span){line.text, (size_t)(colon - line.text)};
    *value = (struct span){colon + 1, line.length - name->length - 1};
    return true;
}

/* The first header of that name: a repeated one does not count. */
static bool header(const struct frame *frame, const char *wanted, struct span *value) {
    struct span line, name;
    for (size_t at = 0; next_line(frame->headers, frame->headers_length, &at, &line);)
        if (split(line, &name, value) && is(name, wanted))
            return true;
    *value = (struct span){0};
    return false;
}

/* CONNECT and CONNECTED have no escapes, for the sake of 1.0. Without a bad one *bad stays. */
static char *unescape(wmem_allocator_t *pool, const struct frame *frame, struct span span,
                      bool *bad) {
    char *text = wmem_alloc(pool, span.length + 1);
    bool escapes =
        !frame->plain && !is(frame->command, "CONNECT") && !is(frame->command, "CONNECTED");
    size_t length = 0;
    for (size_t i = 0; i < span.length; i++) {
        static const char from[] = {'n', 'r', 'c', '\\'}, to[] = {'\n', '\r', ':', '\\'};
        const char *found = NULL;
        if (escapes && span.text[i] == '\\') {
            found = i + 1 < span.length ? memchr(from, span.text[i + 1], sizeof from) : NULL;
            *bad = *bad || !found;
        }
        text[length++] = found ? to[found - from] : span.text[i];
        i += found != NULL;
    }
    text[length] = 0;
    if (g_utf8_validate(text, (gssize)length, NULL))
        return text;
    char *valid = g_utf8_make_valid(text, (gssize)length);
    text = wmem_strdup(pool, valid);
    g_free(valid);
    return text;
}

static char *value_of(wmem_allocator_t *pool, const struct frame *frame, const char *name) {
    struct span value;
    bool bad = false;
    return header(frame, name, &value) ? unescape(pool, frame, value, &bad) : NULL;
}

static bool number(struct span span, size_t *value) {
    *value = 0;
    if (!span.length || span.length > 9)
        return false;
    for (size_t i = 0; i < span.length; i++) {
        if (!g_ascii_isdigit(span.text[i]))
            return false;
        *value = *value * 10 + (size_t)(span.text[i] - '0');
    }
    return true;
}

/* Where the body ends. *more: bytes missing, 0 where that is not known. Where content-length is
 * wrong (programs count characters instead of bytes) the zero byte counts. */
static enum parsed parse_body(const char *text, size_t length, struct frame *frame, size_t *more) {
    struct span told;
    size_t size;
    if (header(frame, "content-length", &told) && number(told, &size)) {
        frame->body_length = size;
        frame->whole = frame->body + size + 1;
        *more = frame->whole > length ? frame->whole - length : 0;
        if (*more)
            return PARSED_MORE;
        frame->wrong_length = text[frame->whole - 1] != 0;
        if (!frame->wrong_length)
            return PARSED_FRAME;
    }
    const char *end = memchr(text + frame->body, 0, length - frame->body);
    if (!end)
        return frame->wrong_length ? PARSED_FRAME : PARSED_MORE;
    frame->body_length = (size_t)(end - text) - frame->body;
    frame->whole = frame->body + frame->body_length + 1;
    return PARSED_FRAME;
}

static enum parsed parse(const char *text, size_t length, struct frame *frame, size_t *more) {
    struct span line;
    size_t at = 0;
    memset(frame, 0, sizeof *frame);
    *more = 0;
    if (!next_line(text, length, &at, &frame->command))
        return length < 16 && !memchr(text, 0, length) ? PARSED_MORE : PARSED_BAD;
    if (!is_command(frame->command))
        return PARSED_BAD;
    frame->headers = text + at;
    for (size_t begin = at; next_line(text, length, &at, &line);) {
        if (!line.length) {
            frame->body = at;
            return parse_body(text, length, frame, more);
        }
        frame->headers_length = at - begin;
    }
    return length > HEAD_MAX ? PARSED_BAD : PARSED_MORE;
}

/* What a body without content-length waits for. */
static bool may_end_body(const uint8_t *bytes, size_t length, size_t fresh) {
    return memchr(bytes + fresh, 0, length - fresh) != NULL;
}

/* What a head waits for: the blank line, which may have a CR, or to be too long. */
static bool may_end_head(const uint8_t *bytes, size_t length, size_t fresh) {
    const char *text = (const char *)bytes;
    size_t at = fresh;
    struct span line;
    while (at && fresh - at < 2 && text[at - 1] != '\n')
        at--;
    while (next_line(text, length, &at, &line))
        if (!line.length)
            return true;
    return length > HEAD_MAX;
}

/* ---- drawing ---- */

static void draw_header(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, const char *base,
                        const struct frame *frame, struct span line) {
    struct span name, value;
    int at = (int)(line.text - base);
    if (!split(line, &name, &value)) {
        proto_tree_add_expert(tree, pinfo, &ei_bad, tvb, at, (int)line.length);
        return;
    }
    bool bad = false;
    const char *key = unescape(pinfo->pool, frame, name, &bad);
    const char *text = unescape(pinfo->pool, frame, value, &bad);
    proto_item *item = proto_tree_add_string_format(
        tree, hf_header, tvb, at, (int)line.length,
        wmem_strdup_printf(pinfo->pool, "%s:%s", key, text), "%s: %s", wsx_shown(pinfo->pool, key),
        wsx_preview(pinfo->pool, (const uint8_t *)text, strlen(text), HEADER_SHOWN));
    proto_tree *sub = proto_item_add_subtree(item, ett_header);
    int begin = (int)(value.text - base), length = (int)value.length;
    /* for filters: the line above says both */
    proto_item_set_hidden(proto_tree_add_string(sub, hf_name, tvb, at, (int)name.length, key));
    proto_item_set_hidden(proto_tree_add_string(sub, hf_value, tvb, begin, length, text));
    for (size_t i = 0; i < array_length(known_headers); i++)
        if (is(name, known_headers[i].name))
            proto_tree_add_string(sub, *known_headers[i].field, tvb, begin, length, text);
    if (bad)
        expert_add_info(pinfo, item, &ei_escape);
}

static void draw_body(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                      const struct frame *frame) {
    int at = (int)frame->body, length = (int)frame->body_length;
    if (!length)
        return;
    proto_tree_add_item(tree, hf_body, tvb, at, length, ENC_UTF_8);
    const uint8_t *bytes = tvb_get_ptr(tvb, at, length);
    if ((bytes[0] == '{' && bytes[length - 1] == '}') ||
        (bytes[0] == '[' && bytes[length - 1] == ']'))
        wsx_app_json(tvb, at, length, pinfo, top);
}

static void draw(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                 proto_tree *top, const struct frame *frame, const struct wsx_app_event *event) {
    const char *base = frame->command.text;
    struct span line;
    proto_tree_add_item(tree, hf_command, tvb, 0, (int)frame->command.length, ENC_UTF_8);
    for (size_t at = 0; tree && next_line(frame->headers, frame->headers_length, &at, &line);)
        draw_header(tree, tvb, pinfo, base, frame, line);
    draw_body(tree, tvb, pinfo, top, frame);
    const struct subscription *from = app->first_pass ? event->kept : wsx_app_kept(app);
    if (from)
        proto_item_set_generated(
            proto_tree_add_uint(tree, hf_subscribed_in, tvb, 0, 0, from->packet));
    if (frame->wrong_length)
        proto_tree_add_expert_format(
            tree, pinfo, &ei_length, tvb, (int)frame->body, (int)frame->body_length,
            "content-length is %s, the body has %zu bytes",
            wsx_shown(pinfo->pool, value_of(pinfo->pool, frame, "content-length")),
            frame->body_length);
    if (is(frame->command, "ERROR"))
        proto_tree_add_expert(tree, pinfo, &ei_error, tvb, 0, (int)frame->command.length);
}

/* ---- what a frame is ---- */

/* First pass: remembers subscriptions, and finds that of a MESSAGE. */
static const struct subscription *follow_subscription(struct wsx_app *app,
                                                      const struct frame *frame, const char *id,
                                                      const char *destination, packet_info *pinfo) {
    struct state *state = wsx_app_state(app, sizeof *state);
    if (!state->subscriptions)
        state->subscriptions = wmem_map_new(wsx_app_scope(), wmem_str_hash, g_str_equal);
    if (is(frame->command, "SUBSCRIBE")) {
        struct subscription *made = wmem_new(wsx_app_scope(), struct subscription);
        made->packet = app->packet;
        made->destination = wmem_strdup(wsx_app_scope(), destination ? destination : "");
        const char *mode = value_of(pinfo->pool, frame, "ack");
        made->acknowledged = mode && strcmp(mode, "auto") != 0;
        /* 1.0 needs no id: the destination stands for it */
        wmem_map_insert(state->subscriptions,
                        wmem_strdup(wsx_app_scope(), id ? id : made->destination), made);
        return NULL;
    }
    const char *key = id ? id : destination;
    return key ? wmem_map_lookup(state->subscriptions, key) : NULL;
}

/* Before 1.2 a message's id is one within its subscription, which 1.1's ACK names, too: that of 1.0
 * means the last message of the id. */
static const char *message_space(struct wsx_app *app, const char *id, const char *subscription,
                                 bool message, packet_info *pinfo) {
    struct state *state = wsx_app_state(app, sizeof *state);
    if (!app->first_pass || !id)
        return "ack";
    if (!state->messages)
        state->messages = wmem_map_new(wsx_app_scope(), wmem_str_hash, g_str_equal);
    if (message && subscription)
        wmem_map_insert(state->messages, wmem_strdup(wsx_app_scope(), id),
                        wmem_strdup(wsx_app_scope(), subscription));
    else if (!message && !subscription)
        subscription = wmem_map_lookup(state->messages, id);
    return wmem_strdup_printf(pinfo->pool, "ack%s%s", subscription ? " of " : "",
                              subscription ? subscription : "");
}

/* A message is acknowledged by the id in its header `ack` (1.2), before by its message-id where the
 * subscription wants that. */
static void set_acknowledged(struct wsx_app *app, struct wsx_app_event *event,
                             const struct frame *frame, const struct subscription *from,
                             packet_info *pinfo) {
    event->space = "ack";
    event->id = value_of(pinfo->pool, frame, "ack");
    if (!event->id && (!from || from->acknowledged)) {
        event->id = value_of(pinfo->pool, frame, "message-id");
        event->space = message_space(app, event->id, value_of(pinfo->pool, frame, "subscription"),
                                     true, pinfo);
    }
    if (!event->id)
        return;
    event->role = WSX_APP_REQUEST;
    event->optional = true; /* one ACK may stand for all before it */
}

/* What asks for an answer, and what gives one. */
static void set_role(struct wsx_app *app, struct wsx_app_event *event, const struct frame *frame,
                     packet_info *pinfo) {
    bool message = is(frame->command, "MESSAGE"); /* brokers pass on the sender's headers */
    const char *receipt = message ? NULL : value_of(pinfo->pool, frame, "receipt");
    const char *receipt_id = message ? NULL : value_of(pinfo->pool, frame, "receipt-id");
    if (is(frame->command, "CONNECT") || is(frame->command, "STOMP")) {
        event->role = WSX_APP_REQUEST;
        event->space = "connect";
        event->silent_id = true;
    } else if (is(frame->command, "CONNECTED")) {
        event->role = WSX_APP_ANSWER;
        event->space = "connect";
        event->silent_id = true;
    } else if (receipt) {
        event->role = WSX_APP_REQUEST;
        event->space = "receipt";
        event->id = receipt;
    } else if (receipt_id) {
        event->role = WSX_APP_ANSWER;
        event->space = "receipt";
        event->id = receipt_id;
    } else if (message) {
        set_acknowledged(app, event, frame, event->kept, pinfo);
    } else if (is(frame->command, "ACK") || is(frame->command, "NACK")) {
        event->id = value_of(pinfo->pool, frame, "id"); /* 1.2 */
        event->space = "ack";
        if (!event->id) {
            event->id = value_of(pinfo->pool, frame, "message-id");
            event->space = message_space(
                app, event->id, value_of(pinfo->pool, frame, "subscription"), false, pinfo);
        }
        event->role = event->id ? WSX_APP_ANSWER : WSX_APP_ALONE;
    } else if (is(frame->command, "ERROR") && wsx_app_request_of(app, "connect", NULL)) {
        event->role = WSX_APP_ANSWER; /* the server refuses the connection */
        event->space = "connect";
        event->silent_id = true;
    }
}

static void describe(struct wsx_app *app, packet_info *pinfo, const struct frame *frame,
                     struct wsx_app_event *event) {
    bool subscribes = is(frame->command, "SUBSCRIBE");
    const char *destination = value_of(pinfo->pool, frame, "destination");
    const char *transaction = value_of(pinfo->pool, frame, "transaction");
    const char *id = value_of(pinfo->pool, frame, subscribes ? "id" : "subscription");
    char *type = wmem_strndup(pinfo->pool, frame->command.text, frame->command.length);
    for (char *c = type; *c; c++)
        *c = g_ascii_tolower(*c);
    event->type = type;
    event->name = destination ? destination : transaction;
    event->shown = event->name ? WSX_APP_NAME_SHOWN : 0;
    if (app->first_pass && (subscribes || is(frame->command, "MESSAGE"))) {
        const struct subscription *from = follow_subscription(app, frame, id, destination, pinfo);
        event->kept = from;
        if (from && !event->name)
            event->name = from->destination;
    } else if (is(frame->command, "MESSAGE")) {
        event->kept = wsx_app_kept(app);
    }
    set_role(app, event, frame, pinfo);
    if (!event->id && !event->space)
        event->id = id ? id : value_of(pinfo->pool, frame, "id");
    event->length = (int)frame->whole;
}

static int dissect_frame(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                         const struct frame *frame) {
    struct wsx_app_event event = {0};
    describe(app, pinfo, frame, &event);
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, 0, (int)frame->whole, top, &item);
    draw(app, tvb, pinfo, tree, top, frame, &event);
    event.shown |= WSX_APP_TYPE_SHOWN | WSX_APP_ID_SHOWN; /* ids are headers */
    const struct wsx_app_unit *unit = wsx_app_report(app, pinfo, tvb, tree, &event);
    proto_item_append_text(item, ", %.*s%s%s", (int)frame->command.length, frame->command.text,
                           unit->name ? " " : "", wsx_shown(pinfo->pool, unit->name));
    return (int)frame->whole;
}

static int dissect_heartbeat(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo,
                             proto_tree *top, int length) {
    struct wsx_app_event event = {
        .type = "heart-beat", .length = length, .shown = WSX_APP_TYPE_SHOWN};
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, 0, length, top, &item);
    proto_item_append_text(item, ", heart-beat");
    proto_tree_add_item(tree, hf_heartbeat, tvb, 0, length, ENC_NA);
    wsx_app_report(app, pinfo, tvb, tree, &event);
    return length;
}

static int dissect_bad(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top) {
    int length = (int)tvb_captured_length(tvb);
    struct wsx_app_event event = {.type = "malformed", .length = length};
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, 0, length, top, &item);
    proto_item_append_text(item, ", malformed");
    expert_add_info(pinfo, item, &ei_bad);
    wsx_app_report(app, pinfo, tvb, tree, &event);
    return length;
}

/* What the server says counts, else the token. */
static bool is_plain(struct wsx_app *app, const struct frame *frame) {
    struct state *state = wsx_app_state(app, sizeof *state);
    struct span version;
    if (app->first_pass && is(frame->command, "CONNECTED"))
        state->plain = !header(frame, "version", &version) || is(version, "1.0");
    return state->plain || (app->session->subprotocol &&
                            g_ascii_strcasecmp(app->session->subprotocol, "v10.stomp") == 0);
}

/* One frame, or the ends of line between frames. */
static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_app *app = data;
    int length = (int)tvb_captured_length(tvb), eols = 0;
    if (!app || !length)
        return 0;
    const char *text = (const char *)tvb_get_ptr(tvb, 0, length);
    while (eols < length && (text[eols] == '\n' || text[eols] == '\r'))
        eols++;
    /* a frame may be followed by ends of line: only those that begin a message are heart-beats */
    if (eols)
        return app->units ? eols : dissect_heartbeat(app, tvb, pinfo, tree, eols);
    struct frame frame;
    size_t more;
    enum parsed parsed = parse(text, (size_t)length, &frame, &more);
    frame.plain = parsed == PARSED_FRAME && is_plain(app, &frame);
    if (parsed == PARSED_BAD || (parsed == PARSED_MORE && !pinfo->can_desegment))
        return dissect_bad(app, tvb, pinfo, tree);
    if (parsed == PARSED_MORE) {
        pinfo->desegment_offset = 0;
        pinfo->desegment_len = more ? (guint32)more : DESEGMENT_ONE_MORE_SEGMENT;
        if (!more && frame.headers)
            app->may_end = frame.body ? may_end_body : may_end_head;
        return length;
    }
    return dissect_frame(app, tvb, pinfo, tree, &frame);
}

/* A whole frame, or (where no handshake was captured) the beginning of one. */
static bool sniff(const struct wsx_session *session _U_, const uint8_t *bytes, size_t length,
                  bool text _U_, enum wsx_direction direction _U_) {
    struct frame frame;
    size_t more;
    return parse((const char *)bytes, length, &frame, &more) == PARSED_FRAME;
}

/* ---- registration ---- */

#define STRING(var, title, name, blurb)                                                            \
    {                                                                                              \
        &(var), { title, "stomp." name, FT_STRING, BASE_NONE, NULL, 0, blurb, HFILL }              \
    }

static void register_protocol(void) {
    static hf_register_info fields[] = {
        STRING(hf_command, "Command", "command", "The frame's first line"),
        STRING(hf_header, "Header", "header", "Name, colon and value, escapes decoded"),
        STRING(hf_name, "Name", "header.name", "Left of the colon, escapes decoded"),
        STRING(hf_value, "Value", "header.value", "Escapes decoded"),
        STRING(hf_body, "Body", "body", "What stands behind the empty line"),
        STRING(hf_destination, "Destination", "destination",
               "Where a message goes to or comes from"),
        STRING(hf_subscription, "Subscription", "subscription",
               "Id of the subscription that a message comes from, or that is ended"),
        STRING(hf_receipt, "Receipt asked for", "receipt",
               "The server is to confirm the frame with this id"),
        STRING(hf_receipt_id, "Receipt", "receipt_id",
               "Confirms the frame that asked for it with this id"),
        STRING(hf_message_id, "Message id", "message_id", "Given to a message by the server"),
        STRING(hf_transaction, "Transaction", "transaction",
               "Id of the transaction that the frame belongs to"),
        STRING(hf_version, "Version", "version",
               "What the client accepts, or what the server chose"),
        STRING(hf_heart_beat, "Heart-beats", "heart_beat",
               "Milliseconds: what the sender can send, what it wants to get"),
        STRING(hf_content_type, "Content type", "content_type", "MIME type of the body"),
        STRING(hf_content_length, "Content length", "content_length",
               "Bytes of the body, which may then hold zeros"),
        STRING(hf_error, "Error", "message", "What an ERROR says in its header"),
        {&hf_heartbeat,
         {"Heart-beat", "stomp.eol", FT_NONE, BASE_NONE, NULL, 0,
          "Ends of line between frames: the other side is there", HFILL}},
        {&hf_subscribed_in,
         {"Subscribed in packet", "stomp.subscribed_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "The SUBSCRIBE by which this message is sent", HFILL}},
    };
    static ei_register_info items[] = {
        {&ei_bad, {"stomp.malformed", PI_MALFORMED, PI_ERROR, "This is no STOMP frame", EXPFILL}},
        {&ei_escape,
         {"stomp.bad_escape", PI_PROTOCOL, PI_WARN, "An escape that STOMP does not have", EXPFILL}},
        {&ei_length,
         {"stomp.wrong_length", PI_PROTOCOL, PI_WARN, "content-length is not the body's length",
          EXPFILL}},
        {&ei_error,
         {"stomp.error", PI_RESPONSE_CODE, PI_NOTE, "The server reports an error", EXPFILL}},
    };
    static int *trees[] = {&ett, &ett_header};
    ett = ett_header = -1;
    proto = proto_register_protocol("Simple Text Oriented Messaging Protocol", "STOMP", "stomp");
    proto_register_field_array(proto, fields, array_length(fields));
    proto_register_subtree_array(trees, array_length(trees));
    expert_register_field_array(expert_register_protocol(proto), items, array_length(items));
    register_dissector("wsx_stomp", dissect, proto);
}

const struct wsx_app_protocol wsx_stomp_app = {
    .name = "STOMP",
    .dissector = "wsx_stomp",
    .tokens = (const char *const[]){"v10.stomp", "v11.stomp", "v12.stomp", "stomp", NULL},
    .sniff = sniff,
    .no_object = true,
    .mode = WSX_MODE_STREAM,
    .register_protocol = register_protocol,
};
