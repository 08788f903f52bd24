/*
 * kubernetes.c - the channels of the Kubernetes API over WebSocket (exec, attach, port-forward),
 * v4 and v5 and the older tokens: the first byte of a message is a channel, the rest its bytes. The
 * base64 forms are text: a digit, then base64.
 *
 *   exec, attach    0 stdin, 1 stdout, 2 stderr, 3 the end as JSON, 4 the terminal's size as JSON;
 *                   v5: 255 closes the channel that its second byte names
 *   port-forward    two channels a port: 2n its bytes, 2n+1 errors; the first message from the
 *                   server on each is the port, two bytes, little-endian
 *
 * Written after k8s.io/apimachinery's remotecommand and kubelet's port-forward documentation.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "epan/info.h"
#include "json_app.h"

#include <string.h>

static int hf_channel = -1, hf_data = -1, hf_text = -1, hf_width = -1, hf_height = -1,
           hf_status = -1, hf_reason = -1, hf_message = -1, hf_exit_code = -1, hf_closed = -1,
           hf_port = -1;

enum { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE };
#define CHANNEL_CLOSE 255
static const value_string channel_names[] = {
    {CHANNEL_STDIN, "stdin"},
    {CHANNEL_STDOUT, "stdout"},
    {CHANNEL_STDERR, "stderr"},
    {CHANNEL_ERROR, "error"},
    {CHANNEL_RESIZE, "resize"},
    {CHANNEL_CLOSE, "close"},
    {0, NULL},
};
/* A terminal's text for the Info column. */
#define PREVIEW_BYTES 60

static struct wsx_json_protocol protocol;

/* Of a port-forward connection. */
struct state {
    bool told[2][256]; /* the channel's port was told, each direction */
    uint16_t port[256];
};
/* A port, for later passes. File scope. */
struct port {
    uint16_t number;
    bool told_here;
};

/* Whether the path ends so: a pod may have the same name. */
static bool path_ends(const struct wsx_session *session, const char *name) {
    size_t length = session->uri ? strcspn(session->uri, "?") : 0, wanted = strlen(name);
    while (length && session->uri[length - 1] == '/')
        length--;
    return length >= wanted && memcmp(session->uri + length - wanted, name, wanted) == 0;
}

static bool forwards_ports(const struct wsx_session *session) {
    return path_ends(session, "/portforward");
}

/* base64.channel.k8s.io, v4.base64.channel.k8s.io */
static bool is_base64(const struct wsx_session *session) {
    return session->subprotocol && strstr(session->subprotocol, "base64.channel.k8s.io");
}

static void add_bytes(const struct wsx_json *json, tvbuff_t *tvb, int length, bool text) {
    if (!json->tree || !length)
        return;
    proto_tree_add_item(json->tree, hf_data, tvb, 0, length, ENC_NA);
    if (text)
        proto_tree_add_item(json->tree, hf_text, tvb, 0, length, ENC_UTF_8);
}

static int json_start(const struct wsx_json *json, tvbuff_t *tvb, struct wsx_value *document) {
    int length = (int)tvb_captured_length(tvb);
    size_t bad;
    if (length &&
        wsx_value_read(WSX_JSON, tvb_get_ptr(tvb, 0, length), (size_t)length, document, &bad) &&
        document->type == WSX_OBJECT)
        return length;
    wsx_json_malformed(json, "The channel's bytes are no JSON object");
    memset(document, 0, sizeof *document);
    return 0;
}

/* {"Width":80,"Height":24} */
static const char *resize(struct wsx_json *json, tvbuff_t *tvb) {
    struct wsx_value document;
    uint64_t width, height;
    if (!json_start(json, tvb, &document))
        return "resize";
    struct wsx_value first = wsx_value_member(&document, "Width");
    struct wsx_value second = wsx_value_member(&document, "Height");
    if (!wsx_value_unsigned(&first, &width) || !wsx_value_unsigned(&second, &height)) {
        wsx_json_malformed(json, "The terminal's size has no Width or no Height");
        return "resize";
    }
    proto_tree_add_uint64(json->tree, hf_width, tvb, (int)first.begin,
                          (int)(first.end - first.begin), width);
    proto_tree_add_uint64(json->tree, hf_height, tvb, (int)second.begin,
                          (int)(second.end - second.begin), height);
    wsx_app_json(tvb, 0, (int)tvb_captured_length(tvb), json->pinfo, json->top);
    return wmem_strdup_printf(json->pinfo->pool, "resize %" PRIu64 "x%" PRIu64, width, height);
}

