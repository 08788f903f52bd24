/*
 * sockjs.c - SockJS over WebSocket: the server opens ("o"), beats ("h"), sends arrays of messages
 * (a[...]) and closes (c[code,reason]); the client sends arrays of messages. What a message carries
 * is the application's own; STOMP frames, as Spring sends them, are read as such. Written after the
 * protocol's description in github.com/sockjs/sockjs-protocol. The raw form (.../websocket without
 * a session) has nothing of it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apps/apps.h"
#include "json_value.h"

#include <string.h>

static int proto, ett, ett_message, hf_type = -1, hf_message = -1, hf_code = -1, hf_reason = -1;
static expert_field ei_bad = EI_INIT;
static dissector_handle_t stomp;

/* Messages in one array that get an item of their own. */
#define MESSAGES_DRAWN 1000u

/* One dissection. */
struct view {
    struct wsx_app *app;
    tvbuff_t *tvb;
    packet_info *pinfo;
    proto_tree *top, *tree;
};

static void report(struct view *view, const char *type, const char *name, proto_tree *tree) {
    struct wsx_app_event event = {
        .type = type, .name = name, .length = (int)tvb_captured_length(view->tvb)};
    event.shown = WSX_APP_TYPE_SHOWN | WSX_APP_NAME_SHOWN;
    wsx_app_report(view->app, view->pinfo, view->tvb, tree, &event);
}

/* STOMP in a message, as if it had come alone; false when it is none. The zero byte at a frame's
 * end stands as U+2400 in the text. */
static bool pass_to_stomp(struct view *view, const char *text) {
    static const char ended[] = "\xe2\x90\x80";
    size_t length = strlen(text);
    bool frame = g_str_has_suffix(text, ended), beat = strcmp(text, "\n") == 0;
    if (!stomp || !(frame || beat))
        return false;
    char *bytes = wmem_strdup(view->pinfo->pool, text);
    if (frame) {
        length -= sizeof ended - 2;
        bytes[length - 1] = 0;
    }
    if (frame && !wsx_stomp_app.sniff(view->app->session, (const uint8_t *)bytes, length, true,
                                      view->app->direction))
        return false;
    struct wsx_app inner = *view->app;
    inner.protocol = &wsx_stomp_app;
    tvbuff_t *tvb =
        tvb_new_child_real_data(view->tvb, (const uint8_t *)bytes, (unsigned)length, (int)length);
    if (view->top)
        add_new_data_source(view->pinfo, tvb, "SockJS message");
    int taken = wsx_app_call_handle(stomp, tvb, view->pinfo, view->top, &inner);
    view->app->units = inner.units;
    return taken > 0;
}

static void dissect_message(struct view *view, int at, const struct wsx_value *message,
                            unsigned number) {
    bool drawn = view->tree && number < MESSAGES_DRAWN;
    const char *text = wsx_value_text(view->pinfo->pool, message,
                                      message->end - message->begin); /* decoded, it is shorter */
    proto_tree *tree = NULL;
    if (drawn) {
        proto_item *item =
            proto_tree_add_string(view->tree, hf_message, view->tvb, at + (int)message->begin,
                                  (int)(message->end - message->begin), text);
        tree = proto_item_add_subtree(item, ett_message);
    }
    if (!pass_to_stomp(view, text))
        report(view, "message", NULL, tree);
}

/* An array of messages, or one message. False: neither. */
static bool dissect_messages(struct view *view, int at) {
    int length = (int)tvb_captured_length(view->tvb) - at;
    struct wsx_value document, message;
    struct wsx_walk walk;
    size_t bad;
    if (length < 2 || !wsx_value_read(WSX_JSON, tvb_get_ptr(view->tvb, at, length), (size_t)length,
                                      &document, &bad))
        return false;
    if (document.type == WSX_STRING) {
        dissect_message(view, at, &document, 0);
        return true;
    }
    if (document.type != WSX_ARRAY)
        return false;
    wsx_walk_begin(&walk, &document);
    for (unsigned i = 0; wsx_walk_next(&walk, NULL, &message); i++)
        dissect_message(view, at, &message, i);
    return true;
}

/* c[code,"reason"] */
static bool dissect_close(struct view *view) {
    int length = (int)tvb_captured_length(view->tvb) - 1;
    struct wsx_value document, values[2];
    uint64_t code;
    size_t bad;
    if (length < 2 ||
        !wsx_value_read(WSX_JSON, tvb_get_ptr(view->tvb, 1, length), (size_t)length, &document,
                        &bad) ||
        wsx_value_elements(&document, values, 2) != 2 || !wsx_value_unsigned(&values[0], &code) ||
        code > UINT32_MAX)
        return false;
    const char *reason = wsx_value_text(view->pinfo->pool, &values[1], WSX_VALUE_LINE);
    proto_tree_add_uint(view->tree, hf_code, view->tvb, 1 + (int)values[0].begin,
                        (int)(values[0].end - values[0].begin), (uint32_t)code);
    proto_tree_add_string(view->tree, hf_reason, view->tvb, 1 + (int)values[1].begin,
                          (int)(values[1].end - values[1].begin), reason);
    report(view, "close", wmem_strdup_printf(view->pinfo->pool, "%u %s", (uint32_t)code, reason),
           view->tree);
    return true;
}

