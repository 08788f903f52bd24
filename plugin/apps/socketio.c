/*
 * socketio.c - Socket.IO 2 to 4, the layer over Engine.IO (engineio.c): connects to namespaces,
 * events and their acks, and binary attachments, which follow their event as messages of their own.
 * Written after the protocol's description in github.com/socketio/socket.io-protocol.
 *
 *   TYPE [ATTACHMENTS "-"] ["/" NAMESPACE ","] [ID] [JSON]
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "engineio.h"

#include "epan/info.h"
#include "json_value.h"

enum { CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK };

static const value_string type_names[] = {{CONNECT, "connect"},
                                          {DISCONNECT, "disconnect"},
                                          {EVENT, "event"},
                                          {ACK, "ack"},
                                          {CONNECT_ERROR, "connect_error"},
                                          {BINARY_EVENT, "binary_event"},
                                          {BINARY_ACK, "binary_ack"},
                                          {0, NULL}};

/* Attachments followed of one event; more are counted but not linked. */
#define ATTACHMENTS_MAX 1000u
/* Placeholders inside placeholders' containers. */
#define PATH_DEPTH_MAX 32u

/* An event with attachments. File scope. */
struct wsx_sio_event {
    uint32_t packet;
    const char *name;
    unsigned count, got;
    uint32_t *packets;  /* of the attachments; 0: not there (yet) */
    const char **paths; /* where each belongs, as "[1].picture" */
};

/* An attachment. File scope. */
struct attachment {
    const struct wsx_sio_event *event;
    unsigned number;
};

/* A packet's parts; offsets in the text. */
struct packet {
    unsigned type;
    uint64_t attachments;
    const char *name_space;
    size_t space_at, space_length;
    const char *id;
    size_t id_at, id_length;
    size_t json_at;
    struct wsx_value json; /* ABSENT: none */
};

static int proto, ett, hf_type = -1, hf_namespace = -1, hf_id = -1, hf_event = -1,
                       hf_attachments = -1, hf_attachment = -1, hf_number = -1, hf_path = -1,
                       hf_attachment_of = -1, hf_attachment_in = -1, hf_arguments = -1,
                       hf_reason = -1;
static expert_field ei_bad = EI_INIT, ei_stray = EI_INIT, ei_few = EI_INIT, ei_error = EI_INIT;

/* ---- reading ---- */

static size_t digits(const char *text, size_t length, size_t at) {
    size_t count = 0;
    while (at + count < length && g_ascii_isdigit(text[at + count]))
        count++;
    return count;
}

/* False: malformed. */
static bool parse(wmem_allocator_t *pool, const char *text, size_t length, struct packet *packet) {
    size_t at = 1, count, bad;
    memset(packet, 0, sizeof *packet);
    if (!length || text[0] < '0' || text[0] > '6')
        return false;
    packet->type = (unsigned)(text[0] - '0');
    if (packet->type >= BINARY_EVENT) {
        count = digits(text, length, at);
        if (!count || count > 6 || at + count >= length || text[at + count] != '-')
            return false;
        packet->attachments = g_ascii_strtoull(wmem_strndup(pool, text + at, count), NULL, 10);
        at += count + 1;
    }
    if (at < length && text[at] == '/') {
        const char *comma = memchr(text + at, ',', length - at);
        packet->space_at = at;
        packet->space_length = comma ? (size_t)(comma - text) - at : length - at;
        at += packet->space_length + (comma != NULL);
    }
    packet->name_space = packet->space_length
                             ? wmem_strndup(pool, text + packet->space_at, packet->space_length)
                             : "/";
    packet->id_at = at;
    packet->id_length = digits(text, length, at);
    if (packet->id_length)
        packet->id = wmem_strndup(pool, text + at, packet->id_length);
    at += packet->id_length;
    packet->json_at = at;
    bool needed = packet->type != CONNECT && packet->type != DISCONNECT;
    if (at == length)
        return !needed || packet->type == CONNECT_ERROR;
    return wsx_value_read(WSX_JSON, (const uint8_t *)text + at, length - at, &packet->json, &bad) &&
           (packet->json.type == WSX_ARRAY || packet->type == CONNECT ||
            packet->type == CONNECT_ERROR);
}