/* The exit code in {"details":{"causes":[{"reason":"ExitCode","message":"1"}]}}; ABSENT: none. */
static struct wsx_value exit_code(const struct wsx_value *document) {
    struct wsx_value details = wsx_value_member(document, "details"), cause, code = {0};
    struct wsx_value causes = wsx_value_member(&details, "causes");
    struct wsx_walk walk;
    wsx_walk_begin(&walk, &causes);
    while (causes.type == WSX_ARRAY && wsx_walk_next(&walk, NULL, &cause)) {
        struct wsx_value reason = wsx_value_member(&cause, "reason");
        if (wsx_value_is(&reason, "ExitCode"))
            code = wsx_value_member(&cause, "message");
    }
    return code;
}

/* The end of the command: a Status object. */
static const char *status(struct wsx_json *json, tvbuff_t *tvb) {
    static const char *const names[] = {"status", "reason", "message"};
    int *const fields[] = {&hf_status, &hf_reason, &hf_message};
    struct wsx_value document, values[3];
    if (!json_start(json, tvb, &document))
        return "error";
    wsx_value_members(&document, names, values, 3);
    struct wsx_value code = exit_code(&document);
    struct wsx_json inner = *json;
    inner.tvb = tvb;
    for (int i = 0; i < 3; i++)
        wsx_json_add_text(&inner, json->tree, *fields[i], &values[i]);
    const char *number = wsx_json_text(json, &code);
    uint64_t exited = number ? g_ascii_strtoull(number, NULL, 10) : 0;
    if (json->tree && number && exited <= UINT32_MAX)
        proto_tree_add_uint(json->tree, hf_exit_code, tvb, (int)code.begin,
                            (int)(code.end - code.begin), (unsigned)exited);
    wsx_app_json(tvb, 0, (int)tvb_captured_length(tvb), json->pinfo, json->top);
    const char *word = wsx_json_text(json, &values[0]);
    return wmem_strdup_printf(json->pinfo->pool, "status %s%s%s", word ? word : "?",
                              number ? ", exit code " : "", number ? number : "");
}

static const char *close_channel(struct wsx_json *json, tvbuff_t *tvb) {
    if (tvb_captured_length(tvb) != 1) {
        wsx_json_malformed(json, "A close names one channel, in one byte");
        return "close";
    }
    proto_tree_add_item(json->tree, hf_closed, tvb, 0, 1, ENC_BIG_ENDIAN);
    return wmem_strdup_printf(
        json->pinfo->pool, "close %s",
        val_to_str_const(tvb_get_uint8(tvb, 0), channel_names, "of an unknown channel"));
}

static const char *stream(struct wsx_json *json, tvbuff_t *tvb, unsigned channel) {
    int length = (int)tvb_captured_length(tvb);
    add_bytes(json, tvb, length, true);
    const char *preview = length ? wsx_preview(json->pinfo->pool, tvb_get_ptr(tvb, 0, length),
                                               (size_t)length, PREVIEW_BYTES)
                                 : "";
    return wmem_strdup_printf(json->pinfo->pool, "%s %s",
                              val_to_str_const(channel, channel_names, "?"), preview);
}

/* The port of a channel, first pass; the first message from the server on each is its number. */
static const struct port *port_of(struct wsx_json *json, tvbuff_t *tvb, unsigned channel) {
    if (!json->app->first_pass)
        return wsx_app_kept(json->app);
    struct state *state = wsx_app_state(json->app, sizeof *state);
    struct port *port = wmem_new0(wsx_app_scope(), struct port);
    bool *told = &state->told[json->app->direction][channel];
    port->told_here = !*told && json->app->direction == WSX_SERVER_TO_CLIENT &&
                      json->app->session->request_packet && tvb_captured_length(tvb) == 2;
    if (port->told_here)
        state->port[channel] = tvb_get_letohs(tvb, 0);
    *told = true;
    port->number = state->port[channel];
    return port;
}

