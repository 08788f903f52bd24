/*
 * json_jupyter.c - Jupyter's messages between a notebook and its kernel, by way of the server:
 * objects with header, parent_header, metadata, content and channel. A request's id is in its
 * header, and in the parent_header of all that comes of it: first the kernel is busy, then output,
 * the reply, and idle again, the last two in any order.
 *
 * Three forms on the wire: text; binary with the offsets of the JSON and its buffers in front; and
 * the token v1.kernel.websocket.jupyter.org, whose parts lie one behind the other.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_ids.h"

#include <string.h>

enum { JU_CHANNEL, JU_HEADER, JU_PARENT, JU_METADATA, JU_CONTENT, JU_COUNT };
static const char *const part_names[] = {"channel", "header", "parent_header", "metadata",
                                         "content"};
/* A message has five parts; each buffer is one more. */
#define OFFSETS_MAX 100000

/* A request that was seen. File scope. */
struct parent {
    uint32_t packet;
    const char *name;
};
struct state {
    wmem_map_t *requests; /* by id */
};

/* "execute_request" -> "execute" */
static const char *stem(wmem_allocator_t *pool, const char *type, const char *suffix) {
    return g_str_has_suffix(type, suffix) ? wmem_strndup(pool, type, strlen(type) - strlen(suffix))
                                          : NULL;
}

/* The request that a message came from. */
static const struct parent *find_parent(struct wsx_json *json, const char *id) {
    if (!json->app->first_pass)
        return wsx_app_kept(json->app);
    struct state *state = wsx_app_state(json->app, sizeof *state);
    return id && state->requests ? wmem_map_lookup(state->requests, id) : NULL;
}

static void keep_request(struct wsx_json *json, const char *id, const char *name) {
    struct state *state = wsx_app_state(json->app, sizeof *state);
    struct parent *parent = wmem_new(wsx_app_scope(), struct parent);
    parent->packet = json->app->packet;
    parent->name = wmem_strdup(wsx_app_scope(), name);
    wmem_map_insert(wsx_json_map(&state->requests), wmem_strdup(wsx_app_scope(), id), parent);
}

static void place(struct wsx_json *json, const struct wsx_value *parent_id,
                  struct wsx_ids_unit *unit) {
    wmem_allocator_t *pool = json->pinfo->pool;
    const char *id = wsx_value_text(pool, &unit->id, WSX_JSON_ID_MAX);
    if ((unit->name = stem(pool, unit->type, "_request"))) {
        unit->role = WSX_APP_REQUEST;
        if (json->app->first_pass && id)
            keep_request(json, id, unit->name);
        return;
    }
    if (parent_id->type != WSX_STRING)
        return;
    unit->match = wsx_value_text(pool, parent_id, WSX_JSON_ID_MAX);
    unit->role = stem(pool, unit->type, "_reply") ? WSX_APP_ANSWER : WSX_APP_PARTIAL;
    const struct wsx_app_unit *open = wsx_app_request_of(json->app, NULL, unit->match);
    const struct parent *parent = find_parent(json, unit->match);
    unit->kept = parent;
    if (open || (unit->role == WSX_APP_ANSWER && !parent))
        return;
    unit->role = WSX_APP_ALONE; /* answered before, or what another client asked for */
    if (parent) {
        unit->parent = parent->packet;
        unit->parent_name = parent->name;
    }
}

static const char *read_parts(struct wsx_json *json, const struct wsx_value *parts,
                              struct wsx_ids_unit *unit) {
    struct wsx_value type = wsx_value_member(&parts[JU_HEADER], "msg_type");
    struct wsx_value parent_id = wsx_value_member(&parts[JU_PARENT], "msg_id");
    unit->id = wsx_value_member(&parts[JU_HEADER], "msg_id");
    unit->topic = parts[JU_CHANNEL];
    unit->payload = parts[JU_CONTENT];
    if (type.type != WSX_STRING || unit->id.type != WSX_STRING)
        return "The header has no msg_id or no msg_type";
    unit->type = wsx_json_text(json, &type);
    unit->status = wsx_value_member(&parts[JU_CONTENT], "status");
    if (unit->status.type == WSX_ABSENT)
        unit->status = wsx_value_member(&parts[JU_CONTENT], "execution_state");
    unit->error = wsx_value_member(&parts[JU_CONTENT], "ename");
    place(json, &parent_id, unit);
    return NULL;
}

