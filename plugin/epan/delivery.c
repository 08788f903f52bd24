/*
 * delivery.c - the three ways to hand messages to a dissector, see delivery.h.
 *
 * A stream: what the dissector leaves of a message (desegment_offset, desegment_len, as for TCP) is
 * kept and put before the next message of the direction. The first pass notes for each message
 * which bytes were put before it; later passes show the dissector the same bytes. While a dissector
 * waits for a known number of bytes, or for what it can tell of (wsx_app.may_end), it is not
 * called, so that a long unit costs no more than its bytes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "delivery.h"

#include "fields.h"
#include "info.h"
#include "store.h"
#include "writable.h"

#include <epan/exceptions.h>
#include <epan/show_exception.h>

/* Bytes kept of a unit that is not whole. Longer ones are not put together: hardly any real unit
 * is, and the length that asks for them may be nonsense. */
#define REST_MAX (64u << 20)
/* Of a framer's number: those above it are DESEGMENT_UNTIL_FIN and DESEGMENT_ONE_MORE_SEGMENT. */
#define NEED_NUMBER_MAX 0x0FFFFFFDu

/* A unit over several messages; shared by what is kept of them. File scope. */
struct span {
    uint32_t begins_in, ends_in; /* packets; ends_in 0: not whole (yet) */
};

/* What is kept of a direction for its next message. */
struct wsx_rest {
    uint8_t *bytes;
    size_t length, capacity;
    bool shared;   /* a later pass will read the bytes: they stay where they are */
    uint64_t need; /* bytes there must be before the dissector is called; 0: any more */
    bool (*may_end)(const uint8_t *bytes, size_t length, size_t fresh); /* wsx_app.may_end */
    struct span *span;
    uint32_t message; /* the last one taken */
};

/* How a message is shown again. */
struct replay {
    const uint8_t *before; /* put before the message; NULL: nothing */
    size_t before_length;
    bool waits; /* the whole message only continues a unit */
    const struct span *continues, *begins;
    /* with a framer: lengths of the calls, and whether what is left went as it came */
    wmem_array_t *calls;
    bool unframed;
};

static int hf_continues = -1, hf_goes_on = -1;

struct wsx_delivery *wsx_delivery_of(const struct wsx_session *session, bool *fresh) {
    *fresh = !session->delivery;
    if (*fresh)
        wsx_state_put_delivery(session, wmem_new0(wmem_file_scope(), struct wsx_delivery));
    return session->delivery;
}

/* Most connections carry no stream, and need neither of these. */
static struct wsx_rest *rest_of(struct wsx_delivery *delivery, enum wsx_direction direction) {
    if (!delivery->rest[direction])
        delivery->rest[direction] = wmem_new0(wmem_file_scope(), struct wsx_rest);
    return delivery->rest[direction];
}

static wmem_map_t *replay_of(struct wsx_delivery *delivery, enum wsx_direction direction) {
    if (!delivery->replay[direction])
        delivery->replay[direction] =
            wmem_map_new(wmem_file_scope(), g_direct_hash, g_direct_equal);
    return delivery->replay[direction];
}

/* ---- one call ---- */

/* What a dissector may change and others in the packet rely on. */
struct saved {
    const char *proto;
    guint16 can_desegment, saved_can_desegment;
    int desegment_offset;
    guint32 desegment_len;
    guint16 want_pdu_tracking;
    guint32 bytes_until_next_pdu;
    guint32 match_uint;
    bool use_conversation;
    struct conversation_addr_port_endpoints *conversation;
};

static void save(const packet_info *pinfo, struct saved *saved) {
    *saved = (struct saved){.proto = pinfo->current_proto,
                            .can_desegment = pinfo->can_desegment,
                            .saved_can_desegment = pinfo->saved_can_desegment,
                            .desegment_offset = pinfo->desegment_offset,
                            .desegment_len = pinfo->desegment_len,
                            .want_pdu_tracking = pinfo->want_pdu_tracking,
                            .bytes_until_next_pdu = pinfo->bytes_until_next_pdu,
                            .match_uint = pinfo->match_uint,
                            .use_conversation = pinfo->use_conv_addr_port_endpoints,
                            .conversation = pinfo->conv_addr_port_endpoints};
}