/* By sight alone: "40" and "41" may be numbers, "40/100" a part, "404 {}" a code and what it is
 * about, "42[1,2]" and "43[1]" anything. */
static bool is_usual(const struct packet *packet, const char *text) {
    struct wsx_value first;
    if (packet->space_length &&
        (packet->space_length < 2 || !g_ascii_isalpha(text[packet->space_at + 1])))
        return false;
    if (packet->json.type != WSX_ABSENT && packet->json.begin > 0)
        return false;
    switch (packet->type) {
    case EVENT:
    case BINARY_EVENT:
        return wsx_value_elements(&packet->json, &first, 1) && first.type == WSX_STRING;
    case ACK:
    case BINARY_ACK:
        return packet->id != NULL;
    case CONNECT:
        return !packet->id && (packet->json.type == WSX_OBJECT ||
                               (packet->json.type == WSX_ABSENT && packet->space_length));
    case CONNECT_ERROR:
        return !packet->id && packet->json.type != WSX_ABSENT;
    default:
        return !packet->id && packet->json.type == WSX_ABSENT && packet->space_length;
    }
}

bool wsx_socketio_looks(const char *text, size_t length) {
    struct packet packet;
    if (length < 2 || text[0] != '4')
        return false;
    wmem_allocator_t *pool = wmem_allocator_new(WMEM_ALLOCATOR_SIMPLE);
    bool fits = parse(pool, text + 1, length - 1, &packet) && is_usual(&packet, text + 1);
    wmem_destroy_allocator(pool);
    return fits;
}

static bool is_event(const struct packet *packet) {
    return packet->type == EVENT || packet->type == BINARY_EVENT;
}

static bool is_ack(const struct packet *packet) {
    return packet->type == ACK || packet->type == BINARY_ACK;
}

/* The event's name: the first element. */
static struct wsx_value event_name(const struct packet *packet) {
    struct wsx_value first = {0};
    if (is_event(packet))
        wsx_value_elements(&packet->json, &first, 1);
    return first;
}

/* ---- attachments; first pass ---- */

static void find_placeholders(struct wsx_sio_event *event, const struct wsx_value *container,
                              const char *path, unsigned depth, wmem_allocator_t *pool) {
    struct wsx_walk walk;
    struct wsx_value key, value;
    struct wsx_value mark = wsx_value_member(container, "_placeholder");
    struct wsx_value number = wsx_value_member(container, "num");
    uint64_t index;
    if (mark.type == WSX_BOOLEAN && wsx_value_unsigned(&number, &index)) {
        if (index < event->count)
            event->paths[index] = wmem_strdup(wsx_app_scope(), path);
        return;
    }
    wsx_walk_begin(&walk, container);
    for (unsigned i = 0; wsx_walk_next(&walk, &key, &value); i++) {
        if (depth >= PATH_DEPTH_MAX || (value.type != WSX_ARRAY && value.type != WSX_OBJECT))
            continue;
        const char *name = container->type == WSX_OBJECT
                               ? wmem_strdup_printf(pool, "%s.%s", path,
                                                    wsx_value_text(pool, &key, WSX_VALUE_LINE))
                               : wmem_strdup_printf(pool, "%s[%u]", path, i);
        find_placeholders(event, &value, name, depth + 1, pool);
    }
}

static const struct wsx_sio_event *open_event(struct wsx_app *app, const struct packet *packet,
                                              const char *name, wmem_allocator_t *pool) {
    struct wsx_eio_state *state = wsx_app_state(app, sizeof *state);
    state->open[app->direction] = NULL; /* attachments follow their event at once */
    if (packet->type < BINARY_EVENT)
        return NULL;
    struct wsx_sio_event *event = wmem_new0(wsx_app_scope(), struct wsx_sio_event);
    event->packet = app->packet;
    event->name = name ? wmem_strdup(wsx_app_scope(), name) : NULL;
    event->count = (unsigned)MIN(packet->attachments, ATTACHMENTS_MAX);
    event->packets = wmem_alloc0_array(wsx_app_scope(), uint32_t, event->count);
    event->paths = wmem_alloc0_array(wsx_app_scope(), const char *, event->count);
    find_placeholders(event, &packet->json, "", 0, pool);
    state->open[app->direction] = event->count ? event : NULL;
    return event;
}

