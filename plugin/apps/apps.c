/*
 * apps.c - the list of application protocols, and what their dissectors share: requests matched
 * with answers, state of a connection, the common fields. See apps.h. The store of this folder:
 * units are made in the first pass and found again by connection, direction, message and order.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apps/apps.h"
#include "apps/json_app.h"

#include "epan/fields.h"
#include "epan/info.h"
#include "epan/store.h"

#include <epan/exceptions.h>
#include <epan/show_exception.h>

const struct wsx_app_protocol *const wsx_apps[] = {
    &wsx_stomp_app,       &wsx_engineio_app,   &wsx_socketio_app,
    &wsx_signalr_app,     &wsx_sockjs_app,     &wsx_ocpp_app,
    &wsx_wamp_app,        &wsx_graphql_app,    &wsx_jsonrpc_app,
    &wsx_jupyter_app,     &wsx_kubernetes_app, &wsx_phoenix_app,
    &wsx_actioncable_app, &wsx_devtools_app,   NULL,
};

/* Texts of units shown in the Info column for one message. */
#define INFO_UNITS 3u

/* An open request. */
struct pending {
    struct pending *older, *newer; /* of the same id */
    struct wsx_app_unit *unit;
};

/* The open requests of an id; both NULL: none. */
struct slot {
    struct pending *nearest, *oldest;
};

/* Of one connection. File scope. */
struct store {
    wmem_map_t *states;       /* protocol to its state */
    wmem_map_t *open;         /* protocol, requester, space and id as one text, to struct slot */
    wmem_map_t *kept[2];      /* message number to wmem_array_t of struct wsx_app_unit * */
    uint32_t requests;        /* opened so far */
    wmem_array_t *unanswered; /* struct wsx_app_unit *, in order; set at the connection's end */
};

static wmem_map_t *stores; /* struct wsx_session to struct store */

static int proto_app, hf_app_type = -1, hf_app_name = -1, hf_app_id = -1, hf_app_answered_in = -1,
                      hf_app_answers = -1, hf_app_time = -1, hf_app_followed = -1,
                      hf_app_unanswered = -1, hf_app_json_large = -1;
static expert_field ei_app_repeated = EI_INIT, ei_app_ambiguous = EI_INIT,
                    ei_app_unmatched = EI_INIT, ei_app_unanswered = EI_INIT,
                    ei_app_not_drawn = EI_INIT;
static dissector_handle_t json, msgpack, cbor, xml, xmpp;
/* What JSON can be seen by, beside a visible tree: its own fields, those of what its dissector
 * calls, or raises, for what is no JSON, ours for what is too large, and lists of protocols. */
static const char *const json_seen_by[] = {"json",          "data-text-lines", "wsx.app.json_large",
                                           "_ws.malformed", "_ws.expert",      "frame.protocols"};
static int json_seen_by_ids[array_length(json_seen_by)];
static int frame_tap;

/* Key of the packet's list of struct wsx_app_message. */
#define PACKET_KEY 0x777361

wmem_allocator_t *wsx_app_scope(void) { return wmem_file_scope(); }

static struct store *store_of(const struct wsx_session *session) {
    struct store *store = wmem_map_lookup(stores, session);
    if (!store) {
        store = wmem_new0(wmem_file_scope(), struct store);
        store->states = wmem_map_new(wmem_file_scope(), g_direct_hash, g_direct_equal);
        store->open = wmem_map_new(wmem_file_scope(), wmem_str_hash, g_str_equal);
        for (int d = 0; d < 2; d++)
            store->kept[d] = wmem_map_new(wmem_file_scope(), g_direct_hash, g_direct_equal);
        wmem_map_insert(stores, session, store);
    }
    return store;
}

void *wsx_app_state(struct wsx_app *app, size_t size) {
    struct store *store = store_of(app->session);
    void *state = wmem_map_lookup(store->states, app->protocol);
    if (!state) {
        state = wmem_alloc0(wmem_file_scope(), size);
        wmem_map_insert(store->states, app->protocol, state);
    }
    return state;
}

