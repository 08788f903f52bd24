/*
 * payload.c - which dissector gets a message: subprotocol, port, heuristics of the built-in's
 * tables, then JSON by sight. Decides nothing about frames; show.c calls it with the whole message,
 * unmasked and inflated.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "show.h"

#include "fields.h"

wsx_bool wsx_json_by_sight = TRUE;

static dissector_table_t by_protocol, by_port;
static heur_dissector_list_t heuristics;
static dissector_handle_t json_handle, lines_handle, sip_handle;

void wsx_payload_handoff(void) {
    by_protocol = find_dissector_table("ws.protocol");
    by_port = find_dissector_table("ws.port");
    heuristics = find_heur_dissector_list("ws");
    json_handle = find_dissector("json");
    lines_handle = find_dissector("data-text-lines");
    sip_handle = find_dissector("sip");
}

/* The built-in's preference websocket.text_type: 0 none, 1 lines, 2 JSON, 3 SIP. */
static unsigned text_type(void) {
    static pref_t *preference;
    if (!preference) {
        module_t *module = prefs_find_module("websocket");
        preference = module ? prefs_find_preference(module, "text_type") : NULL;
    }
    return preference ? (unsigned)prefs_get_enum_value(preference, pref_current) : 0;
}

/* One JSON value, by its first and last character that is no blank: objects and arrays only,
 * numbers and strings say nothing. */
static bool looks_like_json(tvbuff_t *tvb) {
    unsigned length = tvb_captured_length(tvb);
    const char *text = (const char *)tvb_get_ptr(tvb, 0, (int)length);
    while (length && g_ascii_isspace(*text)) {
        text++;
        length--;
    }
    while (length && g_ascii_isspace(text[length - 1]))
        length--;
    return length >= 2 && ((text[0] == '{' && text[length - 1] == '}') ||
                           (text[0] == '[' && text[length - 1] == ']'));
}

static dissector_handle_t table_handle(const struct wsx_session *session) {
    if (session->subprotocol && *session->subprotocol) {
        dissector_handle_t handle = dissector_get_string_handle(by_protocol, session->subprotocol);
        if (!handle) {
            char *lower = g_ascii_strdown(session->subprotocol, -1);
            handle = dissector_get_string_handle(by_protocol, lower);
            g_free(lower);
        }
        return handle;
    }
    return session->server_port ? dissector_get_uint_handle(by_port, session->server_port) : NULL;
}

bool wsx_payload_wanted(const struct wsx_item *item) {
    return table_handle(item->session) != NULL || text_type() == 3;
}

void wsx_payload_dissect(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                         proto_tree *top, proto_tree *payload_tree) {
    const struct wsx_message *message = item->message;
    int length = (int)tvb_captured_length(tvb);
    if (!message->incomplete && length) {
        heur_dtbl_entry_t *entry = NULL;
        dissector_handle_t handle = table_handle(item->session);
        if (handle && call_dissector_only(handle, tvb, pinfo, top, NULL))
            return;
        if (dissector_try_heuristic(heuristics, tvb, pinfo, top, &entry, NULL))
            return;
    }
    if (!message->text) {
        if (length)
            call_data_dissector(tvb, pinfo, top);
        return;
    }
    proto_tree_add_item(payload_tree, hf_b_text, tvb, 0, length, ENC_UTF_8);
    if (message->incomplete || !length)
        return;
    unsigned type = text_type();
    if (type == 1 && lines_handle)
        call_dissector(lines_handle, tvb, pinfo, top);
    else if (type == 3 && sip_handle)
        call_dissector(sip_handle, tvb, pinfo, top);
    else if (top && json_handle && (type == 2 || (wsx_json_by_sight && looks_like_json(tvb))))
        call_dissector_only(json_handle, tvb, pinfo, top, NULL);
}