static const struct attachment *take_attachment(struct wsx_app *app) {
    struct wsx_eio_state *state = wsx_app_state(app, sizeof *state);
    struct wsx_sio_event *event = state->open[app->direction];
    if (!event)
        return NULL;
    struct attachment *attachment = wmem_new(wsx_app_scope(), struct attachment);
    *attachment = (struct attachment){.event = event, .number = event->got};
    event->packets[event->got++] = app->packet;
    if (event->got == event->count)
        state->open[app->direction] = NULL;
    return attachment;
}

/* ---- drawing ---- */

/* Later passes: where the attachments are. */
static void draw_event(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo,
                       const struct wsx_sio_event *event) {
    for (unsigned i = 0; tree && event && i < event->got; i++) {
        proto_item *item =
            proto_tree_add_uint(tree, hf_attachment_in, tvb, 0, 0, event->packets[i]);
        proto_item_set_generated(item);
        if (event->paths[i])
            proto_item_append_text(item, " (%s)", wsx_shown(pinfo->pool, event->paths[i]));
    }
    if (event && event->got < event->count)
        proto_tree_add_expert(tree, pinfo, &ei_few, tvb, 0, 0);
}

static void draw_packet(proto_tree *tree, tvbuff_t *tvb, int at, packet_info *pinfo,
                        proto_tree *top, const struct packet *packet) {
    if (!tree)
        return;
    proto_tree_add_uint(tree, hf_type, tvb, at, 1, packet->type);
    if (packet->type >= BINARY_EVENT)
        proto_tree_add_uint(tree, hf_attachments, tvb, at + 1, 1, (uint32_t)packet->attachments);
    proto_item *space = proto_tree_add_string(tree, hf_namespace, tvb, at + (int)packet->space_at,
                                              (int)packet->space_length, packet->name_space);
    if (!packet->space_length)
        proto_item_set_generated(space);
    if (packet->id)
        proto_tree_add_string(tree, hf_id, tvb, at + (int)packet->id_at, (int)packet->id_length,
                              packet->id);
    if (packet->json.type == WSX_ABSENT)
        return;
    int json_at = at + (int)packet->json_at;
    int length = (int)tvb_captured_length(tvb) - json_at;
    struct wsx_value name = event_name(packet);
    if (name.type == WSX_STRING)
        proto_tree_add_string(tree, hf_event, tvb, json_at + (int)name.begin,
                              (int)(name.end - name.begin),
                              wsx_value_text(pinfo->pool, &name, WSX_VALUE_LINE));
    if (packet->type == CONNECT_ERROR) {
        struct wsx_value reason = wsx_value_member(&packet->json, "message");
        if (reason.type == WSX_ABSENT)
            reason = packet->json;
        proto_tree_add_string(tree, hf_reason, tvb, json_at + (int)reason.begin,
                              (int)(reason.end - reason.begin),
                              wsx_value_text(pinfo->pool, &reason, WSX_VALUE_LINE));
    }
    proto_tree_add_item(tree, hf_arguments, tvb, json_at, length, ENC_UTF_8);
    wsx_app_json(tvb, json_at, length, pinfo, top);
}

/* ---- what a packet is ---- */

