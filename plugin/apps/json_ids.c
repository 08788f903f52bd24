/*
 * json_ids.c - drawing and reporting for the protocol "JSON with ids"; see json_ids.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_ids.h"

#include <string.h>

static int hf_dialect = -1, hf_type = -1, hf_id = -1, hf_name = -1, hf_topic = -1, hf_payload = -1,
           hf_status = -1, hf_error = -1, hf_parent_in = -1;

#define STRING(field, title, name, help)                                                           \
    {                                                                                              \
        &(field), { title, name, FT_STRING, BASE_NONE, NULL, 0, help, HFILL }                      \
    }

static hf_register_info fields[] = {
    STRING(hf_dialect, "Protocol", "jsonids.protocol", "Phoenix, ActionCable, DevTools or Jupyter"),
    STRING(hf_type, "Type", "jsonids.type", "What the message is, in the word of its protocol"),
    STRING(hf_id, "Id", "jsonids.id", "What a request and its answer share"),
    STRING(hf_name, "Name", "jsonids.name",
           "Of the event, method or channel; of an answer: that of its request"),
    STRING(hf_topic, "Topic or session", "jsonids.topic",
           "Topic of Phoenix, identifier of Action Cable, session of DevTools, channel of Jupyter"),
    STRING(hf_payload, "Payload", "jsonids.payload", "JSON as sent"),
    STRING(hf_status, "Status", "jsonids.status",
           "ok or error of a reply; in Jupyter also whether the kernel is busy"),
    STRING(hf_error, "Error", "jsonids.error", "What went wrong, in the words of the other side"),
    {&hf_parent_in,
     {"Request in", "jsonids.parent_in", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_REQUEST),
      0, "The request that this message came from; it was answered before", HFILL}},
};

struct wsx_json_protocol wsx_ids_protocol = {
    .title = "JSON messages with ids",
    .short_title = "JSON with ids",
    .filter = "jsonids",
    .fields = fields,
    .field_count = array_length(fields),
};

void wsx_ids_register(const char *dissector, dissector_t dissect) {
    if (!wsx_ids_protocol.dissect) {
        wsx_ids_protocol.dissector = dissector;
        wsx_ids_protocol.dissect = dissect;
        wsx_json_register(&wsx_ids_protocol);
    } else {
        register_dissector(dissector, dissect, wsx_ids_protocol.proto);
    }
}

struct wsx_value wsx_ids_slice(const uint8_t *bytes, size_t begin, size_t length) {
    /* A MessagePack string's characters stand as they are; JSON's have escapes. */
    struct wsx_value value = {WSX_STRING, WSX_MSGPACK, bytes, begin, begin + length, begin, 0};
    return value;
}

static void draw(const struct wsx_json *json, const struct wsx_ids_unit *unit, const char *name) {
    proto_tree *tree = json->tree;
    if (!tree)
        return;
    proto_item_set_text(json->item, "%s", json->app->protocol->name);
    wsx_json_add_known(json, tree, hf_dialect, json->app->protocol->name);
    wsx_json_add_known(json, tree, hf_type, unit->type);
    wsx_json_add_known(json, tree, hf_name, name);
    wsx_json_add_text(json, tree, hf_id, &unit->id);
    wsx_json_add_text(json, tree, hf_topic, &unit->topic);
    wsx_json_add_text(json, tree, hf_status, &unit->status);
    wsx_json_add_text(json, tree, hf_error, &unit->error);
    wsx_json_add_text(json, tree, hf_payload, &unit->payload);
    wsx_json_add_packet(json, tree, hf_parent_in, unit->parent);
}

/* Whether what it is matched by stands among its own fields: not when it is another message's id.
 */
static bool is_drawn(const struct wsx_json *json, const struct wsx_ids_unit *unit) {
    const char *topic = wsx_value_text(json->pinfo->pool, &unit->topic, WSX_JSON_ID_MAX);
    return !unit->match || (topic && strcmp(unit->match, topic) == 0);
}

void wsx_ids_report(struct wsx_json *json, const struct wsx_ids_unit *unit, const char *problem) {
    struct wsx_app_event event = {.role = unit->role, .name = unit->name, .kept = unit->kept};
    const char *name = unit->name ? unit->name : unit->parent_name;
    if (problem)
        wsx_json_malformed(json, "%s", problem);
    event.type = unit->type ? unit->type : "malformed";
    event.space = unit->space;
    event.optional = unit->optional;
    event.id =
        unit->match ? unit->match : wsx_value_text(json->pinfo->pool, &unit->id, WSX_JSON_ID_MAX);
    if (!event.id)
        event.role = WSX_APP_ALONE;
    if (event.role == WSX_APP_ANSWER || event.role == WSX_APP_PARTIAL) {
        const struct wsx_app_unit *request = wsx_app_request_of(json->app, event.space, event.id);
        if (request && request->name)
            name = request->name;
    }
    draw(json, unit, name);
    const char *status = wsx_json_text(json, &unit->status);
    const char *error = wsx_json_text(json, &unit->error);
    event.info = wmem_strdup_printf(json->pinfo->pool, "%s%s%s%s%s%s%s", event.type,
                                    name ? " " : "", name ? name : "", status ? " " : "",
                                    status ? status : "", error ? ": " : "", error ? error : "");
    event.shown = (unit->type ? WSX_APP_TYPE_SHOWN : 0u) | WSX_APP_NAME_SHOWN |
                  (is_drawn(json, unit) ? WSX_APP_ID_SHOWN : 0u);
    wsx_json_report(json, &event, NULL);
}
