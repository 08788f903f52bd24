/*
 * engineio.c - Engine.IO 2 to 4 (the EIO of the URI): each message is one packet, a digit for its
 * type and its data; binary messages are data of a message packet, up to version 3 behind a byte of
 * the type. What a message packet carries is Socket.IO (socketio.c), or the application's own where
 * the path says that Engine.IO is used alone; where no path tells, the first message does. Written
 * after the protocol's descriptions in github.com/socketio/engine.io-protocol.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "engineio.h"

#include "json_value.h"
#include "writable.h"

#include <string.h>

enum { TYPE_OPEN, TYPE_CLOSE, TYPE_PING, TYPE_PONG, TYPE_MESSAGE, TYPE_UPGRADE, TYPE_NOOP };

static const value_string type_names[] = {
    {TYPE_OPEN, "open"},       {TYPE_CLOSE, "close"},     {TYPE_PING, "ping"}, {TYPE_PONG, "pong"},
    {TYPE_MESSAGE, "message"}, {TYPE_UPGRADE, "upgrade"}, {TYPE_NOOP, "noop"}, {0, NULL}};

static int proto, ett, hf_type = -1, hf_data = -1, hf_sid = -1, hf_interval = -1, hf_timeout = -1,
                       hf_max = -1;
static expert_field ei_bad = EI_INIT;

/* What "0{...}" tells. */
static void draw_open(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top) {
    static const char *const names[] = {"sid", "pingInterval", "pingTimeout", "maxPayload"};
    int *const fields[] = {&hf_sid, &hf_interval, &hf_timeout, &hf_max};
    int length = (int)tvb_captured_length(tvb) - 1;
    struct wsx_value document, values[4];
    size_t bad;
    if (length < 1 ||
        !wsx_value_read(WSX_JSON, tvb_get_ptr(tvb, 1, length), (size_t)length, &document, &bad)) {
        proto_tree_add_expert(tree, pinfo, &ei_bad, tvb, 0, length + 1);
        return;
    }
    wsx_value_members(&document, names, values, 4);
    for (int i = 0; tree && i < 4; i++) {
        int at = 1 + (int)values[i].begin, size = (int)(values[i].end - values[i].begin);
        uint64_t number;
        if (i == 0 && values[i].type == WSX_STRING)
            proto_tree_add_string(tree, *fields[i], tvb, at, size,
                                  wsx_value_text(pinfo->pool, &values[i], WSX_VALUE_LINE));
        else if (i && wsx_value_unsigned(&values[i], &number))
            proto_tree_add_uint64(tree, *fields[i], tvb, at, size, number);
    }
    wsx_app_json(tvb, 1, length, pinfo, top);
}

/* EIO of the URI; without one, pings tell: up to 3 they come from the client. */
static void learn_version(struct wsx_app *app, unsigned type, bool probe) {
    struct wsx_eio_state *state = wsx_app_state(app, sizeof *state);
    const char *told = app->session->uri ? strstr(app->session->uri, "EIO=") : NULL;
    if (!app->first_pass || state->version)
        return;
    if (told && g_ascii_isdigit(told[4]))
        state->version = (unsigned)(told[4] - '0');
    else if ((type == TYPE_PING || type == TYPE_PONG) && !probe)
        state->version = (type == TYPE_PING) == (app->direction == WSX_CLIENT_TO_SERVER) ? 3 : 4;
}

/* "40", "42[...", "451-/admin,[..."; a digit and anything else is an application's own text. */
static bool may_be_socketio(const struct wsx_app *app, const char *text, int length) {
    if (!app->text || length < 2 || text[1] < '0' || text[1] > '6')
        return false;
    return length == 2 || g_ascii_isdigit(text[2]) || strchr("/[{\"-?", text[2]);
}

/* First pass, at each message packet: the first one tells what it carries. */
static void settle(struct wsx_app *app, const char *text, int length) {
    struct wsx_eio_state *state = wsx_app_state(app, sizeof *state);
    const char *uri = app->session->uri;
    if (!app->first_pass || state->settled)
        return;
    state->settled = true;
    state->settled_in = app->packet;
    state->alone = !(uri && strstr(uri, "/socket.io")) && !may_be_socketio(app, text, length);
}

static bool carries_socketio(struct wsx_app *app) {
    if (app->protocol != &wsx_socketio_app)
        return false;
    const struct wsx_eio_state *state = wsx_app_state(app, sizeof *state);
    return !state->settled || !state->alone || app->packet < state->settled_in;
}