static void restore(packet_info *pinfo, const struct saved *saved) {
    pinfo->current_proto = saved->proto;
    pinfo->can_desegment = saved->can_desegment;
    pinfo->saved_can_desegment = saved->saved_can_desegment;
    pinfo->desegment_offset = saved->desegment_offset;
    pinfo->desegment_len = saved->desegment_len;
    pinfo->want_pdu_tracking = saved->want_pdu_tracking;
    pinfo->bytes_until_next_pdu = saved->bytes_until_next_pdu;
    pinfo->match_uint = saved->match_uint;
    pinfo->use_conv_addr_port_endpoints = saved->use_conversation;
    pinfo->conv_addr_port_endpoints = saved->conversation;
}

/* A conversation of its own for a stream: HTTP or TLS in a tunnel must not meet the state of the
 * HTTP or TLS around it, and streams of HTTP/2 are not one connection. The numbers are no ports.
 * Not for single messages: CoAP asks for a conversation by the packet's own ports. */
static void use_own_conversation(const struct wsx_item *item, packet_info *pinfo) {
    bool from_client = item->direction == WSX_CLIENT_TO_SERVER;
    address *client = from_client ? &pinfo->src : &pinfo->dst;
    address *server = from_client ? &pinfo->dst : &pinfo->src;
    conversation_set_conv_addr_port_endpoints(pinfo, client, server, CONVERSATION_NONE,
                                              item->session->number, 0x57530000);
    pinfo->match_uint = item->session->server.port; /* SSH takes it for the server's */
}

/* Our own text in the Info column stays, whatever a dissector does with the column. Its length. */
static size_t keep_columns(packet_info *pinfo) {
    if (!pinfo->cinfo)
        return 0;
    col_set_fence(pinfo->cinfo, COL_INFO);
    const char *text = col_get_text(pinfo->cinfo, COL_INFO);
    return text ? strlen(text) : 0;
}

/* One blank between our own text and what the dissector says, none where it says nothing. Those
 * that number their messages put a comma before each, the first one too: it goes. A column is
 * written anew only where that changes it, since Wireshark 4.6 looks at each of its characters. */
static void tidy_columns(packet_info *pinfo, size_t kept) {
    const char *text = pinfo->cinfo ? col_get_text(pinfo->cinfo, COL_INFO) : NULL;
    size_t length = text ? strlen(text) : 0;
    if (!kept || length < kept)
        return;
    bool blank = text[kept - 1] == ' ', comma = g_str_has_prefix(text + kept, ", ");
    bool good = length == kept ? !blank : blank && !comma && text[length - 1] != ' ';
    if (good)
        return;
    char *said = wmem_strdup(pinfo->pool, text + kept + (comma ? 2 : 0));
    if (g_str_has_suffix(said, " "))
        said[strlen(said) - 1] = '\0';
    char *tidy = wmem_strdup_printf(pinfo->pool, "%.*s%s%s", (int)(kept - blank), text,
                                    *said ? " " : "", said);
    col_clear_fence(pinfo->cinfo, COL_INFO);
    col_add_str(pinfo->cinfo, COL_INFO, tidy);
    col_set_fence(pinfo->cinfo, COL_INFO);
}