static uint64_t little_endian(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* Binary with the token: count and offsets of 64 bits, little-endian. */
static const char *read_v1(const struct wsx_json *json, struct wsx_value *parts) {
    const uint8_t *bytes = json->bytes;
    size_t bad;
    uint64_t count = json->length >= 8 ? little_endian(bytes) : 0;
    if (count <= JU_COUNT || count > OFFSETS_MAX || json->length < 8 * (count + 1))
        return "It has too few offsets";
    for (size_t i = 0; i < JU_COUNT; i++) {
        uint64_t begin = little_endian(bytes + 8 * (i + 1));
        uint64_t end = little_endian(bytes + 8 * (i + 2));
        if (begin > end || end > json->length)
            return "An offset lies outside the message";
        parts[i] = wsx_ids_slice(bytes, (size_t)begin, (size_t)(end - begin));
        if (i == JU_CHANNEL)
            continue;
        if (!wsx_value_read(WSX_JSON, bytes + begin, (size_t)(end - begin), &parts[i], &bad))
            return "A part is no JSON";
        /* The value's places are those of the message. */
        parts[i].bytes = bytes;
        parts[i].begin += (size_t)begin;
        parts[i].end += (size_t)begin;
        parts[i].inner += (size_t)begin;
    }
    return NULL;
}

/* Binary without it: count and offsets of 32 bits, big-endian; the first part is the JSON. */
static const char *read_buffers(const struct wsx_json *json, struct wsx_value *parts) {
    tvbuff_t *tvb = json->tvb;
    struct wsx_value document;
    size_t bad;
    uint32_t count = json->length >= 8 ? tvb_get_ntohl(tvb, 0) : 0;
    if (!count || count > OFFSETS_MAX || json->length < 4 * ((size_t)count + 1))
        return "It has no offsets";
    size_t begin = tvb_get_ntohl(tvb, 4);
    size_t end = count > 1 ? tvb_get_ntohl(tvb, 8) : json->length;
    if (begin > end || end > json->length)
        return "An offset lies outside the message";
    if (!wsx_value_read(WSX_JSON, json->bytes + begin, end - begin, &document, &bad))
        return "The first part is no JSON";
    document.bytes = json->bytes;
    document.begin += begin;
    document.end += begin;
    document.inner += begin;
    wsx_value_members(&document, part_names, parts, JU_COUNT);
    return NULL;
}

static bool is_v1(const struct wsx_session *session) {
    return session->subprotocol && g_str_has_prefix(session->subprotocol, "v1.kernel.websocket");
}

static int dissect(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data) {
    const struct wsx_app *app = data;
    struct wsx_json json;
    struct wsx_value parts[JU_COUNT] = {{0}};
    struct wsx_ids_unit unit = {0};
    const char *problem;
    if (!app->text) {
        wsx_json_begin(&json, &wsx_ids_protocol, tvb, pinfo, tree, data);
        problem = is_v1(app->session) ? read_v1(&json, parts) : read_buffers(&json, parts);
        if (!problem)
            problem = read_parts(&json, parts, &unit);
        wsx_ids_report(&json, &unit, problem);
        if (unit.payload.type != WSX_ABSENT)
            wsx_json_draw(&json, &unit.payload);
    } else if (wsx_json_open(&json, &wsx_ids_protocol, WSX_JSON, tvb, pinfo, tree, data)) {
        wsx_value_members(&json.document, part_names, parts, JU_COUNT);
        problem = read_parts(&json, parts, &unit);
        wsx_ids_report(&json, &unit, problem);
        wsx_json_draw(&json, &json.document);
    }
    return (int)tvb_captured_length(tvb);
}

/* By the path, else by a header with msg_id and msg_type. */
static bool sniff(const struct wsx_session *session, const uint8_t *bytes, size_t length, bool text,
                  enum wsx_direction direction _U_) {
    struct wsx_value document;
    size_t bad;
    const char *uri = session->uri;
    if (uri && strstr(uri, "/api/kernels/") && strstr(uri, "/channels"))
        return true;
    if (!text || !length || bytes[0] != '{' ||
        !wsx_value_read(WSX_JSON, bytes, length, &document, &bad))
        return false;
    struct wsx_value header = wsx_value_member(&document, "header");
    struct wsx_value id = wsx_value_member(&header, "msg_id");
    struct wsx_value type = wsx_value_member(&header, "msg_type");
    return id.type == WSX_STRING && type.type == WSX_STRING;
}

static void register_protocol(void) { wsx_ids_register("wsx_jupyter", dissect); }

static const char *const tokens[] = {"v1.kernel.websocket.jupyter.org", NULL};

const struct wsx_app_protocol wsx_jupyter_app = {
    .name = "Jupyter",
    .dissector = "wsx_jupyter",
    .tokens = tokens,
    .sniff = sniff,
    .member = "msg_id",
    .uri_part = "/api/kernels/",
    .mode = WSX_MODE_MESSAGE,
    .register_protocol = register_protocol,
};