/* A packet without Socket.IO's layer. */
static void report(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                   unsigned type, bool probe) {
    struct wsx_app_event event = {.type = val_to_str_const(type, type_names, "malformed"),
                                  .space = probe ? "probe" : "ping",
                                  .oldest = true,
                                  .name = probe ? "probe" : NULL,
                                  .length = (int)tvb_captured_length(tvb)};
    if (type == TYPE_PING)
        event.role = WSX_APP_REQUEST;
    else if (type == TYPE_PONG)
        event.role = WSX_APP_ANSWER;
    if (!carries_socketio(app))
        app->protocol = &wsx_engineio_app;
    event.shown = type <= TYPE_NOOP ? WSX_APP_TYPE_SHOWN : 0;
    wsx_app_report(app, pinfo, tvb, tree, &event);
}

static void dissect_text(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top) {
    int length = (int)tvb_captured_length(tvb);
    const char *text = (const char *)tvb_get_ptr(tvb, 0, length);
    unsigned type = (unsigned)(text[0] - '0');
    bool probe = length == 6 && memcmp(text + 1, "probe", 5) == 0;
    if (type == TYPE_MESSAGE)
        settle(app, text, length);
    bool upper = type == TYPE_MESSAGE && carries_socketio(app);
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, 0, upper ? 1 : length, top, &item);
    proto_item_append_text(item, ", %s%s", val_to_str_const(type, type_names, "unknown type"),
                           probe ? " probe" : "");
    learn_version(app, type, probe);
    if (type > TYPE_NOOP) {
        expert_add_info(pinfo, item, &ei_bad);
    } else {
        proto_tree_add_uint(tree, hf_type, tvb, 0, 1, type);
        if (type == TYPE_OPEN)
            draw_open(tree, tvb, pinfo, top);
        else if (!upper && length > 1)
            proto_tree_add_item(tree, hf_data, tvb, 1, length - 1, ENC_NA);
    }
    if (upper)
        wsx_socketio_text(app, tvb, 1, pinfo, top);
    else
        report(app, tvb, pinfo, tree, type, probe);
}

static bool has_type_byte(const struct wsx_app *app, const uint8_t *bytes) {
    const struct wsx_eio_state *state = wsx_app_state(wsx_writable(app), sizeof *state);
    return bytes[0] == TYPE_MESSAGE && state->version && state->version < 4;
}

static void dissect_binary(struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo,
                           proto_tree *top) {
    int length = (int)tvb_captured_length(tvb);
    int at = has_type_byte(app, tvb_get_ptr(tvb, 0, length)) ? 1 : 0;
    settle(app, "", 0);
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, 0, length, top, &item);
    proto_item_append_text(item, ", message, binary");
    if (at)
        proto_tree_add_item(tree, hf_type, tvb, 0, 1, ENC_BIG_ENDIAN);
    if (length > at)
        proto_tree_add_item(tree, hf_data, tvb, at, length - at, ENC_NA);
    if (carries_socketio(app))
        wsx_socketio_binary(app, tvb, at, pinfo, top);
    else
        report(app, tvb, pinfo, tree, TYPE_MESSAGE, false);
}

/* Up to version 3, of a client that asked for it (b64=1): "b", the type and base64. */
static tvbuff_t *read_base64(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree) {
    int length = (int)tvb_captured_length(tvb);
    const char *packet = (const char *)tvb_get_ptr(tvb, 0, length);
    gsize size = 0;
    if (length < 2 || packet[0] != 'b' || packet[1] != '0' + TYPE_MESSAGE)
        return NULL;
    char *text = wmem_strndup(pinfo->pool, packet, (size_t)length);
    if (strlen(text + 2) > 1) /* GLib's decoder wants more than one character */
        g_base64_decode_inplace(text + 2, &size);
    text[1] = TYPE_MESSAGE;
    tvbuff_t *bytes =
        tvb_new_child_real_data(tvb, (const uint8_t *)text + 1, (unsigned)size + 1, (int)size + 1);
    if (tree)
        add_new_data_source(pinfo, bytes, "Engine.IO base64");
    return bytes;
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_app *app = data;
    int length = (int)tvb_captured_length(tvb);
    if (!app || !length)
        return 0;
    learn_version(app, TYPE_MESSAGE, false);
    const struct wsx_eio_state *state = wsx_app_state(app, sizeof *state);
    tvbuff_t *bytes =
        app->text && state->version && state->version < 4 ? read_base64(tvb, pinfo, tree) : NULL;
    if (bytes)
        dissect_binary(app, bytes, pinfo, tree);
    else if (app->text)
        dissect_text(app, tvb, pinfo, tree);
    else
        dissect_binary(app, tvb, pinfo, tree);
    return length;
}