static int call(const struct wsx_choice *choice, struct wsx_app *app, tvbuff_t *tvb,
                packet_info *pinfo, proto_tree *top, bool *threw) {
    volatile int taken = 0;
    volatile bool failed = false;
    pinfo->desegment_len = 0;
    pinfo->desegment_offset = 0;
    app->may_end = NULL;
    pinfo->can_desegment = choice->mode == WSX_MODE_STREAM ? 2 : 0; /* one less below */
    TRY {
        void *data = choice->app ? (void *)app : wsx_writable(choice->about);
        taken = call_dissector_only(choice->handle, tvb, pinfo, top, data);
    }
    CATCH_NONFATAL_ERRORS {
        failed = true;
        show_exception(tvb, pinfo, top, EXCEPT_CODE, GET_MESSAGE);
    }
    ENDTRY;
    *threw = failed;
    return taken;
}

/* Calls until all is taken. Returns the first byte not taken, -1 when nothing was. In a stream
 * *need is what the dissector waits for (DESEGMENT_...), 0 for nothing. */
static int call_all(const struct wsx_choice *choice, struct wsx_app *app, tvbuff_t *tvb,
                    packet_info *pinfo, proto_tree *top, uint32_t *need) {
    int length = (int)tvb_captured_length(tvb), at = 0;
    bool threw = false;
    *need = 0;
    while (at < length && !threw) {
        tvbuff_t *part = at ? tvb_new_subset_remaining(tvb, at) : tvb;
        int taken = call(choice, app, part, pinfo, top, &threw);
        if (threw)
            return length;
        if (choice->mode == WSX_MODE_STREAM && pinfo->desegment_len) {
            *need = pinfo->desegment_len;
            return at + CLAMP(pinfo->desegment_offset, 0, length - at);
        }
        if (taken <= 0)
            return at ? at : -1;
        at = choice->mode == WSX_MODE_MESSAGE ? length : at + MIN(taken, length - at);
    }
    return length;
}

/* ---- streams ---- */

/* One call of a framed unit. */
static void call_unit(const struct wsx_choice *choice, struct wsx_app *app, tvbuff_t *tvb, int at,
                      size_t length, packet_info *pinfo, proto_tree *top) {
    struct wsx_choice whole = *choice;
    bool threw;
    whole.mode = WSX_MODE_UNITS;
    call(&whole, app, tvb_new_subset_length(tvb, at, (int)length), pinfo, top, &threw);
}

/* What no framer cuts, from `at` on; as call_all. */
static int call_rest(const struct wsx_choice *choice, struct wsx_app *app, tvbuff_t *tvb, int at,
                     packet_info *pinfo, proto_tree *top, uint32_t *need) {
    int rest =
        call_all(choice, app, at ? tvb_new_subset_remaining(tvb, at) : tvb, pinfo, top, need);
    return rest < 0 && !at ? -1 : at + MAX(rest, 0);
}

/* First pass: as call_all, with the choice's framer; notes what it did. */
static int call_framed(struct wsx_delivery *delivery, const struct wsx_choice *choice,
                       struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                       struct replay *replay, uint32_t *need) {
    int length = (int)tvb_captured_length(tvb), at = 0;
    replay->calls = wmem_array_sized_new(wsx_store_scope(), sizeof(size_t), 1);
    while (at < length) {
        size_t wanted;
        size_t unit =
            choice->framer(&delivery->framing, app->direction, tvb_get_ptr(tvb, at, length - at),
                           (size_t)(length - at), &wanted);
        if (unit == WSX_UNFRAMED) {
            replay->unframed = true;
            return call_rest(choice, app, tvb, at, pinfo, top, need);
        }
        if (!unit) {
            size_t there = (size_t)(length - at);
            *need = wanted > there ? (uint32_t)MIN(wanted - there, NEED_NUMBER_MAX)
                                   : DESEGMENT_ONE_MORE_SEGMENT;
            return at;
        }
        wmem_array_append_one(replay->calls, unit);
        call_unit(choice, app, tvb, at, unit, pinfo, top);
        at += (int)unit;
    }
    *need = 0;
    return length;
}