/* ---- the packet's messages, for the taps ---- */

static wmem_array_t *packet_messages(packet_info *pinfo, bool make) {
    wmem_array_t *list =
        pinfo->pool ? p_get_proto_data(pinfo->pool, pinfo, wsx_proto, PACKET_KEY) : NULL;
    if (!list && make) {
        list = wmem_array_new(pinfo->pool, sizeof(struct wsx_app_message));
        p_add_proto_data(pinfo->pool, pinfo, wsx_proto, PACKET_KEY, list);
    }
    return list;
}

static bool is_of(const struct wsx_app_message *message, const struct wsx_item *item) {
    return message->session == item->session && message->direction == item->direction &&
           message->message == item->message_index;
}

/* Messages are looked for in the order in which they were taken: the search begins where the last
 * one ended. */
static struct wsx_app_message *find_message(wmem_array_t *list, const struct wsx_item *item) {
    static unsigned last;
    unsigned count = list ? wmem_array_get_count(list) : 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = (last + i) % count;
        struct wsx_app_message *message = wmem_array_index(list, at);
        if (is_of(message, item)) {
            last = at;
            return message;
        }
    }
    return NULL;
}

const struct wsx_app_message *wsx_app_message_of(const struct wsx_item *item, packet_info *pinfo) {
    return item->message ? find_message(packet_messages(pinfo, false), item) : NULL;
}

static struct wsx_app_message *message_of(const struct wsx_item *item, packet_info *pinfo) {
    wmem_array_t *list = packet_messages(pinfo, true);
    struct wsx_app_message *message = find_message(list, item);
    if (message)
        return message;
    struct wsx_app_message fresh = {.session = item->session,
                                    .direction = item->direction,
                                    .message = item->message_index,
                                    .units = wmem_array_new(pinfo->pool, sizeof(void *))};
    wmem_array_append_one(list, fresh);
    return wmem_array_index(list, wmem_array_get_count(list) - 1);
}

void wsx_app_taken(const struct wsx_item *item, packet_info *pinfo, const char *protocol) {
    struct wsx_app_message *message = message_of(item, pinfo);
    if (!message->protocol) /* the innermost one reported before */
        message->protocol = protocol;
}

void wsx_app_begin(struct wsx_app *app, const struct wsx_item *item, packet_info *pinfo,
                   const struct wsx_app_protocol *protocol) {
    *app = (struct wsx_app){.item = item,
                            .session = item->session,
                            .direction = item->direction,
                            .packet = pinfo->num,
                            .message = item->message_index,
                            .text = item->message->text,
                            .first_pass = wsx_state_first_pass(pinfo),
                            .time = wsx_state_time(pinfo),
                            .protocol = protocol};
}

/* ---- requests and answers ---- */

static struct slot *open_slot(const struct wsx_app *app, enum wsx_direction requester,
                              const char *space, const char *id, bool make) {
    wmem_map_t *open = store_of(app->session)->open;
    char *key = wmem_strdup_printf(NULL, "%s %d %s\x1f%s", app->protocol->name, requester,
                                   space ? space : "", id ? id : "");
    struct slot *slot = wmem_map_lookup(open, key);
    if (!slot && make) {
        slot = wmem_new0(wmem_file_scope(), struct slot);
        wmem_map_insert(open, wmem_strdup(wmem_file_scope(), key), slot);
    }
    wmem_free(NULL, key);
    return slot;
}

static void request_open(const struct wsx_app *app, const struct wsx_app_event *event,
                         struct wsx_app_unit *unit) {
    struct slot *slot = open_slot(app, app->direction, event->space, event->id, true);
    struct pending *pending = wmem_new(wmem_file_scope(), struct pending);
    *pending = (struct pending){.older = slot->nearest, .unit = unit};
    unit->repeated = slot->nearest != NULL && !event->oldest;
    unit->number = ++store_of(app->session)->requests;
    *(slot->nearest ? &slot->nearest->newer : &slot->oldest) = pending;
    slot->nearest = pending;
}