static const char *type_of(const struct wsx_app *app, uint8_t first) {
    if (app->direction == WSX_CLIENT_TO_SERVER)
        return "messages";
    switch (first) {
    case 'o':
        return "open";
    case 'h':
        return "heartbeat";
    case 'a':
    case 'm':
        return "messages";
    case 'c':
        return "close";
    default:
        return "malformed";
    }
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *top, void *data) {
    struct wsx_app *app = data;
    int length = (int)tvb_captured_length(tvb);
    if (!app || !app->text || !length)
        return 0;
    const char *type = type_of(app, tvb_get_uint8(tvb, 0));
    struct view view = {.app = app, .tvb = tvb, .pinfo = pinfo, .top = top};
    proto_item *item;
    view.tree = wsx_app_tree(app, proto, ett, tvb, 0, length, top, &item);
    proto_item_append_text(item, ", %s", type);
    bool server = app->direction == WSX_SERVER_TO_CLIENT, good = false;
    if (server)
        proto_tree_add_string(view.tree, hf_type, tvb, 0, 1, type);
    if (strcmp(type, "messages") == 0) {
        good = dissect_messages(&view, server ? 1 : 0);
    } else if (strcmp(type, "close") == 0) {
        good = dissect_close(&view);
    } else if (strcmp(type, "malformed") != 0) {
        good = length == 1;
        if (good)
            report(&view, type, NULL, view.tree);
    }
    if (!good) {
        expert_add_info(pinfo, item, &ei_bad);
        report(&view, "malformed", NULL, view.tree);
    }
    return length;
}

/* ".../SERVER/SESSION/websocket": a server of three digits. */
static bool path_is_sockjs(const char *uri) {
    const char *query = strchr(uri, '?');
    size_t length = query ? (size_t)(query - uri) : strlen(uri);
    static const char tail[] = "/websocket";
    if (length < sizeof tail ||
        memcmp(uri + length - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
        return false;
    size_t end = length - (sizeof tail - 1), at = end;
    while (at && uri[at - 1] != '/' && uri[at - 1] != '.')
        at--;
    return at >= 5 && at < end && uri[at - 1] == '/' && uri[at - 5] == '/' &&
           g_ascii_isdigit(uri[at - 2]) && g_ascii_isdigit(uri[at - 3]) &&
           g_ascii_isdigit(uri[at - 4]);
}

/* a["..."]: nothing else looks like it. */
static bool looks_like_array(const uint8_t *bytes, size_t length) {
    struct wsx_value document, first;
    size_t bad;
    return length > 4 && bytes[0] == 'a' && bytes[1] == '[' &&
           wsx_value_read(WSX_JSON, bytes + 1, length - 1, &document, &bad) &&
           wsx_value_elements(&document, &first, 1) == 1 && first.type == WSX_STRING;
}

/* The path alone may be another program's. */
static bool may_be_frame(const uint8_t *bytes, size_t length, enum wsx_direction direction) {
    if (direction == WSX_CLIENT_TO_SERVER)
        return bytes[0] == '[' || bytes[0] == '"';
    return length == 1 ? bytes[0] == 'o' || bytes[0] == 'h'
                       : (bytes[0] == 'm' && bytes[1] == '"') ||
                             ((bytes[0] == 'a' || bytes[0] == 'c') && bytes[1] == '[');
}

static bool sniff(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction) {
    if (!text || !length)
        return false;
    if (session->uri && path_is_sockjs(session->uri))
        return may_be_frame(bytes, length, direction);
    return direction == WSX_SERVER_TO_CLIENT && looks_like_array(bytes, length);
}

static void register_protocol(void) {
    static hf_register_info fields[] = {
        {&hf_type,
         {"Type", "sockjs.type", FT_STRING, BASE_NONE, NULL, 0,
          "What the server's first character says", HFILL}},
        {&hf_message,
         {"Message", "sockjs.message", FT_STRING, BASE_NONE, NULL, 0,
          "One of the texts in the array, decoded", HFILL}},
        {&hf_code,
         {"Code", "sockjs.close.code", FT_UINT32, BASE_DEC, NULL, 0,
          "Why the server ends the SockJS session, as a number", HFILL}},
        {&hf_reason,
         {"Reason", "sockjs.close.reason", FT_STRING, BASE_NONE, NULL, 0,
          "Why the server ends the SockJS session, in words", HFILL}},
    };
    static ei_register_info items[] = {
        {&ei_bad, {"sockjs.malformed", PI_MALFORMED, PI_ERROR, "This is no SockJS frame", EXPFILL}},
    };
    static int *trees[] = {&ett, &ett_message};
    ett = ett_message = -1;
    proto = proto_register_protocol("SockJS", "SockJS", "sockjs");
    proto_register_field_array(proto, fields, array_length(fields));
    proto_register_subtree_array(trees, array_length(trees));
    expert_register_field_array(expert_register_protocol(proto), items, array_length(items));
    register_dissector("wsx_sockjs", dissect, proto);
}

static void handoff(void) { stomp = find_dissector("wsx_stomp"); }

const struct wsx_app_protocol wsx_sockjs_app = {
    .name = "SockJS",
    .dissector = "wsx_sockjs",
    .sniff = sniff,
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
    .handoff = handoff,
};