/* Later passes: the same calls. */
static void call_again(const struct wsx_choice *choice, struct wsx_app *app, tvbuff_t *tvb,
                       packet_info *pinfo, proto_tree *top, const struct replay *replay) {
    int at = 0;
    uint32_t need;
    for (unsigned i = 0; i < wmem_array_get_count(replay->calls); i++) {
        size_t unit = *(size_t *)wmem_array_index(replay->calls, i);
        call_unit(choice, app, tvb, at, unit, pinfo, top);
        at += (int)unit;
    }
    if (replay->unframed)
        call_rest(choice, app, tvb, at, pinfo, top, &need);
}

static void rest_drop(struct wsx_rest *rest) {
    if (rest->bytes && !rest->shared)
        wmem_free(wmem_file_scope(), rest->bytes);
    rest->bytes = NULL;
    rest->length = rest->capacity = 0;
    rest->need = 0;
    rest->may_end = NULL;
    rest->shared = false;
    rest->span = NULL;
}

static void rest_append(struct wsx_rest *rest, const uint8_t *bytes, size_t length) {
    if (!length)
        return;
    if (rest->length + length > rest->capacity) {
        size_t capacity = MAX(rest->capacity * 2, rest->length + length);
        if (rest->shared) {
            uint8_t *copy = wmem_alloc(wmem_file_scope(), capacity);
            memcpy(copy, rest->bytes, rest->length);
            rest->bytes = copy;
            rest->shared = false;
        } else {
            rest->bytes = wmem_realloc(wmem_file_scope(), rest->bytes, capacity);
        }
        rest->capacity = capacity;
    }
    memcpy(rest->bytes + rest->length, bytes, length);
    rest->length += length;
}

static struct replay *replay_add(struct wsx_delivery *delivery, const struct wsx_item *item) {
    struct replay *replay = wmem_new0(wsx_store_scope(), struct replay);
    if (wsx_store_is_kept())
        wmem_map_insert(replay_of(delivery, item->direction), GUINT_TO_POINTER(item->message_index),
                        replay);
    return replay;
}

static tvbuff_t *put_together(const struct wsx_item *item, const uint8_t *before,
                              size_t before_length, tvbuff_t *tvb, packet_info *pinfo,
                              proto_tree *top) {
    size_t length = tvb_captured_length(tvb);
    uint8_t *bytes = wmem_alloc(pinfo->pool, before_length + length);
    memcpy(bytes, before, before_length);
    tvb_memcpy(tvb, bytes + before_length, 0, length);
    tvbuff_t *whole = tvb_new_child_real_data(tvb, bytes, (unsigned)(before_length + length),
                                              (int)(before_length + length));
    if (top)
        add_new_data_source(pinfo, whole,
                            wmem_strdup_printf(pinfo->pool, "Stream up to message %u %s",
                                               item->message_index, wsx_sender(item->direction)));
    return whole;
}

static void add_link(proto_tree *tree, int field, tvbuff_t *tvb, uint32_t packet) {
    if (packet)
        proto_item_set_generated(proto_tree_add_uint(tree, field, tvb, 0, 0, packet));
}

static void draw_links(const struct replay *replay, tvbuff_t *tvb, proto_tree *tree) {
    if (replay->continues)
        add_link(tree, hf_continues, tvb, replay->continues->begins_in);
    const struct span *out = replay->waits ? replay->continues : replay->begins;
    if (out)
        add_link(tree, hf_goes_on, tvb, out->ends_in);
}

/* What the rest waits for. A unit that is not kept to its end is not asked for again before it is
 * too long: DESEGMENT_UNTIL_FIN says of any that it is. */
static void rest_wait(struct wsx_rest *rest, const struct wsx_app *app, uint32_t need) {
    bool any = need == DESEGMENT_ONE_MORE_SEGMENT;
    rest->need = any ? 0 : MIN((uint64_t)rest->length + need, (uint64_t)REST_MAX + 1);
    rest->may_end = any ? app->may_end : NULL;
}