static void request_close(struct slot *slot, struct pending *pending) {
    *(pending->older ? &pending->older->newer : &slot->oldest) = pending->newer;
    *(pending->newer ? &pending->newer->older : &slot->nearest) = pending->older;
    wmem_free(wmem_file_scope(), pending);
}

/* Takes a request out of the open ones, or only finds it. */
static struct wsx_app_unit *request_find(const struct wsx_app *app, enum wsx_direction requester,
                                         const char *space, const char *id, bool oldest, bool close,
                                         bool *ambiguous) {
    struct slot *slot = open_slot(app, requester, space, id, false);
    *ambiguous = slot && slot->nearest != slot->oldest && !oldest;
    struct pending *found = !slot ? NULL : oldest ? slot->oldest : slot->nearest;
    if (!found)
        return NULL;
    struct wsx_app_unit *unit = found->unit;
    if (close)
        request_close(slot, found);
    return unit;
}

static void answer_match(const struct wsx_app *app, const struct wsx_app_event *event,
                         struct wsx_app_unit *unit) {
    bool followup = event->role == WSX_APP_FOLLOWUP;
    enum wsx_direction requester = followup ? app->direction : !app->direction;
    struct wsx_app_unit *request =
        request_find(app, requester, event->space, event->id, event->oldest,
                     event->role == WSX_APP_ANSWER, &unit->ambiguous);
    unit->request = request;
    if (request && followup && event->optional)
        request->optional = true;
    if (!request || followup)
        return;
    if (!request->answers++) {
        request->answered_in = unit->packet;
        request->answer_time = unit->time;
        unit->first_answer = true;
    }
}

void wsx_app_forget(struct wsx_app *app, enum wsx_direction requester, const char *space,
                    const char *id) {
    bool ambiguous;
    if (app->first_pass)
        request_find(app, requester, space, id, false, true, &ambiguous);
}

/* ---- units ---- */

static struct wsx_app_unit *unit_kept(const struct wsx_app *app, unsigned number) {
    wmem_array_t *units = wmem_map_lookup(store_of(app->session)->kept[app->direction],
                                          GUINT_TO_POINTER(app->message));
    return units && number < wmem_array_get_count(units)
               ? *(struct wsx_app_unit **)wmem_array_index(units, number)
               : NULL;
}

static void unit_keep(const struct wsx_app *app, struct wsx_app_unit *unit) {
    wmem_map_t *kept = store_of(app->session)->kept[app->direction];
    wmem_array_t *units = wmem_map_lookup(kept, GUINT_TO_POINTER(app->message));
    if (!units) {
        units = wmem_array_sized_new(wmem_file_scope(), sizeof unit, 1);
        wmem_map_insert(kept, GUINT_TO_POINTER(app->message), units);
    }
    wmem_array_append_one(units, unit);
}

static const char *copy(wmem_allocator_t *scope, const char *text) {
    return text ? wmem_strdup(scope, text) : NULL;
}

/* A request outlives its packet, whatever is kept of others. */
static struct wsx_app_unit *unit_new(const struct wsx_app *app, const struct wsx_app_event *event,
                                     wmem_allocator_t *scope) {
    struct wsx_app_unit *unit = wmem_new0(scope, struct wsx_app_unit);
    unit->protocol = app->protocol;
    unit->role = event->role;
    unit->packet = app->packet;
    unit->time = app->time;
    unit->type = copy(scope, event->type);
    unit->id = event->silent_id ? NULL : copy(scope, event->id);
    unit->name = copy(scope, event->name);
    unit->kept = event->kept;
    unit->optional = event->optional;
    return unit;
}

static struct wsx_app_unit *unit_first_pass(struct wsx_app *app,
                                            const struct wsx_app_event *event) {
    wmem_allocator_t *scope =
        event->role == WSX_APP_REQUEST ? wmem_file_scope() : wsx_store_scope();
    struct wsx_app_unit *unit = unit_new(app, event, scope);
    if (event->role == WSX_APP_REQUEST)
        request_open(app, event, unit);
    else if (event->role != WSX_APP_ALONE)
        answer_match(app, event, unit);
    if (!unit->name && unit->request)
        unit->name = copy(scope, unit->request->name);
    if (wsx_store_is_kept())
        unit_keep(app, unit);
    return unit;
}

