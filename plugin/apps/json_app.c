/*
 * json_app.c - what the dissectors of protocols made of JSON share; see json_app.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_app.h"

#include <string.h>

static void register_malformed(struct wsx_json_protocol *protocol) {
    wmem_allocator_t *scope = wmem_epan_scope();
    ei_register_info *item = wmem_new0(scope, ei_register_info); /* Wireshark keeps it */
    item->ids = &protocol->malformed;
    item->eiinfo.name = wmem_strdup_printf(scope, "%s.expert.malformed", protocol->filter);
    item->eiinfo.group = PI_PROTOCOL; /* PI_MALFORMED is for broken dissection */
    item->eiinfo.severity = PI_ERROR;
    item->eiinfo.summary = "The message is not what its protocol asks for";
    expert_register_field_array(expert_register_protocol(protocol->proto), item, 1);
}

void wsx_json_register(struct wsx_json_protocol *protocol) {
    int *subtrees[] = {&protocol->ett};
    protocol->ett = -1;
    protocol->malformed = (expert_field)EI_INIT;
    protocol->proto =
        proto_register_protocol(protocol->title, protocol->short_title, protocol->filter);
    proto_register_field_array(protocol->proto, protocol->fields, protocol->field_count);
    proto_register_subtree_array(subtrees, 1);
    register_malformed(protocol);
    register_dissector(protocol->dissector, protocol->dissect, protocol->proto);
}

void wsx_json_begin(struct wsx_json *json, const struct wsx_json_protocol *protocol, tvbuff_t *tvb,
                    packet_info *pinfo, proto_tree *tree, void *data) {
    unsigned length = tvb_captured_length(tvb);
    memset(json, 0, sizeof *json);
    json->protocol = protocol;
    json->app = data;
    json->tvb = tvb;
    json->pinfo = pinfo;
    json->top = tree;
    json->bytes = length ? tvb_get_ptr(tvb, 0, (int)length) : (const uint8_t *)"";
    json->length = length;
    json->tree = wsx_app_tree(json->app, protocol->proto, protocol->ett, tvb, 0, (int)length, tree,
                              &json->item);
}

bool wsx_json_open(struct wsx_json *json, const struct wsx_json_protocol *protocol,
                   enum wsx_notation notation, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                   void *data) {
    static const char *const names[] = {"JSON", "MessagePack", "CBOR"};
    size_t bad;
    wsx_json_begin(json, protocol, tvb, pinfo, tree, data);
    if (wsx_value_read(notation, json->bytes, json->length, &json->document, &bad))
        return true;
    if (bad >= json->length)
        wsx_json_malformed(json, "It is no %s: it ends too early, after %zu bytes", names[notation],
                           json->length);
    else
        wsx_json_malformed(json, "It is no %s: byte %zu (0x%02x) can't stand there",
                           names[notation], bad + 1, json->bytes[bad]);
    wsx_json_report_malformed(json, NULL);
    return false;
}

void wsx_json_draw(const struct wsx_json *json, const struct wsx_value *value) {
    int offset = (int)value->begin, length = (int)(value->end - value->begin);
    if (!json->top)
        return;
    if (value->notation == WSX_JSON)
        wsx_app_json(json->tvb, offset, length, json->pinfo, json->top);
    else
        wsx_app_call(value->notation == WSX_MSGPACK ? "msgpack" : "cbor", json->tvb, offset, length,
                     json->pinfo, json->top);
}

void wsx_json_malformed(const struct wsx_json *json, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = wmem_strdup_vprintf(json->pinfo->pool, format, arguments);
    va_end(arguments);
    /* Wireshark asks for a pointer to what it only reads. */
    expert_field malformed = json->protocol->malformed;
    expert_add_info_format(json->pinfo, json->item, &malformed, "%s", text);
}

const struct wsx_app_unit *wsx_json_report(struct wsx_json *json, struct wsx_app_event *event,
                                           const struct wsx_value *value) {
    event->offset = value ? (int)value->begin : 0;
    event->length = (int)(value ? value->end - value->begin : json->length);
    return wsx_app_report(json->app, json->pinfo, json->tvb, json->tree, event);
}

void wsx_json_report_malformed(struct wsx_json *json, const struct wsx_value *value) {
    struct wsx_app_event event = {.type = "malformed"};
    wsx_json_report(json, &event, value);
}

void wsx_json_add_text(const struct wsx_json *json, proto_tree *tree, int field,
                       const struct wsx_value *value) {
    if (tree && value->type != WSX_ABSENT)
        proto_tree_add_string(tree, field, json->tvb, (int)value->begin,
                              (int)(value->end - value->begin),
                              wsx_value_text(json->pinfo->pool, value, ITEM_LABEL_LENGTH * 16));
}

void wsx_json_add_number(const struct wsx_json *json, proto_tree *tree, int field,
                         const struct wsx_value *value) {
    uint64_t number;
    if (tree && wsx_value_unsigned(value, &number))
        proto_tree_add_uint64(tree, field, json->tvb, (int)value->begin,
                              (int)(value->end - value->begin), number);
}

void wsx_json_add_known(const struct wsx_json *json, proto_tree *tree, int field,
                        const char *text) {
    if (tree && text)
        proto_item_set_generated(proto_tree_add_string(tree, field, json->tvb, 0, 0, text));
}

void wsx_json_add_packet(const struct wsx_json *json, proto_tree *tree, int field,
                         uint32_t packet) {
    if (tree && packet)
        proto_item_set_generated(proto_tree_add_uint(tree, field, json->tvb, 0, 0, packet));
}

const char *wsx_json_text(const struct wsx_json *json, const struct wsx_value *value) {
    return wsx_value_text(json->pinfo->pool, value, WSX_VALUE_LINE);
}

const char *wsx_json_key(const struct wsx_json *json, const struct wsx_value *value) {
    const char *text = wsx_value_text(json->pinfo->pool, value, WSX_JSON_ID_MAX);
    return text && value->type != WSX_STRING
               ? wmem_strdup_printf(json->pinfo->pool, "number %s", text)
               : text;
}

wmem_map_t *wsx_json_map(wmem_map_t **map) {
    if (!*map)
        *map = wmem_map_new(wsx_app_scope(), g_str_hash, g_str_equal);
    return *map;
}