static void set_role(struct wsx_app *app, const struct packet *packet, struct wsx_app_event *event,
                     wmem_allocator_t *pool) {
    if (is_event(packet)) {
        event->role = packet->id ? WSX_APP_REQUEST : WSX_APP_ALONE;
    } else if (is_ack(packet)) {
        event->role = packet->id ? WSX_APP_ANSWER : WSX_APP_ALONE;
    } else {
        /* the id of a connect is its namespace, up to version 2 without the query that the client
         * sends behind it; up to then the server connects "/" unasked */
        event->space = "connect";
        event->id = wmem_strndup(pool, packet->name_space, strcspn(packet->name_space, "?"));
        event->silent_id = true;
        event->name = packet->name_space;
        if (packet->type == DISCONNECT)
            event->role = WSX_APP_ALONE;
        else if (app->direction == WSX_CLIENT_TO_SERVER)
            event->role = WSX_APP_REQUEST;
        else if (wsx_app_request_of(app, event->space, event->id))
            event->role = WSX_APP_ANSWER;
        return;
    }
    event->space = packet->name_space;
    event->id = packet->id;
}

/* First pass: the event's, or that of the event that an ack answers. */
static const char *name_of(const struct wsx_app *app, const struct wsx_app_event *event) {
    const struct wsx_app_unit *request =
        event->role == WSX_APP_ANSWER ? wsx_app_request_of(app, event->space, event->id) : NULL;
    return event->name ? event->name : request ? request->name : NULL;
}

void wsx_socketio_text(struct wsx_app *app, tvbuff_t *tvb, int at, packet_info *pinfo,
                       proto_tree *top) {
    struct packet packet;
    int length = (int)tvb_captured_length(tvb) - at;
    const char *text = length > 0 ? (const char *)tvb_get_ptr(tvb, at, length) : "";
    bool good = parse(pinfo->pool, text, (size_t)MAX(length, 0), &packet);
    struct wsx_app_event event = {.offset = at, .length = length};
    event.type = good ? val_to_str_const(packet.type, type_names, "") : "malformed";
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, at, length, top, &item);
    if (!good) {
        expert_add_info(pinfo, item, &ei_bad);
        wsx_app_report(app, pinfo, tvb, tree, &event);
        return;
    }
    set_role(app, &packet, &event, pinfo->pool);
    struct wsx_value name = event_name(&packet);
    if (name.type != WSX_ABSENT)
        event.name = wsx_value_text(pinfo->pool, &name, WSX_VALUE_LINE);
    if (app->first_pass)
        event.kept = open_event(app, &packet, name_of(app, &event), pinfo->pool);
    draw_packet(tree, tvb, at, pinfo, top, &packet);
    draw_event(tree, tvb, pinfo, app->first_pass ? NULL : wsx_app_kept(app));
    if (packet.type == CONNECT_ERROR)
        proto_tree_add_expert(tree, pinfo, &ei_error, tvb, at, length);
    /* the name of an ack is its event's, and stands nowhere else */
    event.shown = WSX_APP_TYPE_SHOWN | WSX_APP_ID_SHOWN | (event.name ? WSX_APP_NAME_SHOWN : 0);
    const struct wsx_app_unit *unit = wsx_app_report(app, pinfo, tvb, tree, &event);
    proto_item_append_text(item, ", %s%s%s", event.type, unit->name ? " " : "",
                           wsx_shown(pinfo->pool, unit->name));
}

void wsx_socketio_binary(struct wsx_app *app, tvbuff_t *tvb, int at, packet_info *pinfo,
                         proto_tree *top) {
    int length = (int)tvb_captured_length(tvb) - at;
    const struct attachment *attachment =
        app->first_pass ? take_attachment(app) : wsx_app_kept(app);
    struct wsx_app_event event = {.type = "attachment",
                                  .name = attachment ? attachment->event->name : NULL,
                                  .kept = attachment,
                                  .offset = at,
                                  .length = length};
    proto_item *item;
    proto_tree *tree = wsx_app_tree(app, proto, ett, tvb, at, length, top, &item);
    proto_item_append_text(item, ", attachment");
    if (length > 0)
        proto_tree_add_item(tree, hf_attachment, tvb, at, length, ENC_NA);
    if (!attachment) {
        if (!app->session->midstream)
            proto_tree_add_expert(tree, pinfo, &ei_stray, tvb, at, length);
    } else if (tree) {
        const struct wsx_sio_event *of = attachment->event;
        proto_item_append_text(item, " %u of %u%s%s", attachment->number + 1, of->count,
                               of->name ? " of " : "", wsx_shown(pinfo->pool, of->name));
        proto_item_set_generated(
            proto_tree_add_uint(tree, hf_number, tvb, 0, 0, attachment->number));
        proto_item_set_generated(
            proto_tree_add_uint(tree, hf_attachment_of, tvb, 0, 0, of->packet));
        if (of->paths[attachment->number])
            proto_item_set_generated(
                proto_tree_add_string(tree, hf_path, tvb, 0, 0, of->paths[attachment->number]));
    }
    wsx_app_report(app, pinfo, tvb, tree, &event);
}