const struct wsx_app_unit *wsx_app_request_of(const struct wsx_app *app, const char *space,
                                              const char *id) {
    bool ambiguous;
    if (app->first_pass)
        return request_find(app, !app->direction, space, id, false, false, &ambiguous);
    const struct wsx_app_unit *unit = unit_kept(app, app->units);
    return unit ? unit->request : NULL;
}

const struct wsx_app_unit *wsx_app_open_of(const struct wsx_app *app, const char *space,
                                           const char *id) {
    bool ambiguous;
    if (app->first_pass)
        return request_find(app, app->direction, space, id, false, false, &ambiguous);
    const struct wsx_app_unit *unit = unit_kept(app, app->units);
    return unit && unit->role == WSX_APP_FOLLOWUP ? unit->request : NULL;
}

const void *wsx_app_kept(const struct wsx_app *app) {
    const struct wsx_app_unit *unit = app->first_pass ? NULL : unit_kept(app, app->units);
    return unit ? unit->kept : NULL;
}

/* ---- drawing ---- */

static void add_text(proto_tree *tree, int field, tvbuff_t *tvb, const char *text, bool shown) {
    proto_item *item = text ? proto_tree_add_string(tree, field, tvb, 0, 0, text) : NULL;
    proto_item_set_generated(item);
    if (shown)
        proto_item_set_hidden(item);
}

static void add_packet(proto_tree *tree, int field, tvbuff_t *tvb, uint32_t packet) {
    if (packet)
        proto_item_set_generated(proto_tree_add_uint(tree, field, tvb, 0, 0, packet));
}

static void draw_unit(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo,
                      const struct wsx_app *app, const struct wsx_app_unit *unit, unsigned shown) {
    add_text(tree, hf_app_type, tvb, unit->type, shown & WSX_APP_TYPE_SHOWN);
    add_text(tree, hf_app_name, tvb, unit->name, shown & WSX_APP_NAME_SHOWN);
    add_text(tree, hf_app_id, tvb, unit->id, shown & WSX_APP_ID_SHOWN);
    bool answer = unit->role == WSX_APP_ANSWER || unit->role == WSX_APP_PARTIAL;
    if (unit->role == WSX_APP_REQUEST)
        add_packet(tree, hf_app_answered_in, tvb, unit->answered_in);
    if (unit->request && answer) {
        int64_t ns = unit->time - unit->request->time;
        nstime_t spent = {.secs = (time_t)(ns / 1000000000), .nsecs = (int)(ns % 1000000000)};
        add_packet(tree, hf_app_answers, tvb, unit->request->packet);
        proto_item_set_generated(proto_tree_add_time(tree, hf_app_time, tvb, 0, 0, &spent));
    } else if (unit->request) {
        add_packet(tree, hf_app_followed, tvb, unit->request->packet);
    }
    if (unit->repeated)
        proto_tree_add_expert(tree, pinfo, &ei_app_repeated, tvb, 0, 0);
    if (unit->ambiguous)
        proto_tree_add_expert(tree, pinfo, &ei_app_ambiguous, tvb, 0, 0);
    /* where the beginning was not captured, requests are missing */
    if (answer && !unit->request && !app->session->midstream)
        proto_tree_add_expert(tree, pinfo, &ei_app_unmatched, tvb, 0, 0);
}

/* What a peer names so may hold commands to a terminal, or a line's end. */
static const char *unit_info(packet_info *pinfo, const struct wsx_app_unit *unit) {
    const char *text =
        wmem_strdup_printf(pinfo->pool, "%s%s%s%s%s%s", unit->type ? unit->type : "",
                           unit->type && unit->name ? " " : "", unit->name ? unit->name : "",
                           unit->id ? " (" : "", unit->id ? unit->id : "", unit->id ? ")" : "");
    return wsx_shown(pinfo->pool, text);
}

