/*
 * payload.c - which dissector gets a message, and in which delivery mode: the user's table, the
 * built-in's tables and heuristics, subprotocol tokens, the first bytes, and JSON by sight. Decides
 * nothing about frames; show.c calls it with the whole message, unmasked and inflated. Streams over
 * messages are delivery.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "show.h"

#include "apps/apps.h"
#include "delivery.h"
#include "fields.h"
#include "writable.h"

#include <epan/uat.h>

wsx_bool wsx_json_by_sight = TRUE;

static dissector_table_t by_protocol, by_port;
static heur_dissector_list_t heuristics;
static bool any_heuristics;
static dissector_handle_t lines_handle, sip_handle;

/* Messages of a direction whose first bytes are looked at, where nothing else tells. */
#define SNIFFED_MESSAGES 16u

/* ---- what Wireshark has ---- */

/* Subprotocol tokens (in lower case; a last '*' stands for anything) of dissectors that Wireshark
 * has, whatever its version lists in ws.protocol. */
static const struct {
    const char *token, *dissector;
} known_tokens[] = {
    {"mqtt*", "mqtt"}, /* also mqttv3.1 */
    {"amqp*", "amqp"}, /* AMQP 1.0 binding; AMQPWSB10 of older brokers */
    {"xmpp", "xmpp"},  /* RFC 7395 */
    {"sip", "sip"},    /* RFC 7118 */
    {"coap", "coap"},  /* RFC 8323 */
    {"msrp", "msrp"},  /* RFC 7977 */
    {"bfcp", "bfcp"},  /* RFC 8857 */
    {"opcua", "opcua"},
    {"opcua+uacp", "opcua"}, /* opcua+uajson is JSON */
    {"tns*", "tns"},
    {"hub.bsc.bacnet.org", "bscvlc"},
    {"dc.bsc.bacnet.org", "bscvlc"},
    {"blip*", "blip"},
    {"rfb", "vnc"},
    {"vnc", "vnc"},
    {"irc", "irc"},
    {"text.ircv3.net", "irc"},
    {"binary.ircv3.net", "irc"},
    {"json", "json"},
    {"cbor", "cbor"},
    {"msgpack", "msgpack"},
    {"protobuf", "protobuf"},
    {"xml", "xml"},
    {"spdy/*", "spdy"}, /* port forwarding of Kubernetes since 1.30 */
};

/* Ports of dissectors that some versions register without a name. */
static const struct {
    const char *dissector;
    uint32_t port;
} known_ports[] = {{"vnc", 5900}, {"tns", 1521}, {"irc", 6667}, {"msrp", 2855}, {"opcua", 4840}};

static dissector_handle_t handle_of(const char *dissector) {
    dissector_handle_t handle = find_dissector(dissector);
    for (size_t i = 0; !handle && i < array_length(known_ports); i++)
        if (strcmp(known_ports[i].dissector, dissector) == 0)
            handle = dissector_get_default_uint_handle("tcp.port", known_ports[i].port);
    return handle;
}

/* Protocols (by filter name) that see the messages of a direction as one stream of bytes. */
static const char *const stream_protocols[] = {"mqtt", "amqp", "vnc",  "tns",  "opcua",
                                               "tls",  "ssh",  "http", "nats", "spdy"};

/* What is only asked for by its own token and costs something to draw: without a tree it is not
 * called. */
static const char *const tree_protocols[] = {"json", "cbor", "msgpack", "protobuf", "xml"};