/* First pass: what the dissector left goes before the next message. `seen`: the rest and the
 * message; `at`: how much of it was taken. */
static void rest_update(struct wsx_rest *rest, struct replay *replay, const struct wsx_app *app,
                        tvbuff_t *seen, int at, uint32_t need) {
    size_t length = tvb_captured_length(seen), before = replay->before_length;
    uint32_t packet = app->item->packet;
    bool same = need && at == 0 && before;
    if (same) {
        rest_append(rest, tvb_get_ptr(seen, (int)before, (int)(length - before)), length - before);
    } else {
        if (rest->span)
            rest->span->ends_in = packet;
        rest->shared = rest->shared || (wsx_store_is_kept() && before);
        rest_drop(rest);
    }
    if (!need || length - (size_t)at > REST_MAX) {
        if (same)
            rest_drop(rest);
        return;
    }
    if (!same) {
        rest->span = wmem_new0(wmem_file_scope(), struct span);
        rest->span->begins_in = packet;
        if ((size_t)at < length)
            rest_append(rest, tvb_get_ptr(seen, at, (int)length - at), length - (size_t)at);
    }
    rest_wait(rest, app, need);
    replay->begins = rest->span;
}

/* The rest's bytes are put before the message and are not changed any more. */
static void replay_take(struct replay *replay, struct wsx_rest *rest) {
    replay->before = rest->bytes;
    replay->before_length = rest->length;
    replay->continues = rest->span;
    rest->shared = rest->shared || (wsx_store_is_kept() && rest->length);
}

/* Whether the message can't end the unit that the rest begins; then it is put behind the rest. */
static bool rest_goes_on(struct wsx_rest *rest, tvbuff_t *tvb) {
    size_t fresh = tvb_captured_length(tvb), before = rest->length;
    bool short_of = before + fresh < rest->need;
    if (!before || !fresh || before + fresh > REST_MAX || !(short_of || rest->may_end))
        return false;
    rest_append(rest, tvb_get_ptr(tvb, 0, (int)fresh), fresh);
    if (!short_of && rest->may_end(rest->bytes, rest->length, before)) {
        rest->length = before;
        return false;
    }
    return true;
}

static bool stream_first_pass(struct wsx_delivery *delivery, const struct wsx_choice *choice,
                              struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo,
                              proto_tree *top, proto_tree *payload_tree) {
    const struct wsx_item *item = app->item;
    struct wsx_rest *rest = rest_of(delivery, item->direction);
    if (rest->message + 1 != item->message_index) /* one was lost */
        rest_drop(rest);
    rest->message = item->message_index;
    struct replay *replay = replay_add(delivery, item);
    if (rest_goes_on(rest, tvb)) {
        replay->waits = true;
        replay->continues = rest->span;
        draw_links(replay, tvb, payload_tree);
        return true;
    }
    replay_take(replay, rest);
    tvbuff_t *seen =
        rest->length ? put_together(item, rest->bytes, rest->length, tvb, pinfo, top) : tvb;
    uint32_t need;
    int at = choice->framer ? call_framed(delivery, choice, app, seen, pinfo, top, replay, &need)
                            : call_all(choice, app, seen, pinfo, top, &need);
    rest_update(rest, replay, app, seen, MAX(at, 0), need);
    draw_links(replay, tvb, payload_tree);
    return at >= 0;
}

static bool stream_later(struct wsx_delivery *delivery, const struct wsx_choice *choice,
                         struct wsx_app *app, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                         proto_tree *payload_tree) {
    static const struct replay nothing;
    const struct wsx_item *item = app->item;
    const struct replay *replay = wmem_map_lookup(replay_of(delivery, item->direction),
                                                  GUINT_TO_POINTER(item->message_index));
    if (!replay)
        replay = &nothing;
    draw_links(replay, tvb, payload_tree);
    if (replay->waits)
        return true;
    tvbuff_t *seen = replay->before_length ? put_together(item, replay->before,
                                                          replay->before_length, tvb, pinfo, top)
                                           : tvb;
    uint32_t need;
    if (!replay->calls)
        return call_all(choice, app, seen, pinfo, top, &need) >= 0;
    call_again(choice, app, seen, pinfo, top, replay);
    return true;
}