static void put_columns(struct wsx_app *app, packet_info *pinfo, const struct wsx_app_event *event,
                        const struct wsx_app_unit *unit) {
    if (!pinfo->cinfo)
        return;
    col_set_str(pinfo->cinfo, COL_PROTOCOL, app->protocol->name);
    if (app->units == INFO_UNITS)
        col_append_str(pinfo->cinfo, COL_INFO, "; \xe2\x80\xa6");
    else if (app->units < INFO_UNITS)
        col_append_fstr(pinfo->cinfo, COL_INFO, "%s%s", app->units ? "; " : " | ",
                        event->info ? wsx_shown(pinfo->pool, event->info) : unit_info(pinfo, unit));
}

const struct wsx_app_unit *wsx_app_report(struct wsx_app *app, packet_info *pinfo, tvbuff_t *tvb,
                                          proto_tree *tree, const struct wsx_app_event *event) {
    struct wsx_app_unit *unit =
        app->first_pass ? unit_first_pass(app, event) : unit_kept(app, app->units);
    if (!unit) /* only where the passes differ, as after a change of preferences */
        unit = unit_new(app, event, pinfo->pool);
    put_columns(app, pinfo, event, unit);
    app->units++;
    tvbuff_t *part = tvb;
    if (event->length > 0)
        part = tvb_new_subset_length(tvb, event->offset, event->length);
    draw_unit(tree, part, pinfo, app, unit, event->shown);
    struct wsx_app_message *message = message_of(app->item, pinfo);
    message->protocol = app->protocol->name;
    wmem_array_append_one(message->units, unit);
    return unit;
}

/* ---- the end of a connection ---- */

/* Requests named in the expert item, whose text Wireshark cuts at 240 bytes, and those linked. */
#define UNANSWERED_NAMED 3u
#define UNANSWERED_LINKED 50u

static void collect_open(void *key _U_, void *value, void *data) {
    for (struct pending *pending = ((struct slot *)value)->nearest; pending;
         pending = pending->older)
        if (!pending->unit->answers && !pending->unit->optional)
            wmem_array_append_one((wmem_array_t *)data, pending->unit);
}

static int by_packet(const void *one, const void *other) {
    const struct wsx_app_unit *const *a = one, *const *b = other;
    return ((*a)->number > (*b)->number) - ((*a)->number < (*b)->number);
}

static wmem_array_t *unanswered_of(const struct wsx_item *item, packet_info *pinfo) {
    struct store *store = wmem_map_lookup(stores, item->session);
    if (store && !store->unanswered && wsx_state_first_pass(pinfo)) {
        store->unanswered = wmem_array_new(wmem_file_scope(), sizeof(struct wsx_app_unit *));
        wmem_map_foreach(store->open, collect_open, store->unanswered);
        wmem_array_sort(store->unanswered, by_packet);
    }
    return store ? store->unanswered : NULL;
}

void wsx_app_ended(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                   proto_tree *tree) {
    wmem_array_t *units = unanswered_of(item, pinfo);
    unsigned count = units ? wmem_array_get_count(units) : 0;
    if (!count)
        return;
    wmem_strbuf_t *text = wmem_strbuf_new(pinfo->pool, NULL);
    for (unsigned i = 0; i < MIN(count, UNANSWERED_NAMED); i++) {
        const struct wsx_app_unit *unit = *(struct wsx_app_unit **)wmem_array_index(units, i);
        wmem_strbuf_append_printf(text, "%s%s %s in packet %u", i ? ", " : "", unit->protocol->name,
                                  unit_info(pinfo, unit), unit->packet);
    }
    if (count > UNANSWERED_NAMED)
        wmem_strbuf_append_printf(text, " and %u more", count - UNANSWERED_NAMED);
    for (unsigned i = 0; tree && i < MIN(count, UNANSWERED_LINKED); i++)
        add_packet(tree, hf_app_unanswered, tvb,
                   (*(struct wsx_app_unit **)wmem_array_index(units, i))->packet);
    const char *proto = pinfo->current_proto;
    pinfo->current_proto = "WebSocket application";
    proto_tree_add_expert_format(tree, pinfo, &ei_app_unanswered, tvb, 0, 0,
                                 "The connection ended before %u request%s answered: %s", count,
                                 count == 1 ? " was" : "s were", wmem_strbuf_get_str(text));
    pinfo->current_proto = proto;
}

