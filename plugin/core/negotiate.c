/*
 * negotiate.c - the rules of the opening handshake: the request by itself, and the response held
 * against it, which gives the agreement. RFC 6455 4.1, 4.2, 4.4, 9.1, 11.3; RFC 7692 5, 7.1;
 * RFC 8441 5. Reads no bytes: see handshake.c for heads and extensions.c for the grammar.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "handshake.h"

#include "credentials.h"
#include "extensions.h"
#include "tokens.h"

#include <glib.h>
#include <string.h>

#define KEY_LENGTH 24u /* base64 of 16 bytes */
/* Lines of a repeated key that are tried against the Accept: each costs a SHA-1. */
#define KEYS_TRIED 16

static bool absent(const struct wsx_head *head, const char *value) { return !value && !head->cut; }

/* ---- the request ---- */

/* Bits of the last character that stand for nothing may be set: RFC 4648 3.5 leaves it to the
 * reader. */
static bool key_is_valid(struct wsx_slice key) {
    if (key.length != KEY_LENGTH || memcmp(key.at + KEY_LENGTH - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < KEY_LENGTH - 2; i++)
        if (!g_ascii_isalnum(key.at[i]) && key.at[i] != '+' && key.at[i] != '/')
            return false;
    return true;
}

static void check_key_value(struct wsx_slice key, GString **bad) {
    struct wsx_shown shown;
    if (!key_is_valid(key))
        wsx_detail_add(bad, "seen \"%s\" (%zu characters), expected the base64 of 16 bytes",
                       wsx_show(&shown, key), key.length);
}

static void check_key(const struct wsx_head *request, const struct wsx_finding_sink *sink) {
    if (absent(request, request->key))
        wsx_report(sink, WSX_RULE_HS_KEY_MISSING, 0, "%s", "");
    if (!request->key)
        return;
    GString *bad = NULL;
    struct wsx_shown shown;
    struct wsx_slice key = wsx_slice_of(request->key), rest = key;
    if (request->key_lines > 1) {
        wsx_report(sink, WSX_RULE_HS_KEY_REPEATED, 0, "%u lines: %s", request->key_lines,
                   wsx_show(&shown, key));
        while (wsx_list_next(&rest, &key))
            check_key_value(key, &bad);
    } else {
        check_key_value(key, &bad);
    }
    wsx_detail_report(&bad, sink, WSX_RULE_HS_KEY_INVALID, 0);
}

/* Upgrade and Connection, of a request that asks or of a 101. A request without a key and without
 * websocket in Upgrade asks for some other protocol. */
static void check_upgrade(const struct wsx_head *head, const struct wsx_finding_sink *sink) {
    struct wsx_shown shown;
    bool judged = !head->request || head->key || head->upgrade_websocket;
    if (judged && !head->upgrade_websocket && (head->upgrade || !head->cut))
        wsx_report(sink, WSX_RULE_HS_UPGRADE_MISSING, 0, "%s%s, expected websocket",
                   head->upgrade ? "seen Upgrade: " : "no Upgrade header",
                   wsx_show(&shown, wsx_slice_of(head->upgrade)));
    if (judged && !head->connection_upgrade && (head->connection || !head->cut))
        wsx_report(sink, WSX_RULE_HS_CONNECTION_MISSING, 0, "%s%s, expected Upgrade",
                   head->connection ? "seen Connection: " : "no Connection header",
                   wsx_show(&shown, wsx_slice_of(head->connection)));
}

/* The rules that only HTTP/1 has. */
static void check_request_http1(const struct wsx_head *request,
                                const struct wsx_finding_sink *sink) {
    struct wsx_shown shown;
    if (request->method && strcmp(request->method, "GET") != 0)
        wsx_report(sink, WSX_RULE_HS_METHOD_NOT_GET, 0, "seen %s, expected GET",
                   wsx_show(&shown, wsx_slice_of(request->method)));
    if (request->major < 1 || (request->major == 1 && request->minor < 1))
        wsx_report(sink, WSX_RULE_HS_HTTP_VERSION_OLD, 0,
                   "seen HTTP/%u.%u, expected HTTP/1.1 or later", request->major, request->minor);
    check_upgrade(request, sink);
    check_key(request, sink);
}

/* Headers that a request and a response alike may not have under HTTP/2 and 3. */
static void check_http2_headers(const struct wsx_head *head, const struct wsx_finding_sink *sink) {
    GString *forbidden = NULL;
    struct wsx_shown shown;
    if (!head->request && head->status == 101)
        wsx_detail_add(&forbidden, "status 101, expected 200");
    if (head->connection)
        wsx_detail_add(&forbidden, "Connection: %s",
                       wsx_show(&shown, wsx_slice_of(head->connection)));
    if (head->upgrade)
        wsx_detail_add(&forbidden, "Upgrade: %s", wsx_show(&shown, wsx_slice_of(head->upgrade)));
    wsx_detail_report(&forbidden, sink, WSX_RULE_H2_HEADER_FORBIDDEN, 0);
    const char *key = head->request ? head->key : head->accept;
    if (key)
        wsx_report(sink, WSX_RULE_H2_KEY_PRESENT, 0, "%s: %s",
                   head->request ? "Sec-WebSocket-Key" : "Sec-WebSocket-Accept",
                   wsx_show(&shown, wsx_slice_of(key)));
}

static void check_pseudo_headers(const struct wsx_head *request,
                                 const struct wsx_finding_sink *sink) {
    GString *missing = NULL;
    /* Without :protocol it is no extended CONNECT. */
    if (!request->protocol_pseudo)
        return;
    if (absent(request, request->scheme))
        wsx_detail_add(&missing, ":scheme");
    if (absent(request, request->target))
        wsx_detail_add(&missing, ":path");
    wsx_detail_report(&missing, sink, WSX_RULE_H2_PSEUDO_HEADER_MISSING, 0);
}

static void check_version(const struct wsx_head *request, const struct wsx_finding_sink *sink) {
    struct wsx_shown shown;
    if (absent(request, request->version))
        wsx_report(sink, WSX_RULE_HS_VERSION_MISSING, 0, "expected 13");
    else if (request->version && strcmp(request->version, "13") != 0)
        wsx_report(sink, WSX_RULE_HS_VERSION_UNSUPPORTED, 0, "seen %s, expected 13",
                   wsx_show(&shown, wsx_slice_of(request->version)));
}

/* True when some element is a credential. The elements beside it are then not printed either:
 * browsers can only send "name, secret". */
static bool holds_credential(const char *list) {
    struct wsx_slice rest = wsx_slice_of(list), element;
    while (wsx_list_next(&rest, &element))
        if (wsx_credential_subprotocol(element))
            return true;
    return false;
}

static const char *show_subprotocol(struct wsx_shown *shown, struct wsx_slice subprotocol,
                                    bool hide) {
    if (hide || wsx_credential_subprotocol(subprotocol))
        return "(hidden)";
    return wsx_show(shown, subprotocol);
}

/* A set of names that it owns: lists of thousands of names would make plain searches quadratic. */
static GHashTable *set_new(void) {
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static bool set_has(GHashTable *set, struct wsx_slice name, bool fold) {
    char *copy =
        fold ? g_ascii_strdown(name.at, (gssize)name.length) : g_strndup(name.at, name.length);
    bool found = g_hash_table_contains(set, copy);
    g_free(copy);
    return found;
}

static void check_subprotocol_offer(const struct wsx_head *request,
                                    const struct wsx_finding_sink *sink) {
    if (!request->protocol)
        return;
    GString *bad = NULL;
    bool hide = holds_credential(request->protocol);
    GHashTable *seen = set_new();
    struct wsx_slice rest = wsx_slice_of(request->protocol), element;
    struct wsx_shown shown;
    unsigned number = 0;
    while (wsx_list_next(&rest, &element)) {
        const char *name = show_subprotocol(&shown, element, hide);
        number++;
        if (!wsx_is_token(element))
            wsx_detail_add(&bad, "number %u, %s, is not a token", number, name);
        if (!g_hash_table_add(seen, g_strndup(element.at, element.length)))
            wsx_detail_add(&bad, "number %u, %s, repeats an earlier one", number, name);
    }
    if (!number)
        wsx_detail_add(&bad, "the list is empty");
    g_hash_table_destroy(seen);
    wsx_detail_report(&bad, sink, WSX_RULE_HS_SUBPROTOCOL_OFFER_INVALID, 0);
}

static void report_grammar(const struct wsx_extension_list *list, const struct wsx_head *head,
                           const struct wsx_finding_sink *sink) {
    struct wsx_shown shown;
    /* The cut may have gone through a quoted value. */
    if (list->fault && !head->values_cut)
        wsx_report(sink, WSX_RULE_HS_EXTENSION_GRAMMAR, 0, "byte %zu: %s in \"%s\"", list->fault_at,
                   list->fault, wsx_show(&shown, wsx_slice_of(head->extensions)));
}

static void report_deflate_faults(struct wsx_deflate_faults *faults,
                                  const struct wsx_finding_sink *sink) {
    wsx_detail_report(&faults->unknown, sink, WSX_RULE_DEFLATE_PARAM_UNKNOWN, 0);
    wsx_detail_report(&faults->repeated, sink, WSX_RULE_DEFLATE_PARAM_REPEATED, 0);
    wsx_detail_report(&faults->value, sink, WSX_RULE_DEFLATE_PARAM_VALUE, 0);
}

static bool is_deflate(const struct wsx_extension *extension) {
    return wsx_slice_is_nocase(extension->name, WSX_DEFLATE_NAME);
}

static void check_extension_offer(const struct wsx_head *request,
                                  const struct wsx_finding_sink *sink) {
    struct wsx_extension_list offers;
    struct wsx_deflate_faults faults = {NULL, NULL, NULL};
    wsx_extensions_parse(request->extensions, &offers);
    report_grammar(&offers, request, sink);
    for (size_t i = 0; i < offers.count; i++) {
        struct wsx_deflate_parameters ignored;
        if (is_deflate(&offers.items[i]))
            wsx_deflate_read(&offers.items[i], false, &ignored, &faults);
    }
    report_deflate_faults(&faults, sink);
    wsx_extensions_clear(&offers);
}

void wsx_handshake_check_request(const struct wsx_head *request, bool encrypted,
                                 const struct wsx_finding_sink *sink) {
    if (request->http == WSX_HTTP_1) {
        check_request_http1(request, sink);
    } else {
        check_http2_headers(request, sink);
        check_pseudo_headers(request, sink);
    }
    check_version(request, sink);
    if (absent(request, request->host))
        wsx_report(sink, WSX_RULE_HS_HOST_MISSING, 0, "%s",
                   request->http == WSX_HTTP_1 ? "" : "neither :authority nor Host");
    check_subprotocol_offer(request, sink);
    check_extension_offer(request, sink);
    if (absent(request, request->origin) && request->user_agent &&
        g_str_has_prefix(request->user_agent, "Mozilla/"))
        wsx_report(sink, WSX_RULE_HS_ORIGIN_MISSING, 0, "the User-Agent is a browser's");
    char *credentials = encrypted ? NULL : wsx_credential_kinds(request);
    if (credentials)
        wsx_report(sink, WSX_RULE_HS_CLEARTEXT_CREDENTIALS, 0, "%s", credentials);
    g_free(credentials);
}

/* ---- the response ---- */

void wsx_agreement_init(struct wsx_agreement *agreement) {
    *agreement = (struct wsx_agreement){
        .client_bits = 15, .server_bits = 15, .client_takeover = true, .server_takeover = true};
}

void wsx_agreement_clear(struct wsx_agreement *agreement) {
    g_free(agreement->subprotocol);
    g_free(agreement->extensions);
    memset(agreement, 0, sizeof *agreement);
}

static void report_refused(const struct wsx_head *response, uint32_t request_packet,
                           const struct wsx_finding_sink *sink) {
    struct wsx_shown reason, versions;
    bool named = response->reason && *response->reason;
    const char *text = named ? wsx_show(&reason, wsx_slice_of(response->reason)) : "";
    if (response->version)
        wsx_report(sink, WSX_RULE_HS_REFUSED, request_packet,
                   "status %u%s%s, the server supports versions %s", response->status,
                   named ? " " : "", text, wsx_show(&versions, wsx_slice_of(response->version)));
    else
        wsx_report(sink, WSX_RULE_HS_REFUSED, request_packet, "status %u%s%s%s", response->status,
                   named ? " " : "", text,
                   response->status == 426 && !response->cut
                       ? ", the versions that the server supports are not given"
                       : "");
}

/* Of a repeated header each line's value is tried, and all of them joined. */
static bool any_accept_is(const struct wsx_head *response, const char *expected) {
    if (!strcmp(response->accept, expected))
        return true;
    struct wsx_slice rest = wsx_slice_of(response->accept), element;
    while (response->accept_lines > 1 && wsx_list_next(&rest, &element))
        if (wsx_slice_is(element, expected))
            return true;
    return false;
}

/* expected_for_all: for the key as it stands. */
static bool accept_fits_key(const struct wsx_head *response, const struct wsx_head *request,
                            const char *expected_for_all) {
    char expected[29];
    if (any_accept_is(response, expected_for_all))
        return true;
    /* The server took one of a repeated key's lines. */
    struct wsx_slice rest = wsx_slice_of(request->key), key;
    for (int i = 0; request->key_lines > 1 && i < KEYS_TRIED && wsx_list_next(&rest, &key); i++) {
        char *copy = g_strndup(key.at, key.length);
        wsx_accept_for_key(copy, expected);
        g_free(copy);
        if (any_accept_is(response, expected))
            return true;
    }
    return false;
}

static void check_accept(const struct wsx_head *request, uint32_t request_packet,
                         const struct wsx_head *response, const struct wsx_finding_sink *sink) {
    struct wsx_shown seen, key;
    char expected[29] = "";
    bool key_known = request && request->key && !request->values_cut;
    if (key_known)
        wsx_accept_for_key(request->key, expected);
    if (!response->accept) {
        if (!response->cut)
            wsx_report(sink, WSX_RULE_HS_ACCEPT_MISSING, request_packet, "%s%s",
                       key_known ? "expected " : "", expected);
        return;
    }
    bool wrong = key_known && !accept_fits_key(response, request, expected);
    if (!wrong && response->accept_lines < 2)
        return;
    wsx_show(&seen, wsx_slice_of(response->accept));
    if (response->accept_lines > 1)
        wsx_report(sink, WSX_RULE_HS_ACCEPT_REPEATED, request_packet, "%u lines: %s",
                   response->accept_lines, seen.text);
    if (wrong)
        wsx_report(sink, WSX_RULE_HS_ACCEPT_WRONG, request_packet,
                   "seen \"%s\", expected %s for key %s", seen.text, expected,
                   wsx_show(&key, wsx_slice_of(request->key)));
}

/* RFC 6455 4.2.2: one of the offered names, compared byte for byte, and only one. */
static void choose_subprotocol(const struct wsx_head *request, uint32_t request_packet,
                               const struct wsx_head *response, struct wsx_agreement *agreement,
                               const struct wsx_finding_sink *sink) {
    if (!response->protocol)
        return;
    struct wsx_shown shown;
    bool hide =
        holds_credential(response->protocol) || (request && holds_credential(request->protocol));
    size_t count = wsx_list_count(response->protocol);
    struct wsx_slice rest = wsx_slice_of(response->protocol), element;
    if (count > 1 || response->protocol_lines > 1)
        wsx_report(sink, WSX_RULE_HS_SUBPROTOCOL_MULTIPLE, request_packet, "%zu names: %s", count,
                   hide ? "(hidden)" : wsx_show(&shown, rest));
    GHashTable *offered = set_new();
    struct wsx_slice offers = wsx_slice_of(request ? request->protocol : NULL);
    while (wsx_list_next(&offers, &element))
        g_hash_table_add(offered, g_strndup(element.at, element.length));
    bool judged = request && !request->cut && !request->values_cut;
    GString *strange = NULL;
    while (wsx_list_next(&rest, &element)) {
        if (!agreement->subprotocol)
            agreement->subprotocol = g_strndup(element.at, element.length);
        if (judged && !set_has(offered, element, false))
            wsx_detail_add(&strange, "chosen %s", show_subprotocol(&shown, element, hide));
    }
    if (judged && !count)
        wsx_detail_add(&strange, "chosen an empty name");
    if (strange && !request->protocol)
        wsx_detail_add(&strange, "nothing was offered");
    else if (strange)
        wsx_detail_add(&strange, "offered %s",
                       hide ? "(hidden)" : wsx_show(&shown, wsx_slice_of(request->protocol)));
    wsx_detail_report(&strange, sink, WSX_RULE_HS_SUBPROTOCOL_NOT_OFFERED, request_packet);
    g_hash_table_destroy(offered);
}

/* What is wrong with a permessage-deflate answer as the acceptance of one offer, as bits. */
enum misfit {
    MISFIT_SERVER_WINDOW = 1,
    MISFIT_SERVER_TAKEOVER = 2,
    MISFIT_CLIENT_WINDOW = 4,
};

static unsigned misfits(const struct wsx_deflate_parameters *offer,
                        const struct wsx_deflate_parameters *answer) {
    unsigned found = 0;
    /* A bad value in the answer is a fault of its own and not compared: only the good ones are. */
    bool server_asked = offer->good & WSX_SERVER_BITS;
    if (server_asked &&
        (!(answer->present & WSX_SERVER_BITS) ||
         ((answer->good & WSX_SERVER_BITS) && answer->server_bits > offer->server_bits)))
        found |= MISFIT_SERVER_WINDOW;
    if ((offer->good & WSX_SERVER_NO_TAKEOVER) && !(answer->present & WSX_SERVER_NO_TAKEOVER))
        found |= MISFIT_SERVER_TAKEOVER;
    /* The value of an offered client_max_window_bits is a hint, which the server may ignore (RFC
     * 7692 7.1.2.2): only whether it is there counts. */
    if ((answer->present & WSX_CLIENT_BITS) && !(offer->present & WSX_CLIENT_BITS))
        found |= MISFIT_CLIENT_WINDOW;
    return found;
}

static void report_misfits(unsigned found, const struct wsx_deflate_parameters *offer,
                           const struct wsx_deflate_parameters *answer, uint32_t request_packet,
                           const struct wsx_finding_sink *sink) {
    if ((found & MISFIT_SERVER_WINDOW) && (answer->present & WSX_SERVER_BITS))
        wsx_report(sink, WSX_RULE_DEFLATE_SERVER_WINDOW_REFUSED, request_packet,
                   "offered server_max_window_bits=%u, answered %u, expected at most %u",
                   offer->server_bits, answer->server_bits, offer->server_bits);
    else if (found & MISFIT_SERVER_WINDOW)
        wsx_report(sink, WSX_RULE_DEFLATE_SERVER_WINDOW_REFUSED, request_packet,
                   "offered server_max_window_bits=%u, the answer has none", offer->server_bits);
    if (found & MISFIT_SERVER_TAKEOVER)
        wsx_report(sink, WSX_RULE_DEFLATE_TAKEOVER_REFUSED, request_packet,
                   "offered server_no_context_takeover, the answer lacks it");
    if (found & MISFIT_CLIENT_WINDOW)
        wsx_report(sink, WSX_RULE_DEFLATE_CLIENT_WINDOW_NOT_OFFERED, request_packet,
                   "answered client_max_window_bits, the offer has none");
}

/*
 * Holds the answer against the good offers: a server must decline a faulty one (RFC 7692 7.1). When
 * it fits none of them, the first is what it is blamed with; when there is none, there is nothing
 * that the answer should have been.
 */
static void judge_deflate(const struct wsx_extension_list *offers,
                          const struct wsx_deflate_parameters *answer, uint32_t request_packet,
                          const struct wsx_finding_sink *sink) {
    struct wsx_deflate_parameters first, offer;
    unsigned first_found = 0;
    for (size_t i = 0; i < offers->count; i++) {
        if (!is_deflate(&offers->items[i]))
            continue;
        struct wsx_deflate_faults ignored = {NULL, NULL, NULL};
        wsx_deflate_read(&offers->items[i], false, &offer, &ignored);
        wsx_detail_drop(&ignored.unknown);
        wsx_detail_drop(&ignored.repeated);
        wsx_detail_drop(&ignored.value);
        if (offer.faulty)
            continue;
        unsigned found = misfits(&offer, answer);
        if (!found)
            return;
        if (!first_found) {
            first = offer;
            first_found = found;
        }
    }
    if (first_found)
        report_misfits(first_found, &first, answer, request_packet, sink);
}

static void agree_deflate(const struct wsx_deflate_parameters *answer,
                          struct wsx_agreement *agreement) {
    agreement->deflate = true;
    agreement->client_bits = answer->client_bits;
    agreement->server_bits = answer->server_bits;
    agreement->client_takeover = !(answer->good & WSX_CLIENT_NO_TAKEOVER);
    agreement->server_takeover = !(answer->good & WSX_SERVER_NO_TAKEOVER);
}

/* One pass over the answered extensions; `offers` is NULL when what was offered isn't fully known.
 */
static void agree_extensions(const struct wsx_extension_list *answers,
                             const struct wsx_extension_list *offers, uint32_t request_packet,
                             struct wsx_agreement *agreement, const struct wsx_finding_sink *sink) {
    if (!answers->count)
        return;
    struct wsx_deflate_faults faults = {NULL, NULL, NULL};
    struct wsx_shown shown;
    GString *unknown = NULL, *strange = NULL;
    GHashTable *offered = set_new();
    for (size_t i = 0; offers && i < offers->count; i++)
        g_hash_table_add(offered, g_ascii_strdown(offers->items[i].name.at,
                                                  (gssize)offers->items[i].name.length));
    for (size_t i = 0; i < answers->count; i++) {
        const struct wsx_extension *answer = &answers->items[i];
        const char *name = wsx_show(&shown, answer->name);
        bool asked = set_has(offered, answer->name, true);
        if (offers && !asked)
            wsx_detail_add(&strange, "%s", name);
        if (!is_deflate(answer)) {
            wsx_detail_add(&unknown, "%s", name);
            agreement->unknown_extension = true;
            continue;
        }
        struct wsx_deflate_parameters parameters;
        wsx_deflate_read(answer, true, &parameters, &faults);
        if (agreement->deflate)
            continue;
        agree_deflate(&parameters, agreement);
        /* Behind a fault of grammar a parameter may stand that would make it fit. */
        if (offers && asked && !answer->broken)
            judge_deflate(offers, &parameters, request_packet, sink);
    }
    g_hash_table_destroy(offered);
    wsx_detail_report(&strange, sink, WSX_RULE_HS_EXTENSION_NOT_OFFERED, request_packet);
    wsx_detail_report(&unknown, sink, WSX_RULE_HS_EXTENSION_UNKNOWN, 0);
    report_deflate_faults(&faults, sink);
}

static void negotiate_extensions(const struct wsx_head *request, uint32_t request_packet,
                                 const struct wsx_head *response, struct wsx_agreement *agreement,
                                 const struct wsx_finding_sink *sink) {
    struct wsx_extension_list answers, offers;
    wsx_extensions_parse(response->extensions, &answers);
    wsx_extensions_parse(request ? request->extensions : NULL, &offers);
    report_grammar(&answers, response, sink);
    bool known = request && !request->cut && !request->values_cut && !offers.fault;
    agree_extensions(&answers, known ? &offers : NULL, request_packet, agreement, sink);
    /* Behind a fault of grammar, any other extension may stand. */
    if (answers.fault && strchr(response->extensions + answers.fault_at, ','))
        agreement->unknown_extension = true;
    if (response->extensions && *response->extensions)
        agreement->extensions = g_strdup(response->extensions);
    wsx_extensions_clear(&answers);
    wsx_extensions_clear(&offers);
}

void wsx_handshake_check_response(const struct wsx_head *request, uint32_t request_packet,
                                  const struct wsx_head *response, struct wsx_agreement *agreement,
                                  const struct wsx_finding_sink *sink) {
    wsx_agreement_init(agreement);
    agreement->known = true;
    bool http1 = response->http == WSX_HTTP_1;
    bool agrees = wsx_head_agrees(response);
    if (!http1 && (agrees || response->status == 101))
        check_http2_headers(response, sink);
    if (!agrees)
        report_refused(response, request_packet, sink);
    if (!agrees)
        return;
    if (http1) {
        check_accept(request, request_packet, response, sink);
        check_upgrade(response, sink);
    }
    choose_subprotocol(request, request_packet, response, agreement, sink);
    negotiate_extensions(request, request_packet, response, agreement, sink);
}
