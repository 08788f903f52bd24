/*
 * test_negotiate.c - the rules of the handshake and the agreement. Tables name exactly the rules
 * that a case breaks, so each row without a rule is the near miss of another; the last test fails
 * when a rule of the handshake fired in none.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "heads.h"

#include <glib.h>

/* ---- requests ---- */

static void test_requests(void) {
    static const struct {
        const char *lines, *rules;
    } rows[] = {
        {REQUEST, ""},
        {GET HOST UPGRADE CONNECTION VERSION, "hs-key-missing"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:\r\n", "hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
         "hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE2\r\n",
         "hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQQ=\r\n",
         "hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25_ZQ==\r\n",
         "hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n",
         "hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: +/+/+/+/+/+/+/+/+/+/+/==\r\n", ""},
        {REQUEST KEY, "hs-key-repeated"},
        {REQUEST "Sec-WebSocket-Key: x\r\n", "hs-key-repeated hs-key-invalid"},
        {GET HOST UPGRADE CONNECTION KEY, "hs-version-missing"},
        {GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n", "hs-version-unsupported"},
        {GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 13, 8\r\n",
         "hs-version-unsupported"},
        {REQUEST "Sec-WebSocket-Version: 8\r\n", "hs-version-unsupported"},
        {GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 013\r\n",
         "hs-version-unsupported"},
        {GET HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version:\t13 \r\n", ""},
        {"POST /chat HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION, "hs-method-not-get"},
        {"get /chat HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION, "hs-method-not-get"},
        {"GET /chat HTTP/1.0\r\n" HOST UPGRADE CONNECTION KEY VERSION, "hs-http-version-old"},
        {"GET /chat HTTP/0.9\r\n" HOST UPGRADE CONNECTION KEY VERSION, "hs-http-version-old"},
        {"GET /chat HTTP/1.2\r\n" HOST UPGRADE CONNECTION KEY VERSION, ""},
        {GET UPGRADE CONNECTION KEY VERSION, "hs-host-missing"},
        {GET HOST CONNECTION KEY VERSION, "hs-upgrade-missing"},
        {GET HOST "Upgrade: h2c\r\n" CONNECTION KEY VERSION, "hs-upgrade-missing"},
        {GET HOST "Upgrade: h2c\r\n" UPGRADE CONNECTION KEY VERSION, ""},
        {GET HOST "Upgrade: h2c, WEBSOCKET\r\n" CONNECTION KEY VERSION, ""},
        {GET HOST UPGRADE KEY VERSION, "hs-connection-missing"},
        {GET HOST UPGRADE "Connection: keep-alive\r\n" KEY VERSION, "hs-connection-missing"},
        {GET HOST UPGRADE "Connection: keep-alive, upgrade\r\n" KEY VERSION, ""},
        {REQUEST "Sec-WebSocket-Protocol: chat, superchat, Chat\r\n", ""},
        {REQUEST "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n",
         "hs-subprotocol-offer-invalid"},
        {REQUEST "Sec-WebSocket-Protocol: ch at\r\n", "hs-subprotocol-offer-invalid"},
        {REQUEST "Sec-WebSocket-Protocol: a/b\r\n", "hs-subprotocol-offer-invalid"},
        {REQUEST "Sec-WebSocket-Protocol: caf\xC3\xA9\r\n", "hs-subprotocol-offer-invalid"},
        {REQUEST "Sec-WebSocket-Protocol: \xFF\xFE\r\n", "hs-subprotocol-offer-invalid"},
        {REQUEST "Sec-WebSocket-Protocol: ,\r\n", "hs-subprotocol-offer-invalid"},
        {REQUEST "Sec-WebSocket-Protocol: chat,,\r\n", ""},
        {REQUEST "User-Agent: Mozilla/5.0\r\n", "hs-origin-missing"},
        {REQUEST "User-Agent: Mozilla/5.0\r\nOrigin: null\r\n", ""},
        {REQUEST "User-Agent: curl/8 like Mozilla/5.0\r\n", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_head head = head_of(rows[i].lines);
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        wsx_handshake_check_request(&head, true, &sink);
        assert_heard(&heard, rows[i].rules, rows[i].lines);
        heard_clear(&heard);
        wsx_head_clear(&head);
    }
}

static void test_credentials(void) {
    static const struct {
        const char *target, *lines, *kind, *detail; /* kind NULL: none */
    } rows[] = {
        {"/", "", NULL, NULL},
        {"/", "Cookie: id=SECRET\r\n", "Cookie", "Cookie"},
        {"/", "authorization: Basic SECRET\r\n", "Authorization", "Authorization"},
        {"/", "Proxy-Authorization: Basic SECRET\r\n", NULL, NULL},
        {"/?token=SECRET", "", "query parameter token", "query parameter token"},
        {"/?a=1&TOKEN_SECRET=2", "", "query parameter token", "query parameter token"},
        {"/?%74oken=SECRET", "", "query parameter token", "query parameter token"},
        {"/?access_token=SECRET&Session-Id=SECRET&jwt=SECRET", "", "query parameter session",
         "query parameter session, query parameter jwt, "
         "query parameter access_token"},
        {"/?mytoken=1&tok=2&x=token&#token=3", "", NULL, NULL},
        {"/token?", "", NULL, NULL},
        {"/?", "", NULL, NULL},
        {"/?x=" JWT, "", "query parameter with a JWT", "query parameter with a JWT"},
        {"/?" JWT, "", "query parameter with a JWT", "query parameter with a JWT"},
        {"/?x=eyJh%2EeyJz%2ESECRET", "", "query parameter with a JWT",
         "query parameter with a JWT"},
        {"/?x=eyJhbGci.eyJzdWIi", "", NULL, NULL},
        {"/?x=eyJhbGci.ezJzdWIi.abc", "", NULL, NULL},
        {"/?x=eyJhbGci.eyJzdWIi.abc.d", "", NULL, NULL},
        {"/?x=eyJhbGci.eyJzdWIi.a!c", "", NULL, NULL},
        {"/?%", "", NULL, NULL},
        {"/?=&&=&%4", "", NULL, NULL},
        {"/", "Sec-WebSocket-Protocol: chat, bearer, SECRET\r\n", "subprotocol", "subprotocol"},
        {"/", "Sec-WebSocket-Protocol: chat, " JWT "\r\n", "subprotocol", "subprotocol"},
        {"/", "Sec-WebSocket-Protocol: chat, x-token\r\n", NULL, NULL},
        {"/?secret=SECRET", "Cookie: SECRET\r\n", "Cookie", "Cookie, query parameter secret"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *lines = g_strconcat("GET ", rows[i].target, " HTTP/1.1\r\n",
                                  HOST UPGRADE CONNECTION KEY VERSION, rows[i].lines, NULL);
        struct wsx_head head = head_of(lines);
        g_assert_cmpstr(wsx_handshake_credential(&head), ==, rows[i].kind);
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        wsx_handshake_check_request(&head, true, &sink);
        assert_heard(&heard, "", lines);
        wsx_handshake_check_request(&head, false, &sink);
        assert_heard(&heard, rows[i].kind ? "hs-cleartext-credentials" : "", lines);
        g_assert_cmpstr(heard.details[WSX_RULE_HS_CLEARTEXT_CREDENTIALS], ==, rows[i].detail);
        heard_clear(&heard);
        wsx_head_clear(&head);
        g_free(lines);
    }
}

/* ---- extensions ---- */

/* Offer and answer; NULL where there is no header. `agreed`: windows of client and server, then
 * their takeover; "-" without permessage-deflate; "?" behind it with an unknown extension. */
static const struct {
    const char *offer, *answer, *request_rules, *response_rules, *agreed;
} negotiations[] = {
    {NULL, NULL, "", "", "-"},
    {PMD, NULL, "", "", "-"},
    {PMD, PMD, "", "", "15 15 tt"},
    {PMD, "Permessage-Deflate", "", "", "15 15 tt"},
    {"PERMESSAGE-DEFLATE", PMD, "", "", "15 15 tt"},
    {NULL, PMD, "", "hs-extension-not-offered", "15 15 tt"},
    {"foo", PMD "; server_no_context_takeover", "", "hs-extension-not-offered", "15 15 tn"},
    {"foo", "foo", "", "hs-extension-unknown", "-?"},
    {"Foo", "foo", "", "hs-extension-unknown", "-?"},
    {PMD, "foo", "", "hs-extension-unknown hs-extension-not-offered", "-?"},
    {"x-" PMD "-none", "x-" PMD "-none", "", "hs-extension-unknown", "-?"},
    {"x-webkit-deflate-frame", "x-webkit-deflate-frame", "", "hs-extension-unknown", "-?"},
    {PMD ", foo", PMD ", foo", "", "hs-extension-unknown", "15 15 tt?"},
    /* grammar */
    {PMD "; =", PMD, "hs-extension-grammar", "", "15 15 tt"},
    {"foo=, " PMD, PMD, "hs-extension-grammar", "", "15 15 tt"},
    {PMD, PMD ";", "", "hs-extension-grammar", "15 15 tt"},
    {PMD "; server_no_context_takeover", PMD ";;", "", "hs-extension-grammar", "15 15 tt"},
    {PMD, PMD "; server_max_window_bits=9; =1", "", "hs-extension-grammar", "15 9 tt"},
    {PMD, PMD "; =1, foo", "", "hs-extension-grammar", "15 15 tt?"},
    {PMD, ", ," PMD ",", "", "", "15 15 tt"},
    {PMD, "", "", "hs-extension-grammar", "-"},
    /* parameters of an offer */
    {PMD "; client_max_window_bits", PMD, "", "", "15 15 tt"},
    {PMD "; client_max_window_bits=10", PMD, "", "", "15 15 tt"},
    {PMD "; client_max_window_bits=7", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; client_max_window_bits=16", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; client_max_window_bits=010", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; client_max_window_bits=08", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; client_max_window_bits=1x", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; server_max_window_bits", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; server_no_context_takeover=1", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; client_no_context_takeover=\"x\"", PMD, "deflate-param-value", "", "15 15 tt"},
    {PMD "; window=9", PMD, "deflate-param-unknown", "", "15 15 tt"},
    {PMD "; client_max_window_bits; client_max_window_bits=9", PMD, "deflate-param-repeated", "",
     "15 15 tt"},
    {"foo; a; a; server_max_window_bits=77", NULL, "", "", "-"},
    /* parameters of an answer */
    {PMD "; client_max_window_bits", PMD "; client_max_window_bits=\"10\"", "", "", "10 15 tt"},
    {PMD "; client_max_window_bits", PMD "; client_max_window_bits", "", "deflate-param-value",
     "15 15 tt"},
    {PMD "; client_max_window_bits", PMD "; client_max_window_bits=7", "", "deflate-param-value",
     "15 15 tt"},
    {PMD, PMD "; server_max_window_bits=\"10\"", "", "", "15 10 tt"},
    {PMD, PMD "; server_max_window_bits=8", "", "", "15 8 tt"},
    {PMD, PMD "; server_max_window_bits=15", "", "", "15 15 tt"},
    {PMD, PMD "; server_max_window_bits", "", "deflate-param-value", "15 15 tt"},
    {PMD, PMD "; server_no_context_takeover=true", "", "deflate-param-value", "15 15 tt"},
    {PMD, PMD "; server_no_context_takeover", "", "", "15 15 tn"},
    {PMD, PMD "; client_no_context_takeover", "", "", "15 15 nt"},
    {PMD, PMD "; server_max_window_bits=9; server_max_window_bits=10", "", "deflate-param-repeated",
     "15 9 tt"},
    {PMD, PMD "; wbits=9", "", "deflate-param-unknown", "15 15 tt"},
    {PMD, PMD ", " PMD "; server_max_window_bits=9", "", "", "15 15 tt"},
    /* the answer against the offer */
    {PMD, PMD "; client_max_window_bits=10", "", "deflate-client-window-not-offered", "10 15 tt"},
    {PMD, PMD "; client_max_window_bits", "",
     "deflate-param-value deflate-client-window-not-offered", "15 15 tt"},
    {PMD "; client_max_window_bits=10", PMD "; client_max_window_bits=10", "", "", "10 15 tt"},
    {PMD "; client_max_window_bits=10", PMD "; client_max_window_bits=9", "", "", "9 15 tt"},
    /* the offered value is a hint that the server may ignore */
    {PMD "; client_max_window_bits=10", PMD "; client_max_window_bits=11", "", "", "11 15 tt"},
    {PMD "; server_max_window_bits=10", PMD "; server_max_window_bits=10", "", "", "15 10 tt"},
    {PMD "; server_max_window_bits=10", PMD "; server_max_window_bits=9", "", "", "15 9 tt"},
    {PMD "; server_max_window_bits=10", PMD "; server_max_window_bits=11", "",
     "deflate-server-window-refused", "15 11 tt"},
    {PMD "; server_max_window_bits=10", PMD, "", "deflate-server-window-refused", "15 15 tt"},
    {PMD "; server_max_window_bits=15", PMD, "", "deflate-server-window-refused", "15 15 tt"},
    {PMD "; server_max_window_bits=10", PMD "; server_max_window_bits=16", "",
     "deflate-param-value", "15 15 tt"},
    {PMD "; server_no_context_takeover", PMD "; server_no_context_takeover", "", "", "15 15 tn"},
    {PMD "; server_no_context_takeover", PMD, "", "deflate-takeover-refused", "15 15 tt"},
    {PMD "; client_no_context_takeover", PMD, "", "", "15 15 tt"},
    {PMD "; server_no_context_takeover; server_max_window_bits=9", PMD "; client_max_window_bits=9",
     "", "deflate-takeover-refused deflate-server-window-refused deflate-client-window-not-offered",
     "9 15 tt"},
    /* several offers */
    {PMD "; server_max_window_bits=10, " PMD, PMD, "", "", "15 15 tt"},
    {PMD "; server_max_window_bits=10, " PMD "; client_max_window_bits",
     PMD "; client_max_window_bits=12", "", "", "12 15 tt"},
    {PMD "; server_max_window_bits=10, " PMD "; server_no_context_takeover", PMD, "",
     "deflate-server-window-refused", "15 15 tt"},
    /* a server must decline a faulty offer: what its answer lacks isn't judged against it */
    {PMD "; x; server_max_window_bits=10", PMD, "deflate-param-unknown", "", "15 15 tt"},
    {PMD "; x; server_max_window_bits=10, " PMD "; server_no_context_takeover", PMD,
     "deflate-param-unknown", "deflate-takeover-refused", "15 15 tt"},
};

static char *agreed_text(const struct wsx_agreement *agreement) {
    if (!agreement->deflate)
        return g_strdup(agreement->unknown_extension ? "-?" : "-");
    return g_strdup_printf("%u %u %c%c%s", agreement->client_bits, agreement->server_bits,
                           agreement->client_takeover ? 't' : 'n',
                           agreement->server_takeover ? 't' : 'n',
                           agreement->unknown_extension ? "?" : "");
}

static char *with_extensions(const char *lines, const char *value) {
    if (!value)
        return g_strdup(lines);
    return g_strconcat(lines, "Sec-WebSocket-Extensions: ", value, "\r\n", NULL);
}

static void test_negotiations(void) {
    for (size_t i = 0; i < COUNT(negotiations); i++) {
        char *name = g_strdup_printf("[%s] [%s]", negotiations[i].offer, negotiations[i].answer);
        char *lines = with_extensions(REQUEST, negotiations[i].offer);
        struct wsx_head request = head_of(lines);
        g_free(lines);
        lines = with_extensions(RESPONSE, negotiations[i].answer);
        struct wsx_head response = head_of(lines);
        g_free(lines);
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        wsx_handshake_check_request(&request, false, &sink);
        assert_heard(&heard, negotiations[i].request_rules, name);
        heard_clear(&heard);
        struct wsx_agreement agreement;
        wsx_handshake_check_response(&request, 7, &response, &agreement, &sink);
        assert_heard(&heard, negotiations[i].response_rules, name);
        g_assert_true(agreement.known);
        char *agreed = agreed_text(&agreement);
        g_assert_cmpstr(agreed, ==, negotiations[i].agreed);
        g_free(agreed);
        const char *answer = negotiations[i].answer;
        if (answer && *answer)
            g_assert_nonnull(agreement.extensions);
        else
            g_assert_null(agreement.extensions);
        heard_clear(&heard);
        wsx_agreement_clear(&agreement);
        wsx_head_clear(&request);
        wsx_head_clear(&response);
        g_free(name);
    }
}

/* Without a request, or with a cut one, nothing is judged against it. */
static void test_unknown_request(void) {
    struct wsx_head response =
        head_of(RESPONSE "Sec-WebSocket-Protocol: chat\r\n"
                         "Sec-WebSocket-Extensions: " PMD "; client_max_window_bits=9\r\n");
    struct wsx_head cut = {.request = true, .cut = true};
    const struct wsx_head *const requests[] = {NULL, &cut};
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        struct wsx_agreement agreement;
        wsx_handshake_check_response(requests[i], 0, &response, &agreement, &sink);
        assert_heard(&heard, "", "no request");
        g_assert_true(agreement.deflate && agreement.client_bits == 9);
        g_assert_cmpstr(agreement.subprotocol, ==, "chat");
        wsx_agreement_clear(&agreement);
    }
    wsx_head_clear(&response);
}

/* ---- responses ---- */

#define OFFER(list) "Sec-WebSocket-Protocol: " list "\r\n"

static void test_responses(void) {
    static const struct {
        const char *request, *response, *rules, *subprotocol;
    } rows[] = {
        {REQUEST, RESPONSE, "", NULL},
        {REQUEST, SWITCHING UPGRADE CONNECTION, "hs-accept-missing", NULL},
        {REQUEST, SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: \t" THE_ACCEPT " \r\n", "",
         NULL},
        {REQUEST,
         SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
         "hs-accept-wrong", NULL},
        {REQUEST, SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n", "hs-accept-wrong",
         NULL},
        {GET HOST UPGRADE CONNECTION VERSION, RESPONSE, "", NULL},
        {REQUEST, RESPONSE ACCEPT, "hs-accept-repeated", NULL},
        {REQUEST, SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: " THE_ACCEPT ", x\r\n",
         "hs-accept-wrong", NULL},
        {REQUEST,
         SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: y\r\n",
         "hs-accept-repeated hs-accept-wrong", NULL},
        {REQUEST KEY, RESPONSE, "", NULL},
        {REQUEST, SWITCHING CONNECTION ACCEPT, "hs-upgrade-missing", NULL},
        {REQUEST, SWITCHING "Upgrade: h2c\r\n" CONNECTION ACCEPT, "hs-upgrade-missing", NULL},
        {REQUEST, SWITCHING "Upgrade: WebSocket, foo\r\n" CONNECTION ACCEPT, "", NULL},
        {REQUEST, SWITCHING UPGRADE ACCEPT, "hs-connection-missing", NULL},
        {REQUEST, SWITCHING UPGRADE "Connection: close\r\n" ACCEPT, "hs-connection-missing", NULL},
        {REQUEST, SWITCHING UPGRADE "Connection: UPGRADE, close\r\n" ACCEPT, "", NULL},
        {REQUEST, "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n", "hs-refused",
         NULL},
        {REQUEST, "HTTP/1.1 426\r\nConnection: close\r\n", "hs-refused", NULL},
        {REQUEST, "HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION "Sec-WebSocket-Accept: x\r\n" OFFER("z"),
         "hs-refused", NULL},
        {REQUEST OFFER("chat, superchat"), RESPONSE OFFER("superchat"), "", "superchat"},
        {REQUEST OFFER("chat, superchat"), RESPONSE, "", NULL},
        {REQUEST OFFER("chat"), RESPONSE OFFER("Chat"), "hs-subprotocol-not-offered", "Chat"},
        {REQUEST, RESPONSE OFFER("chat"), "hs-subprotocol-not-offered", "chat"},
        {REQUEST, RESPONSE OFFER(""), "hs-subprotocol-not-offered", NULL},
        {REQUEST OFFER("a, b"), RESPONSE OFFER("b, a"), "hs-subprotocol-multiple", "b"},
        {REQUEST OFFER("a, b"), RESPONSE OFFER("a") OFFER("a"), "hs-subprotocol-multiple", "a"},
        {REQUEST OFFER("a"), RESPONSE OFFER("a, b"),
         "hs-subprotocol-multiple hs-subprotocol-not-offered", "a"},
        {REQUEST OFFER("chat, " JWT), RESPONSE OFFER(JWT), "", JWT},
        {REQUEST OFFER("chat"), RESPONSE OFFER(JWT), "hs-subprotocol-not-offered", JWT},
        {REQUEST OFFER("bearer, SECRET"), RESPONSE OFFER("SECRET-2"), "hs-subprotocol-not-offered",
         "SECRET-2"},
        {REQUEST OFFER("bearer, SECRET"), RESPONSE OFFER("SECRET, bearer"),
         "hs-subprotocol-multiple", "SECRET"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_head request = head_of(rows[i].request), response = head_of(rows[i].response);
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        struct wsx_agreement agreement;
        wsx_handshake_check_response(&request, 7, &response, &agreement, &sink);
        assert_heard(&heard, rows[i].rules, rows[i].response);
        g_assert_cmpstr(agreement.subprotocol, ==, rows[i].subprotocol);
        g_assert_cmpuint(agreement.client_bits, ==, 15);
        heard_clear(&heard);
        wsx_agreement_clear(&agreement);
        wsx_head_clear(&request);
        wsx_head_clear(&response);
    }
}

static void test_details(void) {
    static const struct {
        const char *response;
        enum wsx_rule rule;
        const char *detail;
    } rows[] = {
        {"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n", WSX_RULE_HS_REFUSED,
         "status 426 Upgrade Required, the server supports versions 13, 8"},
        {"HTTP/1.1 401\r\n", WSX_RULE_HS_REFUSED, "status 401"},
        {SWITCHING UPGRADE CONNECTION "Sec-WebSocket-Accept: \xFFx\r\n", WSX_RULE_HS_ACCEPT_WRONG,
         "seen \"?x\", expected " THE_ACCEPT " for key " THE_KEY},
        {RESPONSE "Sec-WebSocket-Extensions: " PMD "; client_max_window_bits=10\r\n",
         WSX_RULE_DEFLATE_CLIENT_WINDOW_NOT_OFFERED,
         "answered client_max_window_bits, the offer has none"},
        {RESPONSE "Sec-WebSocket-Extensions: " PMD "; server_max_window_bits=20\r\n",
         WSX_RULE_DEFLATE_PARAM_VALUE, "server_max_window_bits=20, expected 8 to 15"},
        {RESPONSE "Sec-WebSocket-Extensions: " PMD ";\r\n", WSX_RULE_HS_EXTENSION_GRAMMAR,
         "byte 19: a parameter name is missing in \"" PMD ";\""},
        {RESPONSE OFFER("b"), WSX_RULE_HS_SUBPROTOCOL_NOT_OFFERED, "chosen b; offered a"},
    };
    struct wsx_head request = head_of(REQUEST OFFER("a") "Sec-WebSocket-Extensions: " PMD "\r\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_head response = head_of(rows[i].response);
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        struct wsx_agreement agreement;
        wsx_handshake_check_response(&request, 7, &response, &agreement, &sink);
        g_assert_cmpstr(heard.details[rows[i].rule], ==, rows[i].detail);
        heard_clear(&heard);
        wsx_agreement_clear(&agreement);
        wsx_head_clear(&response);
    }
    wsx_head_clear(&request);
}

#define CONNECT2                                                                                   \
    ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:path: /\n:authority: h\n"            \
    "sec-websocket-version: 13\n"

static void test_http2(void) {
    static const struct {
        const char *request, *response, *request_rules, *response_rules;
    } rows[] = {
        {CONNECT2, ":status: 200", "", ""},
        {CONNECT2, ":status: 204", "", ""},
        {CONNECT2, ":status: 403", "", "hs-refused"},
        {CONNECT2, ":status: 101", "", "hs-refused h2-header-forbidden"},
        {CONNECT2 "connection: Upgrade", ":status: 200\nupgrade: websocket", "h2-header-forbidden",
         "h2-header-forbidden"},
        {CONNECT2 "upgrade: websocket", ":status: 200\nsec-websocket-accept: x",
         "h2-header-forbidden", "h2-key-present"},
        {CONNECT2 "sec-websocket-key: " THE_KEY, ":status: 200\nsec-websocket-key: x",
         "h2-key-present", ""},
        {":method: CONNECT\n:protocol: websocket\n:authority: h\nsec-websocket-version: 13\n"
         ":path: /",
         ":status: 200", "h2-pseudo-header-missing", ""},
        {":method: CONNECT\n:protocol: websocket\n:authority: h\nsec-websocket-version: 13\n"
         ":scheme: https",
         ":status: 200", "h2-pseudo-header-missing", ""},
        {":method: CONNECT\n:protocol: websocket\n:path: /\nsec-websocket-version: 13\n"
         ":scheme: https",
         ":status: 200", "hs-host-missing", ""},
        {":method: CONNECT\n:protocol: websocket\n:path: /\n:authority: h\n:scheme: https",
         ":status: 200", "hs-version-missing", ""},
        {CONNECT2 "host: other", ":status: 200\nsec-websocket-protocol: a", "",
         "hs-subprotocol-not-offered"},
        {CONNECT2 "sec-websocket-extensions: " PMD,
         ":status: 200\nsec-websocket-extensions: " PMD "; x", "", "deflate-param-unknown"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_head request = head2_of(rows[i].request, true);
        struct wsx_head response = head2_of(rows[i].response, false);
        struct heard heard = {0};
        struct wsx_finding_sink sink = {hear, &heard};
        struct wsx_agreement agreement;
        g_assert_cmpstr(request.method, ==, "CONNECT");
        wsx_handshake_check_request(&request, false, &sink);
        assert_heard(&heard, rows[i].request_rules, rows[i].request);
        heard_clear(&heard);
        wsx_handshake_check_response(&request, 7, &response, &agreement, &sink);
        assert_heard(&heard, rows[i].response_rules, rows[i].response);
        heard_clear(&heard);
        wsx_agreement_clear(&agreement);
        wsx_head_clear(&request);
        wsx_head_clear(&response);
    }
}

/* Rules of the handshake that need more than one request and its response are found elsewhere. */
static void test_every_rule(void) {
    static const enum wsx_rule elsewhere[] = {
        WSX_RULE_HS_KEY_REUSED,
        WSX_RULE_HS_UNANSWERED,
        WSX_RULE_HS_EARLY_DATA,
    };
    static const enum wsx_rule others[] = {
        WSX_RULE_DEFLATE_PARAM_UNKNOWN,         WSX_RULE_DEFLATE_PARAM_REPEATED,
        WSX_RULE_DEFLATE_PARAM_VALUE,           WSX_RULE_DEFLATE_CLIENT_WINDOW_NOT_OFFERED,
        WSX_RULE_DEFLATE_SERVER_WINDOW_REFUSED, WSX_RULE_DEFLATE_TAKEOVER_REFUSED,
        WSX_RULE_H2_HEADER_FORBIDDEN,           WSX_RULE_H2_KEY_PRESENT,
        WSX_RULE_H2_PSEUDO_HEADER_MISSING,
    };
    for (int i = 0; i < WSX_RULE_COUNT; i++) {
        const struct wsx_rule_info *info = wsx_rule_info((enum wsx_rule)i);
        bool ours = info->scope == WSX_SCOPE_HANDSHAKE;
        for (size_t e = 0; e < COUNT(elsewhere); e++)
            ours &= elsewhere[e] != (enum wsx_rule)i;
        for (size_t o = 0; o < COUNT(others); o++)
            ours |= others[o] == (enum wsx_rule)i;
        if (ours != fired[i])
            g_error("%s: %s", info->id, ours ? "fired in no test" : "is not of the handshake");
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/negotiate/requests", test_requests);
    g_test_add_func("/negotiate/credentials", test_credentials);
    g_test_add_func("/negotiate/negotiations", test_negotiations);
    g_test_add_func("/negotiate/unknown-request", test_unknown_request);
    g_test_add_func("/negotiate/responses", test_responses);
    g_test_add_func("/negotiate/details", test_details);
    g_test_add_func("/negotiate/http2", test_http2);
    g_test_add_func("/negotiate/every-rule", test_every_rule);
    return g_test_run();
}