/* ---- other dissectors ---- */

int wsx_app_call_handle(dissector_handle_t handle, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree, void *data) {
    volatile int taken = 0;
    const char *volatile proto = pinfo->current_proto;
    TRY { taken = call_dissector_only(handle, tvb, pinfo, tree, data); }
    CATCH_NONFATAL_ERRORS {
        show_exception(tvb, pinfo, tree, EXCEPT_CODE, GET_MESSAGE);
        taken = (int)tvb_captured_length(tvb);
    }
    ENDTRY;
    pinfo->current_proto = proto;
    return taken;
}

/* What a part of the message is in another notation says nothing in the columns. */
static int call_quietly(dissector_handle_t handle, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree) {
    column_info *columns = pinfo->cinfo;
    pinfo->cinfo = NULL;
    int taken = wsx_app_call_handle(handle, tvb, pinfo, tree, NULL);
    pinfo->cinfo = columns;
    return taken;
}

/* Wireshark's dissectors make up to eight items of a value, and above a million of them
 * (gui.max_tree_items) the packet can show nothing more. */
#define VALUES_DRAWN 100000u

/* At least as many values as there are: commas and brackets in strings count, too. */
static bool has_many_values(const uint8_t *bytes, int length) {
    unsigned count = 0;
    if (length <= (int)VALUES_DRAWN)
        return false;
    for (int i = 0; i < length && count <= VALUES_DRAWN; i++)
        count += bytes[i] == ',' || bytes[i] == '[' || bytes[i] == '{';
    return count > VALUES_DRAWN;
}

static bool json_fits(tvbuff_t *tvb, int offset, int length, packet_info *pinfo, proto_tree *tree) {
    if (!has_many_values(tvb_get_ptr(tvb, offset, length), length))
        return true;
    proto_item *item = proto_tree_add_item(tree, hf_app_json_large, tvb, offset, length, ENC_NA);
    proto_item_set_generated(item);
    expert_add_info_format(pinfo, item, &ei_app_not_drawn,
                           "JSON of more than %u values is not drawn", VALUES_DRAWN);
    return false;
}

/* Its dissectors call themselves for each value in another, and end in an error of Wireshark's. */
static bool binary_fits(enum wsx_notation notation, tvbuff_t *tvb, int offset, int length,
                        packet_info *pinfo, proto_tree *tree) {
    if (wsx_binary_fits(notation, tvb_get_ptr(tvb, offset, length), (size_t)length, VALUES_DRAWN))
        return true;
    proto_tree_add_expert_format(tree, pinfo, &ei_app_not_drawn, tvb, offset, length,
                                 "%s of more than %u values, or of values in more than %u others, "
                                 "is not drawn",
                                 notation == WSX_CBOR ? "CBOR" : "MessagePack", VALUES_DRAWN,
                                 WSX_VALUE_DEPTH_MAX);
    return false;
}

/* Wireshark's XML dissector takes two kilobytes of memory for a tag, with a tree or without. */
#define XML_TAGS_DRAWN 50000u
/* That of XMPP looks through all elements again and again; servers take stanzas of 64 KiB or so. */
#define XMPP_TAGS_DRAWN 10000u

/* Every '<' counts as a tag, wherever it stands; how deep they are is read as far as they are well
 * formed. */