void wsx_deliver_gap(struct wsx_delivery *delivery, const struct wsx_item *item,
                     packet_info *pinfo) {
    if (wsx_state_first_pass(pinfo))
        rest_drop(rest_of(delivery, item->direction));
}

void wsx_deliver_seed(struct wsx_delivery *delivery, const struct wsx_item *item,
                      const uint8_t *head, size_t length) {
    struct wsx_rest *rest = rest_of(delivery, item->direction);
    rest_drop(rest);
    rest_append(rest, head, length);
    rest->message = item->message_index - 1;
}

/* ---- all three ---- */

bool wsx_deliver(struct wsx_delivery *delivery, const struct wsx_choice *choice,
                 const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                 proto_tree *payload_tree) {
    struct saved saved;
    struct wsx_app app;
    uint32_t need;
    size_t kept = 0;
    bool taken;
    if (!wsx_app_can_draw(choice->handle, tvb, pinfo, top))
        return true;
    save(pinfo, &saved);
    wsx_app_begin(&app, item, pinfo, choice->app);
    if (!choice->app) {
        col_append_str(pinfo->cinfo, COL_INFO, " "); /* most say something */
        kept = keep_columns(pinfo);
    }
    if (!choice->app && choice->mode == WSX_MODE_STREAM)
        use_own_conversation(item, pinfo);
    if (choice->mode != WSX_MODE_STREAM)
        taken = call_all(choice, &app, tvb, pinfo, top, &need) >= 0;
    else if (app.first_pass)
        taken = stream_first_pass(delivery, choice, &app, tvb, pinfo, top, payload_tree);
    else
        taken = stream_later(delivery, choice, &app, tvb, pinfo, top, payload_tree);
    restore(pinfo, &saved);
    tidy_columns(pinfo, kept);
    if (taken && !choice->tree_only)
        wsx_app_taken(item, pinfo,
                      choice->app ? choice->app->name
                                  : dissector_handle_get_protocol_short_name(choice->handle));
    return taken;
}

bool wsx_deliver_heuristic(heur_dissector_list_t list, const struct wsx_item *item, tvbuff_t *tvb,
                           packet_info *pinfo, proto_tree *top) {
    struct saved saved;
    heur_dtbl_entry_t *entry = NULL;
    volatile bool taken = false;
    save(pinfo, &saved);
    pinfo->can_desegment = 0;
    size_t kept = keep_columns(pinfo);
    TRY { taken = dissector_try_heuristic(list, tvb, pinfo, top, &entry, NULL); }
    CATCH_NONFATAL_ERRORS {
        show_exception(tvb, pinfo, top, EXCEPT_CODE, GET_MESSAGE);
        taken = true;
    }
    ENDTRY;
    restore(pinfo, &saved);
    tidy_columns(pinfo, kept);
    if (taken && entry)
        wsx_app_taken(item, pinfo,
                      entry->protocol ? proto_get_protocol_short_name(entry->protocol)
                                      : entry->short_name);
    return taken;
}

void wsx_delivery_register(void) {
    static hf_register_info fields[] = {
        {&hf_continues,
         {"Continues a unit begun in packet", "wsx.app.begins_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "The message's first bytes belong to a unit of an earlier message", HFILL}},
        {&hf_goes_on,
         {"The unit ends in packet", "wsx.app.ends_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "The message's last bytes belong to a unit that a later message ends", HFILL}},
    };
    proto_register_field_array(proto_get_id_by_filter_name("wsx.app"), fields,
                               array_length(fields));
}