/* "0{"sid":..." and the probes; the rest is too short to tell. */
static bool looks_like_engineio(const char *text, size_t length) {
    if (length == 6 && (memcmp(text, "2probe", 6) == 0 || memcmp(text, "3probe", 6) == 0))
        return true;
    return length > 8 && text[0] == '0' && text[1] == '{' && text[length - 1] == '}' &&
           g_strstr_len(text, (gssize)length, "\"sid\":") &&
           g_strstr_len(text, (gssize)length, "\"pingInterval\":");
}

static bool names_engineio(const struct wsx_session *session) {
    return session->uri && strstr(session->uri, "/engine.io") != NULL;
}

static bool sniff_engineio(const struct wsx_session *session, const uint8_t *bytes, size_t length,
                           bool text, enum wsx_direction direction _U_) {
    return text && names_engineio(session) && length && bytes[0] >= '0' && bytes[0] <= '6';
}

static bool sniff_socketio(const struct wsx_session *session, const uint8_t *bytes, size_t length,
                           bool text, enum wsx_direction direction _U_) {
    const char *uri = session->uri;
    if (!text || !length || bytes[0] < '0' || bytes[0] > '6' || names_engineio(session))
        return false;
    if (uri && (strstr(uri, "?EIO=") || strstr(uri, "&EIO=")))
        return true;
    return looks_like_engineio((const char *)bytes, length) ||
           wsx_socketio_looks((const char *)bytes, length);
}

static void register_protocol(void) {
    static hf_register_info fields[] = {
        {&hf_type,
         {"Type", "engineio.type", FT_UINT8, BASE_DEC, VALS(type_names), 0,
          "What the packet is for; a message carries the data of the user or of Socket.IO", HFILL}},
        {&hf_data,
         {"Data", "engineio.data", FT_BYTES, BASE_NONE, NULL, 0,
          "The message's own bytes, behind the type", HFILL}},
        {&hf_sid,
         {"Session id", "engineio.sid", FT_STRING, BASE_NONE, NULL, 0,
          "The same over all transports of a connection", HFILL}},
        {&hf_interval,
         {"Ping interval (ms)", "engineio.ping_interval", FT_UINT64, BASE_DEC, NULL, 0,
          "Told by the server when it opens: how often one side sends a ping", HFILL}},
        {&hf_timeout,
         {"Ping timeout (ms)", "engineio.ping_timeout", FT_UINT64, BASE_DEC, NULL, 0,
          "Told by the server when it opens: how long it waits for the pong", HFILL}},
        {&hf_max,
         {"Longest payload", "engineio.max_payload", FT_UINT64, BASE_DEC, NULL, 0,
          "Told by the server when it opens: the most bytes of a message that it takes", HFILL}},
    };
    static ei_register_info items[] = {
        {&ei_bad,
         {"engineio.malformed", PI_MALFORMED, PI_ERROR, "This is no Engine.IO packet", EXPFILL}},
    };
    static int *trees[] = {&ett};
    ett = -1;
    proto = proto_register_protocol("Engine.IO", "Engine.IO", "engineio");
    proto_register_field_array(proto, fields, array_length(fields));
    proto_register_subtree_array(trees, array_length(trees));
    expert_register_field_array(expert_register_protocol(proto), items, array_length(items));
    register_dissector("wsx_engineio", dissect, proto);
}

const struct wsx_app_protocol wsx_engineio_app = {
    .name = "Engine.IO",
    .dissector = "wsx_engineio",
    .sniff = sniff_engineio,
    .no_object = true,
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};

/* The upper layer's registration also names a dissector of its own, so that a user's table can
 * choose it; both layers are read by the same function. */
static void register_upper(void) {
    wsx_socketio_register();
    register_dissector("wsx_socketio", dissect, proto_get_id_by_filter_name("socketio"));
}

const struct wsx_app_protocol wsx_socketio_app = {
    .name = "Socket.IO",
    .dissector = "wsx_socketio",
    .sniff = sniff_socketio,
    .no_object = true,
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_upper,
};