static bool xml_is_small(const uint8_t *bytes, int length, unsigned most) {
    unsigned tags = 0, depth = 0;
    uint8_t quote = 0;
    bool opens = false, comment = false; /* in a tag that opens an element; in a comment */
    for (int i = 0; i < length; i++) {
        uint8_t next = i + 1 < length ? bytes[i + 1] : 0;
        if (bytes[i] == '<' && ++tags > most)
            return false;
        if (comment) {
            comment = bytes[i] != '>' || bytes[i - 1] != '-' || bytes[i - 2] != '-';
        } else if (opens && (quote ? bytes[i] == quote : bytes[i] == '"' || bytes[i] == '\'')) {
            quote = quote ? 0 : bytes[i];
        } else if (bytes[i] == '<' && !quote) {
            opens = next != '/' && next != '!' && next != '?';
            comment = i + 3 < length && memcmp(bytes + i, "<!--", 4) == 0;
            depth = opens ? depth + 1 : depth - (next == '/' && depth);
        } else if (bytes[i] == '>' && opens && !quote) {
            depth -= bytes[i - 1] == '/' && depth;
            opens = false;
        }
        if (depth > WSX_VALUE_DEPTH_MAX)
            return false;
    }
    return true;
}

static bool xml_fits(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, unsigned most) {
    int length = (int)tvb_captured_length(tvb);
    if (xml_is_small(tvb_get_ptr(tvb, 0, length), length, most))
        return true;
    proto_tree_add_expert_format(tree, pinfo, &ei_app_not_drawn, tvb, 0, length,
                                 "XML of more than %u tags, or of tags in more than %u others, "
                                 "is not drawn",
                                 most, WSX_VALUE_DEPTH_MAX);
    return false;
}

bool wsx_app_can_draw(dissector_handle_t handle, tvbuff_t *tvb, packet_info *pinfo,
                      proto_tree *tree) {
    int length = (int)tvb_captured_length(tvb);
    if (handle && (handle == xml || handle == xmpp))
        return xml_fits(tvb, pinfo, tree, handle == xml ? XML_TAGS_DRAWN : XMPP_TAGS_DRAWN);
    if (!handle || !tree)
        return true;
    return handle == json      ? json_fits(tvb, 0, length, pinfo, tree)
           : handle == msgpack ? binary_fits(WSX_MSGPACK, tvb, 0, length, pinfo, tree)
           : handle == cbor    ? binary_fits(WSX_CBOR, tvb, 0, length, pinfo, tree)
                               : true;
}

/* Whether anyone can see what is in the JSON. The protocols of a packet are counted by a tap. */
static bool json_is_seen(proto_tree *tree) {
    bool seen = have_tap_listener(frame_tap);
    for (size_t i = 0; !seen && i < array_length(json_seen_by_ids); i++)
        seen = json_seen_by_ids[i] > 0 && proto_field_is_referenced(tree, json_seen_by_ids[i]);
    return seen;
}

void wsx_app_json(tvbuff_t *tvb, int offset, int length, packet_info *pinfo, proto_tree *tree) {
    if (tree && json && length > 0 && json_is_seen(tree) &&
        json_fits(tvb, offset, length, pinfo, tree))
        call_quietly(json, tvb_new_subset_length(tvb, offset, length), pinfo, tree);
}

bool wsx_app_call(const char *dissector, tvbuff_t *tvb, int offset, int length, packet_info *pinfo,
                  proto_tree *tree) {
    dissector_handle_t handle = tree && length > 0 ? find_dissector(dissector) : NULL;
    if (!handle)
        return false;
    tvbuff_t *part = tvb_new_subset_length(tvb, offset, length);
    return !wsx_app_can_draw(handle, part, pinfo, tree) || call_quietly(handle, part, pinfo, tree);
}

proto_tree *wsx_app_tree(struct wsx_app *app, int proto, int ett, tvbuff_t *tvb, int offset,
                         int length, proto_tree *tree, proto_item **item) {
    (void)app;
    proto_item *shown = proto_tree_add_item(tree, proto, tvb, offset, length, ENC_NA);
    if (item)
        *item = shown;
    return proto_item_add_subtree(shown, ett);
}

/* ---- registration ---- */