static const char *forwarded(struct wsx_json *json, tvbuff_t *tvb, unsigned channel,
                             const struct port *port) {
    int length = (int)tvb_captured_length(tvb);
    const char *what = channel & 1 ? "error" : "data";
    if (json->tree && port && port->number) {
        proto_item *item =
            proto_tree_add_uint(json->tree, hf_port, tvb, 0, port->told_here ? 2 : 0, port->number);
        if (!port->told_here)
            proto_item_set_generated(item);
    }
    if (!port || !port->told_here)
        add_bytes(json, tvb, length, (channel & 1) != 0);
    if (port && port->told_here)
        return wmem_strdup_printf(json->pinfo->pool, "%s channel %u is port %u", what, channel,
                                  port->number);
    return wmem_strdup_printf(json->pinfo->pool, "port %u %s, %d bytes", port ? port->number : 0,
                              what, length);
}

static void one_message(struct wsx_json *json, tvbuff_t *tvb, unsigned channel) {
    struct wsx_app_event event = {.role = WSX_APP_ALONE};
    bool ports = forwards_ports(json->app->session) && channel != CHANNEL_CLOSE;
    if (json->tree) {
        proto_item *item = proto_tree_add_uint(json->tree, hf_channel, json->tvb, 0, 1, channel);
        if (ports)
            proto_item_set_text(item, "Channel: %u", channel);
    }
    event.type = ports ? (channel & 1 ? "error" : "data")
                       : val_to_str_const(channel, channel_names, "malformed");
    if (ports) {
        const struct port *port = port_of(json, tvb, channel);
        event.kept = port;
        event.info = forwarded(json, tvb, channel, port);
        if (port && port->number)
            event.name = wmem_strdup_printf(json->pinfo->pool, "port %u", port->number);
    } else if (channel == CHANNEL_CLOSE) {
        event.info = close_channel(json, tvb);
    } else if (channel == CHANNEL_RESIZE) {
        event.info = resize(json, tvb);
    } else if (channel == CHANNEL_ERROR) {
        event.info = tvb_captured_length(tvb) ? status(json, tvb) : "error, nothing";
    } else if (channel <= CHANNEL_STDERR) {
        event.info = stream(json, tvb, channel);
    } else {
        wsx_json_malformed(json, "There is no channel %u", channel);
        event.info = wmem_strdup_printf(json->pinfo->pool, "channel %u", channel);
    }
    event.shown =
        WSX_APP_NAME_SHOWN |
        (strcmp(event.type, val_to_str_const(channel, channel_names, "")) == 0 ? WSX_APP_TYPE_SHOWN
                                                                               : 0u);
    wsx_json_report(json, &event, NULL);
}

static void malformed(struct wsx_json *json, const char *problem) {
    wsx_json_malformed(json, "%s", problem);
    wsx_json_report_malformed(json, NULL);
}

static bool is_base64_text(const char *text) {
    size_t digits = 0;
    while (g_ascii_isalnum(text[digits]) || text[digits] == '+' || text[digits] == '/')
        digits++;
    size_t padding = strspn(text + digits, "=");
    return !text[digits + padding] && padding <= 2 && (digits + padding) % 4 == 0;
}

/* A digit, then base64. */
static void text_message(struct wsx_json *json) {
    gsize length = 0;
    if (!g_ascii_isdigit(json->bytes[0])) {
        malformed(json, "The first character is no channel");
        return;
    }
    char *text = wmem_strndup(json->pinfo->pool, (const char *)json->bytes + 1, json->length - 1);
    if (!is_base64_text(text))
        wsx_json_malformed(json, "What stands behind the channel is no base64");
    if (*text)
        g_base64_decode_inplace(text, &length);
    tvbuff_t *tvb =
        tvb_new_child_real_data(json->tvb, (const uint8_t *)text, (unsigned)length, (int)length);
    add_new_data_source(json->pinfo, tvb, "Channel's bytes");
    one_message(json, tvb, (unsigned)(json->bytes[0] - '0'));
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    struct wsx_json json;
    int length = (int)tvb_captured_length(tvb);
    wsx_json_begin(&json, &protocol, tvb, pinfo, tree, data);
    if (!length)
        malformed(&json, "An empty message has no channel");
    else if (is_base64(json.app->session))
        text_message(&json);
    else
        one_message(&json, tvb_new_subset_remaining(tvb, 1), json.bytes[0]);
    return length;
}

/* The two messages that nothing else sends: a terminal's size, and the Status that ends a command.
 */