/* ---- registration ---- */

void wsx_socketio_register(void) {
    static hf_register_info fields[] = {
        {&hf_type,
         {"Type", "socketio.type", FT_UINT8, BASE_DEC, VALS(type_names), 0,
          "What the packet is for; binary ones are followed by attachments", HFILL}},
        {&hf_namespace,
         {"Namespace", "socketio.namespace", FT_STRING, BASE_NONE, NULL, 0,
          "/ where the packet names none", HFILL}},
        {&hf_id,
         {"Ack id", "socketio.id", FT_STRING, BASE_NONE, NULL, 0,
          "Of an event that wants an ack, and of the ack", HFILL}},
        {&hf_event,
         {"Event", "socketio.event", FT_STRING, BASE_NONE, NULL, 0,
          "The event's name, the first of its arguments", HFILL}},
        {&hf_arguments,
         {"Arguments", "socketio.arguments", FT_STRING, BASE_NONE, NULL, 0, "The packet's JSON",
          HFILL}},
        {&hf_reason,
         {"Reason", "socketio.reason", FT_STRING, BASE_NONE, NULL, 0,
          "Why the server refuses the namespace", HFILL}},
        {&hf_attachments,
         {"Attachments", "socketio.attachments", FT_UINT32, BASE_DEC, NULL, 0,
          "How many binary messages follow and belong to this packet", HFILL}},
        {&hf_attachment,
         {"Attachment", "socketio.attachment", FT_BYTES, BASE_NONE, NULL, 0,
          "The bytes of a binary message that belongs to an event or an ack", HFILL}},
        {&hf_number,
         {"Number", "socketio.attachment.number", FT_UINT32, BASE_DEC, NULL, 0,
          "As in the placeholder, from 0", HFILL}},
        {&hf_path,
         {"Belongs to", "socketio.attachment.path", FT_STRING, BASE_NONE, NULL, 0,
          "Where its placeholder stands in the event's JSON", HFILL}},
        {&hf_attachment_of,
         {"Attachment of packet", "socketio.attachment.of", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "The packet of the event or ack that it belongs to", HFILL}},
        {&hf_attachment_in,
         {"Attachment in packet", "socketio.attachment.in", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "Where the bytes for a placeholder of this event or ack are", HFILL}},
    };
    static ei_register_info items[] = {
        {&ei_bad,
         {"socketio.malformed", PI_MALFORMED, PI_ERROR, "This is no Socket.IO packet", EXPFILL}},
        {&ei_stray,
         {"socketio.stray_attachment", PI_SEQUENCE, PI_WARN, "No event waits for this attachment",
          EXPFILL}},
        {&ei_few,
         {"socketio.missing_attachment", PI_SEQUENCE, PI_WARN,
          "Attachments of this event did not come", EXPFILL}},
        {&ei_error,
         {"socketio.connect_error", PI_RESPONSE_CODE, PI_NOTE, "The server refuses the namespace",
          EXPFILL}},
    };
    static int *trees[] = {&ett};
    ett = -1;
    proto = proto_register_protocol("Socket.IO", "Socket.IO", "socketio");
    proto_register_field_array(proto, fields, array_length(fields));
    proto_register_subtree_array(trees, array_length(trees));
    expert_register_field_array(expert_register_protocol(proto), items, array_length(items));
}