static void register_common(void) {
    static hf_register_info fields[] = {
        {&hf_app_type,
         {"Type", "wsx.app.type", FT_STRING, BASE_NONE, NULL, 0,
          "What the unit is, in the word of its protocol", HFILL}},
        {&hf_app_name,
         {"Name", "wsx.app.name", FT_STRING, BASE_NONE, NULL, 0,
          "Event, action, method or operation; of an answer: its request's", HFILL}},
        {&hf_app_id,
         {"Request id", "wsx.app.id", FT_STRING, BASE_NONE, NULL, 0,
          "What request and answer share", HFILL}},
        {&hf_app_answered_in,
         {"Answered in packet", "wsx.app.answered_in", FT_FRAMENUM, BASE_NONE,
          FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0, "The first answer", HFILL}},
        {&hf_app_answers,
         {"Answers packet", "wsx.app.answers", FT_FRAMENUM, BASE_NONE,
          FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0, "The request", HFILL}},
        {&hf_app_followed,
         {"Belongs to packet", "wsx.app.belongs_to", FT_FRAMENUM, BASE_NONE,
          FRAMENUM_TYPE(FT_FRAMENUM_NONE), 0, "The request of the same side", HFILL}},
        {&hf_app_json_large,
         {"JSON of more than 100,000 values, not drawn", "wsx.app.json_large", FT_NONE, BASE_NONE,
          NULL, 0, "Wireshark shows at most a million items of a packet", HFILL}},
        {&hf_app_unanswered,
         {"Not answered: packet", "wsx.app.unanswered_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "A request that was not answered when the connection ended", HFILL}},
        {&hf_app_time,
         {"Time since the request", "wsx.app.time", FT_RELATIVE_TIME, BASE_NONE, NULL, 0,
          "From the packet of the request to that of this answer", HFILL}},
    };
    static ei_register_info items[] = {
        {&ei_app_repeated,
         {"wsx.app.id_repeated", PI_SEQUENCE, PI_NOTE,
          "An earlier request with this id was not answered yet", EXPFILL}},
        {&ei_app_ambiguous,
         {"wsx.app.id_ambiguous", PI_SEQUENCE, PI_NOTE,
          "Several requests with this id are open: the nearest is taken", EXPFILL}},
        {&ei_app_unmatched,
         {"wsx.app.no_request", PI_SEQUENCE, PI_NOTE, "No open request has this id", EXPFILL}},
        {&ei_app_unanswered,
         {"wsx.app.unanswered", PI_SEQUENCE, PI_NOTE,
          "The connection ended before requests were answered", EXPFILL}},
        {&ei_app_not_drawn,
         {"wsx.app.not_drawn", PI_UNDECODED, PI_NOTE, "Too many values to be drawn", EXPFILL}},
    };
    proto_app =
        proto_register_protocol("WebSocket application data", "WebSocket application", "wsx.app");
    proto_register_field_array(proto_app, fields, array_length(fields));
    expert_register_field_array(expert_register_protocol(proto_app), items, array_length(items));
}

void wsx_apps_register(void) {
    stores =
        wmem_map_new_autoreset(wmem_epan_scope(), wmem_file_scope(), g_direct_hash, g_direct_equal);
    register_common();
    for (unsigned i = 0; wsx_apps[i]; i++)
        wsx_apps[i]->register_protocol();
}

static void handoff_json(void) {
    json = find_dissector("json");
    for (size_t i = 0; i < array_length(json_seen_by); i++)
        json_seen_by_ids[i] = proto_registrar_get_id_byname(json_seen_by[i]);
    frame_tap = find_tap_id("frame");
}

void wsx_apps_handoff(void) {
    handoff_json();
    msgpack = find_dissector("msgpack");
    cbor = find_dissector("cbor");
    xml = find_dissector("xml");
    xmpp = find_dissector("xmpp");
    for (unsigned i = 0; wsx_apps[i]; i++)
        if (wsx_apps[i]->handoff)
            wsx_apps[i]->handoff();
}