static bool tells(const uint8_t *bytes, size_t length) {
    static const char *const names[] = {"Width", "Height", "metadata", "status"};
    struct wsx_value document, values[4];
    uint64_t number;
    size_t bad;
    if (length < 2 || (bytes[0] != CHANNEL_ERROR && bytes[0] != CHANNEL_RESIZE) ||
        bytes[1] != '{' || !wsx_value_read(WSX_JSON, bytes + 1, length - 1, &document, &bad))
        return false;
    wsx_value_members(&document, names, values, array_length(names));
    if (bytes[0] == CHANNEL_RESIZE)
        return wsx_value_unsigned(&values[0], &number) && wsx_value_unsigned(&values[1], &number);
    return values[2].type == WSX_OBJECT &&
           (wsx_value_is(&values[3], "Success") || wsx_value_is(&values[3], "Failure"));
}

/* Without a token: by the API's own paths, or by a message that tells. */
static bool sniff(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction _U_) {
    const char *uri = session->uri;
    if (!text && tells(bytes, length))
        return true;
    return uri && !text && strstr(uri, "/api/v1/namespaces/") && strstr(uri, "/pods/") &&
           (path_ends(session, "/exec") || path_ends(session, "/attach") ||
            forwards_ports(session)) &&
           (!length || bytes[0] <= CHANNEL_RESIZE || bytes[0] == CHANNEL_CLOSE);
}

#define STRING(field, title, name, help)                                                           \
    {                                                                                              \
        &(field), { title, name, FT_STRING, BASE_NONE, NULL, 0, help, HFILL }                      \
    }

static void register_protocol(void) {
    static hf_register_info fields[] = {
        {&hf_channel,
         {"Channel", "kubernetes.channel", FT_UINT8, BASE_DEC, VALS(channel_names), 0,
          "The first byte: which stream of the command, or which port, the rest belongs to",
          HFILL}},
        {&hf_data,
         {"Data", "kubernetes.data", FT_BYTES, BASE_NONE, NULL, 0, "What stands behind the channel",
          HFILL}},
        STRING(hf_text, "Text", "kubernetes.text", "The same as text"),
        {&hf_width,
         {"Width", "kubernetes.resize.width", FT_UINT64, BASE_DEC, NULL, 0,
          "Columns of the user's terminal", HFILL}},
        {&hf_height,
         {"Height", "kubernetes.resize.height", FT_UINT64, BASE_DEC, NULL, 0,
          "Lines of the user's terminal", HFILL}},
        STRING(hf_status, "Status", "kubernetes.status",
               "Success or Failure, when the command has ended"),
        STRING(hf_reason, "Reason", "kubernetes.reason", "Why it failed, in a word"),
        STRING(hf_message, "Message", "kubernetes.message", "Why it failed, in a sentence"),
        {&hf_exit_code,
         {"Exit code", "kubernetes.exit_code", FT_UINT32, BASE_DEC, NULL, 0,
          "What the command returned; not there for success", HFILL}},
        {&hf_closed,
         {"Closed channel", "kubernetes.closed_channel", FT_UINT8, BASE_DEC, VALS(channel_names), 0,
          "Channel that the sender will not use any more (v5)", HFILL}},
        {&hf_port,
         {"Port", "kubernetes.port", FT_UINT16, BASE_DEC, NULL, 0,
          "The pod's port behind this channel", HFILL}},
    };
    protocol.fields = fields;
    protocol.field_count = array_length(fields);
    wsx_json_register(&protocol);
}

static struct wsx_json_protocol protocol = {
    .title = "Kubernetes channels over WebSocket",
    .short_title = "Kubernetes",
    .filter = "kubernetes",
    .dissector = "wsx_kubernetes",
    .dissect = dissect,
};

static const char *const tokens[] = {
    "channel.k8s.io",           "v2.channel.k8s.io",        "v3.channel.k8s.io",
    "v4.channel.k8s.io",        "v5.channel.k8s.io",        "base64.channel.k8s.io",
    "v4.base64.channel.k8s.io", "v5.base64.channel.k8s.io", NULL};

const struct wsx_app_protocol wsx_kubernetes_app = {
    .name = "Kubernetes",
    .dissector = "wsx_kubernetes",
    .tokens = tokens,
    .sniff = sniff,
    .no_object = true,
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};