static bool is_among(const char *name, const char *const names[], size_t count) {
    for (size_t i = 0; name && i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool token_matches(const char *pattern, const char *token) {
    size_t length = strlen(pattern);
    if (length && pattern[length - 1] == '*')
        return strncmp(pattern, token, length - 1) == 0;
    return strcmp(pattern, token) == 0;
}

/* Without regard to case and blanks. To be freed. */
static char *token_of(const struct wsx_session *session) {
    if (!session->subprotocol)
        return NULL;
    char *token = g_ascii_strdown(session->subprotocol, -1);
    return g_strstrip(token);
}

/* ---- first bytes of what a tunnel carries ---- */

static bool starts(const uint8_t *bytes, size_t length, const char *text) {
    size_t wanted = strlen(text);
    return length >= wanted && memcmp(bytes, text, wanted) == 0;
}

static bool is_ssh(const uint8_t *bytes, size_t length) {
    return starts(bytes, length, "SSH-2.0-") || starts(bytes, length, "SSH-1.");
}

static bool is_rfb(const uint8_t *bytes, size_t length) {
    return length >= 12 && starts(bytes, length, "RFB 0") && bytes[7] == '.' && bytes[11] == '\n';
}

/* A record with a ClientHello, or a ServerHello. */
static bool is_tls(const uint8_t *bytes, size_t length) {
    return length >= 10 && bytes[0] == 22 && bytes[1] == 3 && bytes[2] <= 4 && bytes[3] <= 0x40 &&
           (bytes[5] == 1 || bytes[5] == 2) && bytes[6] == 0 && bytes[9] == 3;
}

static bool is_http(const uint8_t *bytes, size_t length) {
    static const char *const begins[] = {"GET /",     "POST /",   "HEAD /",   "PUT /",
                                         "DELETE /",  "PATCH /",  "OPTIONS ", "CONNECT ",
                                         "HTTP/1.0 ", "HTTP/1.1 "};
    for (size_t i = 0; i < array_length(begins); i++)
        if (starts(bytes, length, begins[i]))
            return true;
    return false;
}

static bool is_amqp(const uint8_t *bytes, size_t length) {
    return length >= 8 && starts(bytes, length, "AMQP") && (bytes[4] <= 3);
}

/* A CONNECT by its first bytes: the protocol's name and level. */
static bool is_mqtt_connect(const uint8_t *bytes, size_t length) {
    static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'},
                         old[] = {0, 6, 'M', 'Q', 'I', 's', 'd', 'p'};
    return (length > sizeof name && memcmp(bytes, name, sizeof name) == 0) ||
           (length > sizeof old && memcmp(bytes, old, sizeof old) == 0);
}

/* MQTT: a CONNECT, whole or not, or (where the capture begins later) a whole PUBLISH with a topic
 * of printable characters. */
static bool is_mqtt(const uint8_t *bytes, size_t length) {
    size_t at = 1, rest = 0;
    for (unsigned shift = 0; at < length && shift < 28; shift += 7) {
        rest |= (size_t)(bytes[at] & 0x7F) << shift;
        if (!(bytes[at++] & 0x80))
            break;
    }
    if (length < 4 || at + 2 > length)
        return false;
    if (bytes[0] == 0x10)
        return is_mqtt_connect(bytes + at, length - at);
    size_t topic = (size_t)bytes[at] << 8 | bytes[at + 1];
    if (rest != length - at || bytes[0] >> 4 != 3 || topic < 3 || topic > rest - 2)
        return false;
    for (size_t i = 0; i < topic; i++)
        if (bytes[at + 2 + i] <= 0x20 || bytes[at + 2 + i] >= 0x7F)
            return false;
    return true;
}

static bool is_nats(const uint8_t *bytes, size_t length) { return starts(bytes, length, "INFO {"); }

static bool is_sip(const uint8_t *bytes, size_t length) {
    static const char *const begins[] = {"SIP/2.0 ", "REGISTER sip", "INVITE sip",  "ACK sip",
                                         "BYE sip",  "CANCEL sip",   "OPTIONS sip", "MESSAGE sip"};
    for (size_t i = 0; i < array_length(begins); i++)
        if (starts(bytes, length, begins[i]))
            return true;
    return false;
}

static bool is_xmpp(const uint8_t *bytes, size_t length) {
    char head[128];
    size_t look = MIN(length, sizeof head - 1);
    memcpy(head, bytes, look);
    head[look] = 0;
    return strstr(head, "urn:ietf:params:xml:ns:xmpp-framing") != NULL ||
           (head[0] == '<' && strstr(head, "jabber:client") != NULL);
}

static const struct {
    const char *dissector;
    bool text, binary; /* in which messages */
    bool (*sniff)(const uint8_t *bytes, size_t length);
} sniffers[] = {
    {"tls", false, true, is_tls}, {"ssh", true, true, is_ssh},    {"http", true, true, is_http},
    {"vnc", false, true, is_rfb}, {"mqtt", false, true, is_mqtt}, {"amqp", false, true, is_amqp},
    {"sip", true, false, is_sip}, {"xmpp", true, false, is_xmpp}, {"nats", true, true, is_nats},
};

/* ---- heuristics ---- */

static void count_heuristic(const char *table _U_, struct heur_dtbl_entry *entry, void *data) {
    *(bool *)data |= entry->enabled;
}

/* For each file: scripts in Lua register behind all plugins, and the user switches heuristics. */
static void look_for_heuristics(void) {
    any_heuristics = false;
    heur_dissector_table_foreach("ws", count_heuristic, &any_heuristics);
}

/* ---- the user's table ---- */

enum rule_kind { RULE_URI, RULE_SUBPROTOCOL };

struct rule {
    unsigned kind; /* enum rule_kind */
    char *pattern; /* a glob, without regard to case */
    char *dissector;
    unsigned mode; /* enum wsx_mode */
};

static struct rule *rules;
static unsigned rule_count;

static const value_string rule_kinds[] = {
    {RULE_URI, "URI"}, {RULE_SUBPROTOCOL, "Subprotocol"}, {0, NULL}};
static const value_string rule_modes[] = {{WSX_MODE_MESSAGE, "Message"},
                                          {WSX_MODE_UNITS, "Units"},
                                          {WSX_MODE_STREAM, "Stream"},
                                          {0, NULL}};

UAT_VS_DEF(rules, kind, struct rule, unsigned, RULE_URI, "URI")
UAT_CSTRING_CB_DEF(rules, pattern, struct rule)
UAT_CSTRING_CB_DEF(rules, dissector, struct rule)
UAT_VS_DEF(rules, mode, struct rule, unsigned, WSX_MODE_MESSAGE, "Message")

static void *rule_copy(void *to, const void *from, size_t size _U_) {
    struct rule *copy = to;
    const struct rule *rule = from;
    *copy = *rule;
    copy->pattern = g_strdup(rule->pattern);
    copy->dissector = g_strdup(rule->dissector);
    return copy;
}

static void rule_free(void *one) {
    struct rule *rule = one;
    g_free(rule->pattern);
    g_free(rule->dissector);
}

/* Of "protobuf:package.Message" the first part; for g_free. */
static char *dissector_of(const struct rule *rule) {
    const char *behind =
        g_str_has_prefix(rule->dissector, "protobuf:") ? strchr(rule->dissector, ':') : NULL;
    return behind ? g_strndup(rule->dissector, (gsize)(behind - rule->dissector))
                  : g_strdup(rule->dissector);
}

static wsx_bool rule_check(void *one, char **error) {
    const struct rule *rule = one;
    char *dissector = rule->dissector ? dissector_of(rule) : NULL;
    *error = NULL;
    if (!rule->pattern || !*rule->pattern)
        *error = g_strdup("A pattern is needed; * stands for anything");
    else if (!dissector || !handle_of(dissector))
        *error = g_strdup_printf("There is no dissector \"%s\"", dissector ? dissector : "");
    g_free(dissector);
    return *error == NULL;
}

static const struct rule *rule_of(const struct wsx_session *session) {
    for (unsigned i = 0; i < rule_count; i++) {
        const char *text = rules[i].kind == RULE_URI ? session->uri : session->subprotocol;
        if (!text || !rules[i].pattern)
            continue;
        char *pattern = g_ascii_strdown(rules[i].pattern, -1);
        char *lower = g_ascii_strdown(text, -1);
        bool matches = g_pattern_match_simple(pattern, g_strstrip(lower));
        g_free(pattern);
        g_free(lower);
        if (matches)
            return &rules[i];
    }
    return NULL;
}

void wsx_payload_register(module_t *module) {
    static uat_field_t fields[] = {
        UAT_FLD_VS(rules, kind, "What", rule_kinds, "What the pattern is held against"),
        UAT_FLD_CSTRING(rules, pattern, "Pattern",
                        "* stands for any characters, ? for one; upper and lower case are equal"),
        UAT_FLD_CSTRING(
            rules, dissector, "Dissector",
            "As in \"tshark -G dissectors\"; protobuf:NAME for messages of that type, with "
            "the search paths of Wireshark's preferences for Protobuf"),
        UAT_FLD_VS(rules, mode, "Delivery", rule_modes,
                   "Message: a message is one unit. Units: a message may hold several. Stream: the "
                   "messages of a direction are one stream of bytes"),
        UAT_END_FIELDS};
    uat_t *uat = uat_new("WebSocket payload dissectors", sizeof(struct rule), "websocket_payload",
                         TRUE, &rules, &rule_count, UAT_AFFECTS_DISSECTION, NULL, rule_copy,
                         rule_check, rule_free, NULL, NULL, fields);
    prefs_register_uat_preference(module, "payload", "Payload dissectors",
                                  "Which dissector gets the messages of which connections", uat);
    register_init_routine(look_for_heuristics);
}

/* ---- the choice ---- */

static const struct wsx_app_protocol *app_by_dissector(const char *dissector) {
    for (unsigned i = 0; dissector && wsx_apps[i]; i++)
        if (strcmp(wsx_apps[i]->dissector, dissector) == 0)
            return wsx_apps[i];
    return NULL;
}

static struct wsx_choice choice_of_handle(dissector_handle_t handle) {
    struct wsx_choice choice = {.handle = handle};
    const char *name = handle ? dissector_handle_get_dissector_name(handle) : NULL;
    int index = handle ? dissector_handle_get_protocol_index(handle) : -1;
    const char *protocol = index > 0 ? proto_get_protocol_filter_name(index) : NULL;
    choice.app = app_by_dissector(name);
    if (choice.app)
        choice.mode = choice.app->mode;
    else if (is_among(protocol, stream_protocols, array_length(stream_protocols)))
        choice.mode = WSX_MODE_STREAM;
    choice.framer = wsx_framer_of(protocol);
    choice.tree_only = is_among(protocol, tree_protocols, array_length(tree_protocols));
    return choice;
}

static struct wsx_choice choice_by_name(const char *dissector) {
    return choice_of_handle(handle_of(dissector));
}

/* The table that the user filled comes before everything. */
static struct wsx_choice choice_by_rule(const struct wsx_session *session) {
    const struct rule *rule = rule_of(session);
    if (!rule)
        return (struct wsx_choice){0};
    char *dissector = dissector_of(rule);
    struct wsx_choice choice = choice_by_name(dissector);
    if (strcmp(dissector, rule->dissector) != 0)
        choice.about = wmem_strdup_printf(wmem_file_scope(), "message,%s",
                                          rule->dissector + strlen(dissector) + 1);
    g_free(dissector);
    choice.mode = (enum wsx_mode)rule->mode;
    return choice;
}

/* The built-in's tables: of the subprotocol, else of the port. */
static struct wsx_choice choice_by_table(const struct wsx_session *session, const char *token) {
    dissector_handle_t handle = NULL;
    if (token && *token)
        handle = dissector_get_string_handle(by_protocol, session->subprotocol);
    if (!handle && token && *token)
        handle = dissector_get_string_handle(by_protocol, token);
    if (!handle && session->server.port)
        handle = dissector_get_uint_handle(by_port, session->server.port);
    return choice_of_handle(handle);
}

static struct wsx_choice choice_by_token(const char *token) {
    struct wsx_choice choice = {0};
    if (!token || !*token)
        return choice;
    for (unsigned i = 0; wsx_apps[i]; i++)
        for (unsigned t = 0; wsx_apps[i]->tokens && wsx_apps[i]->tokens[t]; t++)
            if (token_matches(wsx_apps[i]->tokens[t], token))
                return choice_by_name(wsx_apps[i]->dissector);
    for (size_t i = 0; !choice.handle && i < array_length(known_tokens); i++)
        if (token_matches(known_tokens[i].token, token))
            choice = choice_by_name(known_tokens[i].dissector);
    return choice;
}

/* By the first byte of wsx_app_protocol.member: a bit for each of wsx_apps. */
static uint32_t apps_by_byte[256];
static size_t member_length[32]; /* of each of wsx_apps */
/* A bit for each of wsx_apps: with `sniff`; of those the ones that a message beginning with '{' may
 * be of; of those the ones with no member to look for, and with a part of the URI to look for. */
static uint32_t apps_sniffing, apps_of_objects, apps_always_asked, apps_by_uri;

/* The number of a mask's lowest bit. */
static int lowest(uint32_t mask) { return __builtin_ctz(mask); }

/* Of the candidates those whose member's name begins here and ends before a quotation mark. */
static uint32_t apps_named_at(uint32_t candidates, const uint8_t *at, const uint8_t *end) {
    uint32_t named = 0;
    for (; candidates; candidates &= candidates - 1) {
        int i = lowest(candidates);
        if (member_length[i] < (size_t)(end - at) && at[member_length[i]] == '"' &&
            memcmp(at, wsx_apps[i]->member, member_length[i]) == 0)
            named |= UINT32_C(1) << i;
    }
    return named;
}

/* A bit for each of wsx_apps that a message beginning with '{' names the member of: what stands
 * between two quotation marks. An escape may hide any name. */
static uint32_t named_apps(const uint8_t *bytes, size_t length) {
    const uint8_t *at = bytes, *end = bytes + length;
    uint32_t named = 0;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL && ++at < end)
        if (*at == 'u')
            return UINT32_MAX;
    at = bytes;
    while ((at = memchr(at, '"', (size_t)(end - at))) != NULL && ++at < end)
        if (apps_by_byte[*at])
            named |= apps_named_at(apps_by_byte[*at], at, end);
    return named;
}

/* Those to ask about a message that begins with '{', see wsx_app_protocol.member. */
static uint32_t asked_of_object(const struct wsx_session *session, const uint8_t *bytes,
                                size_t length) {
    uint32_t asked = apps_always_asked | (named_apps(bytes, length) & apps_of_objects);
    for (uint32_t rest = session->uri ? apps_by_uri : 0; rest; rest &= rest - 1)
        if (strstr(session->uri, wsx_apps[lowest(rest)]->uri_part))
            asked |= rest & ~(rest - 1);
    return asked;
}

static struct wsx_choice choice_by_bytes(const struct wsx_item *item, const uint8_t *bytes,
                                         size_t length) {
    bool text = item->message->text, object = length && bytes[0] == '{';
    uint32_t asked = object ? asked_of_object(item->session, bytes, length) : apps_sniffing;
    for (; asked; asked &= asked - 1) {
        const struct wsx_app_protocol *app = wsx_apps[lowest(asked)];
        if (app->sniff(item->session, bytes, length, text, item->direction))
            return choice_by_name(app->dissector);
    }
    if (object) /* none of those below begins so */
        return (struct wsx_choice){0};
    for (size_t i = 0; i < array_length(sniffers); i++)
        if ((text ? sniffers[i].text : sniffers[i].binary) && sniffers[i].sniff(bytes, length))
            return choice_by_name(sniffers[i].dissector);
    return (struct wsx_choice){0};
}

/* What is known of the connection before any of its messages. */
static struct wsx_delivery *delivery_of(const struct wsx_session *session) {
    bool fresh;
    struct wsx_delivery *delivery = wsx_delivery_of(session, &fresh);
    if (!fresh)
        return delivery;
    char *token = token_of(session);
    delivery->first = choice_by_rule(session);
    if (!delivery->first.handle)
        delivery->first = choice_by_table(session, token);
    delivery->second = choice_by_token(token);
    g_free(token);
    return delivery;
}

/* The direction's first bytes, when all came in binary messages too short to tell. */
static void keep_head(struct wsx_delivery *delivery, const struct wsx_item *item,
                      const uint8_t *bytes, size_t length) {
    unsigned *kept = &delivery->head_length[item->direction];
    bool first = delivery->sniffed[item->direction] == 1;
    if (item->message->text || (!first && !*kept) || *kept + length > WSX_HEAD_BYTES) {
        *kept = 0;
        return;
    }
    memcpy(delivery->head[item->direction] + *kept, bytes, length);
    *kept += (unsigned)length;
}

/* First pass: looks at the first bytes. */
static void sniff(struct wsx_delivery *delivery, const struct wsx_item *item, tvbuff_t *tvb,
                  wmem_allocator_t *pool) {
    size_t length = tvb_captured_length(tvb);
    if (delivery->second.handle || delivery->sniffed[item->direction] >= SNIFFED_MESSAGES)
        return;
    delivery->sniffed[item->direction]++;
    const uint8_t *bytes = tvb_get_ptr(tvb, 0, (int)length);
    const uint8_t *head = delivery->head[item->direction];
    unsigned before = delivery->head_length[item->direction];
    delivery->second = choice_by_bytes(item, bytes, length);
    if (!delivery->second.handle && before && !item->message->text) {
        uint8_t *both = wmem_alloc(pool, before + length);
        memcpy(both, head, before);
        memcpy(both + before, bytes, length);
        struct wsx_choice choice = choice_by_bytes(item, both, before + length);
        if (choice.mode == WSX_MODE_STREAM) {
            delivery->second = choice;
            wsx_deliver_seed(delivery, item, head, before);
        }
    }
    if (!delivery->second.handle)
        keep_head(delivery, item, bytes, length);
    delivery->since_packet = item->packet;
    delivery->since_direction = item->direction;
    delivery->since_message = item->message_index;
}

/* Whether the choice that the first bytes gave was made by then. */
static bool is_chosen(const struct wsx_delivery *delivery, const struct wsx_item *item) {
    if (item->packet != delivery->since_packet)
        return item->packet > delivery->since_packet;
    return item->direction == delivery->since_direction
               ? item->message_index >= delivery->since_message
               : true;
}

/* ---- what show.c calls ---- */

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

bool wsx_payload_wanted(const struct wsx_item *item) {
    const struct wsx_delivery *delivery = delivery_of(item->session);
    if (delivery->first.handle || any_heuristics || text_type() == 3)
        return true;
    if (delivery->second.handle)
        return !delivery->second.tree_only;
    return delivery->sniffed[item->direction] < SNIFFED_MESSAGES;
}

static bool dissect_by_choice(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                              proto_tree *top, proto_tree *payload_tree) {
    struct wsx_delivery *delivery = delivery_of(item->session);
    if (delivery->first.handle &&
        wsx_deliver(delivery, &delivery->first, item, tvb, pinfo, top, payload_tree))
        return true;
    if (wsx_state_first_pass(pinfo) && !delivery->first.handle)
        sniff(delivery, item, tvb, pinfo->pool);
    if (delivery->second.handle && is_chosen(delivery, item) &&
        (top || !delivery->second.tree_only) &&
        wsx_deliver(delivery, &delivery->second, item, tvb, pinfo, top, payload_tree))
        return true;
    /* what is known goes before: the heuristic of RDP (4.6) takes many other bytes, too */
    return any_heuristics && wsx_deliver_heuristic(heuristics, item, tvb, pinfo, top);
}

static void dissect_text_by_sight(tvbuff_t *tvb, packet_info *pinfo, proto_tree *top) {
    unsigned type = text_type();
    if (type == 1 && lines_handle)
        wsx_app_call_handle(lines_handle, tvb, pinfo, top, NULL);
    else if (type == 3 && sip_handle)
        wsx_app_call_handle(sip_handle, tvb, pinfo, top, NULL);
    else if (top && (type == 2 || (wsx_json_by_sight && looks_like_json(tvb))))
        wsx_app_json(tvb, 0, (int)tvb_captured_length(tvb), pinfo, top);
}

static void dissect_message(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                            proto_tree *top, proto_tree *payload_tree) {
    const struct wsx_message *message = item->message;
    int length = (int)tvb_captured_length(tvb);
    if (message->text)
        wsx_add_text(payload_tree, hf_b_text, tvb);
    if (!message->incomplete && length && dissect_by_choice(item, tvb, pinfo, top, payload_tree))
        return;
    if (message->incomplete)
        wsx_deliver_gap(delivery_of(item->session), item, pinfo);
    if (!message->text && length)
        call_data_dissector(tvb, pinfo, top);
    else if (!message->incomplete && length)
        dissect_text_by_sight(tvb, pinfo, top);
}

/* Each dissector stays in the list of the packet's layers, and Wireshark calls none any more when
 * the list is as long as a tree may be deep (gui.max_tree_depth, 500): a packet with hundreds of
 * messages ended in a dissector bug. */
#define WSX_LAYERS_KEPT 64u

void wsx_payload_dissect(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                         proto_tree *top, proto_tree *payload_tree) {
    unsigned before = wmem_list_count(pinfo->layers);
    dissect_message(item, tvb, pinfo, top, payload_tree);
    unsigned kept = MAX(before, WSX_LAYERS_KEPT);
    while (wmem_list_count(pinfo->layers) > kept)
        wmem_list_remove_frame(pinfo->layers, wmem_list_tail(pinfo->layers));
}

static void note_offered(const char *table _U_, ftenum_t type _U_, void *key _U_, void *value,
                         void *offered) {
    dissector_handle_t handle = dtbl_entry_get_handle(value);
    const char *name = handle ? dissector_handle_get_protocol_short_name(handle) : NULL;
    if (name)
        g_hash_table_insert(offered, wsx_writable(name), handle);
}

/* What the user can choose by Decode As: each protocol once, since Wireshark asks for that. CoAP of
 * 4.6 has put another handle into ws.protocol than the one that is found by its name. */
static void offer(const char *dissector, GHashTable *offered, GHashTable *by_others) {
    struct wsx_choice choice = choice_by_name(dissector);
    const char *name =
        choice.handle ? dissector_handle_get_protocol_short_name(choice.handle) : NULL;
    if (!name || !g_hash_table_add(offered, wsx_writable(name)))
        return;
    dissector_add_for_decode_as("ws.port", choice.handle);
    dissector_handle_t other = g_hash_table_lookup(by_others, name);
    if (!other || other == choice.handle)
        dissector_add_for_decode_as("ws.protocol", choice.handle);
}

static void offer_all(void) {
    GHashTable *offered = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTable *by_others = g_hash_table_new(g_str_hash, g_str_equal);
    dissector_table_foreach("ws.protocol", note_offered, by_others);
    for (unsigned i = 0; wsx_apps[i]; i++)
        offer(wsx_apps[i]->dissector, offered, by_others);
    for (size_t i = 0; i < array_length(known_tokens); i++)
        offer(known_tokens[i].dissector, offered, by_others);
    for (size_t i = 0; i < array_length(sniffers); i++)
        offer(sniffers[i].dissector, offered, by_others);
    g_hash_table_destroy(offered);
    g_hash_table_destroy(by_others);
}

static void note_app(unsigned number) {
    const struct wsx_app_protocol *app = wsx_apps[number];
    uint32_t bit = UINT32_C(1) << number;
    if (!app->sniff)
        return;
    apps_sniffing |= bit;
    if (app->no_object)
        return;
    apps_of_objects |= bit;
    if (!app->member) {
        apps_always_asked |= bit;
        return;
    }
    member_length[number] = strlen(app->member);
    apps_by_byte[(uint8_t)app->member[0]] |= bit;
    if (app->uri_part)
        apps_by_uri |= bit;
}

void wsx_payload_handoff(void) {
    by_protocol = find_dissector_table("ws.protocol");
    by_port = find_dissector_table("ws.port");
    heuristics = find_heur_dissector_list("ws");
    for (unsigned i = 0; wsx_apps[i]; i++)
        note_app(i);
    lines_handle = find_dissector("data-text-lines");
    sip_handle = find_dissector("sip");
    offer_all();
}
