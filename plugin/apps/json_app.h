/*
 * json_app.h - what the dissectors of protocols made of JSON (or of MessagePack and CBOR) share:
 * registration, reading a message, fields from values, the expert item "malformed".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_APPS_JSON_APP_H
#define WSX_APPS_JSON_APP_H

#include "apps.h"
#include "json_value.h"

/* What a protocol registers. Static; `proto`, `ett` and `malformed` are set by
 * wsx_json_register. */
struct wsx_json_protocol {
    const char *title, *short_title, *filter;
    const char *dissector; /* as in struct wsx_app_protocol */
    dissector_t dissect;
    hf_register_info *fields;
    int field_count;
    int proto, ett;
    expert_field malformed;
};
void wsx_json_register(struct wsx_json_protocol *protocol);

/* One message while it is read. Packet scope. */
struct wsx_json {
    const struct wsx_json_protocol *protocol;
    struct wsx_app *app;
    tvbuff_t *tvb;
    packet_info *pinfo;
    proto_tree *top;  /* the packet's tree; NULL: nobody looks */
    proto_tree *tree; /* the protocol's own */
    proto_item *item;
    const uint8_t *bytes;
    size_t length;
    struct wsx_value document;
};

/* Begins a message: the protocol's item and tree. data: of the dissector. Nothing is read. */
void wsx_json_begin(struct wsx_json *json, const struct wsx_json_protocol *protocol, tvbuff_t *tvb,
                    packet_info *pinfo, proto_tree *tree, void *data);
/* The same, and reads the message into json->document. False: it is no value of that notation;
 * expert item and report are made. */
bool wsx_json_open(struct wsx_json *json, const struct wsx_json_protocol *protocol,
                   enum wsx_notation notation, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                   void *data);
/* The message's full tree, by Wireshark's JSON, MessagePack or CBOR dissector. */
void wsx_json_draw(const struct wsx_json *json, const struct wsx_value *value);

/* An expert item of the protocol: what is wrong, in a sentence. */
void wsx_json_malformed(const struct wsx_json *json, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* wsx_app_report of a message of which no kind is known. value as below. */
void wsx_json_report_malformed(struct wsx_json *json, const struct wsx_value *value);
/* wsx_app_report for the value's bytes. value NULL: for the whole message. */
const struct wsx_app_unit *wsx_json_report(struct wsx_json *json, struct wsx_app_event *event,
                                           const struct wsx_value *value);

/* A field from a value; nothing for an ABSENT one or without a tree. */
void wsx_json_add_text(const struct wsx_json *json, proto_tree *tree, int field,
                       const struct wsx_value *value);
void wsx_json_add_number(const struct wsx_json *json, proto_tree *tree, int field,
                         const struct wsx_value *value);
/* What is known of the message beside its own bytes; nothing for NULL or without a tree. */
void wsx_json_add_known(const struct wsx_json *json, proto_tree *tree, int field, const char *text);
/* A generated link to another packet; nothing for 0. */
void wsx_json_add_packet(const struct wsx_json *json, proto_tree *tree, int field, uint32_t packet);

/* A short text of a value, in packet scope; NULL for an ABSENT one. */
const char *wsx_json_text(const struct wsx_json *json, const struct wsx_value *value);
/* An id for matching: strings and numbers differ, so 1 is not "1". */
const char *wsx_json_key(const struct wsx_json *json, const struct wsx_value *value);

/* A table of the connection, made when first asked for: text to anything in file scope. Written in
 * the first pass only. */
wmem_map_t *wsx_json_map(wmem_map_t **map);

/* The longest id that is matched whole. */
#define WSX_JSON_ID_MAX 1024

/* The protocols of this family, for the list in apps.c. */
extern const struct wsx_app_protocol wsx_wamp_app, wsx_graphql_app, wsx_ocpp_app, wsx_jsonrpc_app,
    wsx_kubernetes_app, wsx_phoenix_app, wsx_actioncable_app, wsx_devtools_app, wsx_jupyter_app;

#endif
