/*
 * test_handshake.c - heads of HTTP/1 and fields of HTTP/2, the grammar of Sec-WebSocket-Extensions,
 * URIs and redacting; then everything of the handshake on hostile heads: cut at every byte, mutated
 * from a fixed seed, and 64 KB of repetition. Heads end at a guard page. See test_negotiate.c for
 * the rules.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "heads.h"

#include "../../plugin/core/credentials.h"
#include "../../plugin/core/extensions.h"

#include <glib.h>

/* Neither the text's end nor the word's is read over, whatever bytes the text has. */
static void test_words(void) {
    static const struct {
        const char *text;
        size_t length;
        const char *word; /* with what lies behind its end */
        bool is;
    } rows[] = {
        {"UpgradE", 7, "upgrade", true},
        {"upgrad", 6, "upgrade", false},
        {"upgrades", 8, "upgrade", false},
        {"", 0, "", true},
        {"", 0, "a", false},
        {"a", 1, "", false},
        {"upgrade\0", 8, "upgrade\0", false},
        {"up\0rade", 7, "up\0rade", false},
        {"\0", 1, "\0", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_slice text = {rows[i].text, rows[i].length};
        g_assert_cmpint(wsx_slice_is_nocase(text, rows[i].word), ==, rows[i].is);
        g_assert_cmpint(wsx_slice_is(text, rows[i].word), ==, rows[i].is && *text.at != 'U');
    }
}

static void test_request_line(void) {
    static const struct {
        const char *line;
        const char *method, *target; /* method NULL: not a head */
        unsigned minor;
    } rows[] = {
        {"GET /chat HTTP/1.1\r\n", "GET", "/chat", 1},
        {"GET /chat HTTP/1.0\n", "GET", "/chat", 0},
        {"\r\nGET / HTTP/1.1\r\n", "GET", "/", 1},
        {"GET  /a b\xFF\x01  HTTP/1.1 \r\n", "GET", "/a b\xFF?", 1},
        {"GET / HTTP/1.1", "GET", "/", 1},
        {"M-SEARCH * HTTP/1.1\r\n", "M-SEARCH", "*", 1},
        {"GET /x HTTP/1.1 HTTP/1.1\r\n", "GET", "/x HTTP/1.1", 1},
        {"PRI * HTTP/2.0\r\n", NULL, NULL, 0},
        {"\r\n\r\nGET / HTTP/1.1\r\n", NULL, NULL, 0},
        {"GET /chat HTTP/1.\r\n", NULL, NULL, 0},
        {"GET /chat http/1.1\r\n", NULL, NULL, 0},
        {"GET /chat\r\n", NULL, NULL, 0},
        {"GET HTTP/1.1\r\n", NULL, NULL, 0},
        {"GET  HTTP/1.1\r\n", NULL, NULL, 0},
        {"(GET) / HTTP/1.1\r\n", NULL, NULL, 0},
        {" / HTTP/1.1\r\n", NULL, NULL, 0},
        {"GET/x HTTP/1.1\r\n", NULL, NULL, 0},
        {"\x81\x85\x37\xfa\x21\x3d", NULL, NULL, 0},
        {"\r\n", NULL, NULL, 0},
        {"", NULL, NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t length = strlen(rows[i].line);
        uint8_t *bytes = guard_copy(rows[i].line, length);
        struct wsx_head head;
        bool complete = true;
        size_t taken = wsx_head_parse(bytes, length, &head, &complete);
        g_assert_false(complete);
        g_assert_cmpstr(head.method, ==, rows[i].method);
        g_assert_cmpstr(head.target, ==, rows[i].target);
        g_assert_cmpuint(head.minor, ==, rows[i].minor);
        g_assert_cmpint(head.request, ==, rows[i].method != NULL);
        g_assert_cmpuint(taken, ==, rows[i].method ? length : 0);
        wsx_head_clear(&head);
        guard_free(bytes, length);
    }
}

static void test_status_line(void) {
    static const struct {
        const char *line;
        unsigned status;
        const char *reason;
    } rows[] = {
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "Switching Protocols"},
        {"HTTP/1.1 101 \r\n\r\n", 101, ""},
        {"HTTP/1.1 101\r\n\r\n", 101, ""},
        {"HTTP/1.0 426 Upgrade Required\n\n", 426, "Upgrade Required"},
        {"HTTP/1.1 101", 101, ""},
        {"HTTP/1.1 10", 0, NULL},
        {"HTTP/1.1 1011 x\r\n\r\n", 0, NULL},
        {"HTTP/1.1 099 x\r\n\r\n", 0, NULL},
        {"HTTP/1.1 1x1 x\r\n\r\n", 0, NULL},
        {"HTTP/1.1101\r\n\r\n", 0, NULL},
        {"HTTP/1.1", 0, NULL},
        {"HTTP/ 101\r\n\r\n", 0, NULL},
        {"HTTP/", 0, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t length = strlen(rows[i].line);
        uint8_t *bytes = guard_copy(rows[i].line, length);
        struct wsx_head head;
        bool complete;
        size_t taken = wsx_head_parse(bytes, length, &head, &complete);
        g_assert_cmpuint(taken, ==, rows[i].status ? length : 0);
        g_assert_cmpuint(head.status, ==, rows[i].status);
        g_assert_cmpstr(head.reason, ==, rows[i].reason);
        g_assert_false(head.request);
        wsx_head_clear(&head);
        guard_free(bytes, length);
    }
}

static void test_headers(void) {
    struct wsx_head head = head_of("GET / HTTP/1.1\r\n"
                                   " folded onto nothing\r\n"
                                   "HOST : a \r\n"
                                   "no colon here\r\n"
                                   ": no name\r\n"
                                   ":path: /b\r\n"
                                   "Sec-WebSocket-Extensions: foo;\r\n"
                                   "\tbar=1\r\n"
                                   "sec-websocket-extensions:baz\n"
                                   "Sec-WebSocket-Key:\r\n"
                                   "Sec-WebSocket-Protocol: a,\tb\x01\r\n"
                                   "Sec-WebSocket-Protocol: c\r\n"
                                   "Upgrade: h2c, WebSocket/13\r\n"
                                   "Connection: keep-alive\r\n"
                                   "Connection: close, UPGRADE\r\n"
                                   "Cookie: SECRET\r\n");
    g_assert_cmpstr(head.host, ==, "a");
    g_assert_cmpstr(head.target, ==, "/");
    g_assert_cmpstr(head.extensions, ==, "foo; bar=1, baz");
    g_assert_cmpstr(head.key, ==, "");
    g_assert_cmpuint(head.key_lines, ==, 1);
    g_assert_cmpstr(head.protocol, ==, "a, b?, c");
    g_assert_cmpuint(head.protocol_lines, ==, 2);
    g_assert_cmpstr(head.connection, ==, "keep-alive, close, UPGRADE");
    g_assert_true(head.upgrade_websocket && head.connection_upgrade);
    g_assert_true(head.has_cookie && !head.has_authorization);
    g_assert_null(head.accept);
    wsx_head_clear(&head);

    head = head_of("GET / HTTP/1.1\r\nUpgrade: websockets, x-websocket\r\n"
                   "Connection: upgrades\r\nAuthorization: Basic SECRET\r\n");
    g_assert_false(head.upgrade_websocket || head.connection_upgrade || head.has_cookie);
    g_assert_true(head.has_authorization);
    g_assert_false(wsx_head_asks(&head));
    wsx_head_clear(&head);
}

static void test_head_end(void) {
    static const char text[] = REQUEST "\r\n\x81\x05Hello";
    struct wsx_head head;
    bool complete;
    size_t taken = wsx_head_parse((const uint8_t *)text, sizeof text - 1, &head, &complete);
    g_assert_cmpuint(taken, ==, strlen(REQUEST) + 2);
    g_assert_true(complete);
    wsx_head_clear(&head);

    /* A cut head: the line without its end is left out, and nothing counts as missing. */
    static const char part[] = GET HOST "Sec-WebSocket-Key: dGhlIHNh";
    taken = wsx_head_parse((const uint8_t *)part, sizeof part - 1, &head, &complete);
    g_assert_cmpuint(taken, ==, sizeof part - 1);
    g_assert_true(!complete && head.cut && !head.key);
    struct heard heard = {0};
    struct wsx_finding_sink sink = {hear, &heard};
    wsx_handshake_check_request(&head, false, &sink);
    assert_heard(&heard, "", "cut head");
    wsx_head_clear(&head);
}

static void test_content(void) {
    static const struct {
        const char *head, *behind;
        bool known;
        uint64_t length;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", "GET", true, 0},
        {"GET / HTTP/1.1\r\ncontent-LENGTH : 12\r\n", "", true, 12},
        {"GET / HTTP/1.1\r\nContent-Length: 12, 12\r\n", "", true, 12},
        {"GET / HTTP/1.1\r\nContent-Length: twelve\r\n", "", false, 0},
        {"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n", "", true,
         (UINT64_C(1) << 62) / 16},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n",
         "5;a=b\r\nhello\r\n0\r\n\r\nGET", true, 19},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "2\nab\n0\nTrailer: a\n\n", true, 19},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n", false, 0},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "5\r\nhelloo\r\n0\r\n\r\n", false, 0},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\nhello", false,
         0},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "\r\n", false, 0},
        {"HTTP/1.1 101 Go\r\nContent-Length: 5\r\n", "hello", true, 0},
        {"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n", "x", true, 0},
        {"HTTP/1.1 200 OK\r\n", "until the end", false, 0},
        {"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 7\r\n", "", false, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", "abcdef", true, 3},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *text = g_strconcat(cases[i].head, "\r\n", cases[i].behind, NULL);
        struct wsx_head head;
        bool complete;
        uint64_t length = 77;
        size_t used = wsx_head_parse((const uint8_t *)text, strlen(text), &head, &complete);
        g_assert_true(used == strlen(cases[i].head) + 2 && complete);
        bool known = wsx_head_content(&head, (const uint8_t *)text, used, strlen(text), &length);
        if (known != cases[i].known || (known && length != cases[i].length))
            g_error("%s: %d, %" G_GUINT64_FORMAT, text, known, length);
        wsx_head_clear(&head);
        g_free(text);
    }
}

static void test_asks_agrees(void) {
    static const struct {
        const char *lines;
        int asks, agrees;
    } rows[] = {
        {REQUEST, 1, 0},
        {GET UPGRADE, 1, 0},
        {GET KEY, 1, 0},
        {GET CONNECTION VERSION, 0, 0},
        {RESPONSE, 0, 1},
        {SWITCHING, 0, 1},
        {"HTTP/1.1 200 OK\r\n" UPGRADE KEY, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_head head = head_of(rows[i].lines);
        g_assert_cmpint(wsx_head_asks(&head), ==, rows[i].asks);
        g_assert_cmpint(wsx_head_agrees(&head), ==, rows[i].agrees);
        wsx_head_clear(&head);
    }
    struct wsx_head head = head2_of(":method: CONNECT\n:protocol: websocket", false);
    g_assert_true(wsx_head_asks(&head));
    wsx_head_clear(&head);
    head = head2_of(":method: CONNECT\n:protocol: connect-udp", false);
    g_assert_false(wsx_head_asks(&head));
    wsx_head_clear(&head);
    head = head2_of(":status: 204", false);
    g_assert_true(wsx_head_agrees(&head));
    wsx_head_clear(&head);
    head = head2_of(":status: 101", false);
    g_assert_false(wsx_head_agrees(&head));
    wsx_head_clear(&head);
}

static void test_accept(void) {
    char accept[29];
    wsx_accept_for_key(THE_KEY, accept); /* RFC 6455 1.3 */
    g_assert_cmpstr(accept, ==, THE_ACCEPT);
    wsx_accept_for_key("", accept);
    g_assert_cmpuint(strlen(accept), ==, 28);
}

static void test_values_cut(void) {
    struct wsx_head head = {.http = WSX_HTTP_2};
    for (int i = 0; i < 20000; i++)
        wsx_head_add(&head, "sec-websocket-protocol", 22, "abc", 3);
    g_assert_cmpuint(strlen(head.protocol), <=, WSX_VALUE_MAX);
    g_assert_true(g_str_has_suffix(head.protocol, ", abc"));
    g_assert_true(head.values_cut && !head.cut);
    g_assert_cmpuint(head.protocol_lines, ==, 20000);
    wsx_head_clear(&head);
    /* Cut between two elements, or two parameters; a value without either where it must be. */
    char *list = g_strnfill(3 * WSX_VALUE_MAX, 'x');
    list[100] = ',';
    wsx_head_add(&head, "sec-websocket-extensions", 24, list, 3 * WSX_VALUE_MAX);
    g_assert_cmpuint(strlen(head.extensions), ==, 100);
    list[100] = ';';
    wsx_head_add(&head, "upgrade", 7, list, 3 * WSX_VALUE_MAX);
    g_assert_cmpuint(strlen(head.upgrade), ==, 100);
    wsx_head_add(&head, "user-agent", 10, list + 101, 2 * WSX_VALUE_MAX);
    g_assert_cmpuint(strlen(head.user_agent), ==, WSX_VALUE_MAX);
    g_free(list);
    wsx_head_clear(&head);
}

static void test_redact(void) {
    static const char *const uris[][2] = {
        {"ws://h/", "ws://h/"},
        {"ws://h/?", "ws://h/?"},
        {"ws://h/?a=1&&b&", "ws://h/?a=1&&b&"},
        {"ws://h/?a=1&token=SECRET&b=2#f", "ws://h/?a=1&token=(hidden)&b=2#f"},
        {"ws://h/?tokenSECRET", "ws://h/?(hidden)"},
        {"ws://h/?x=" JWT, "ws://h/?x=(hidden)"},
        {"ws://me:SECRET@h/a@b?c=d", "ws://(hidden)@h/a@b?c=d"},
        {"/x?jwt=SECRET", "/x?jwt=(hidden)"},
    };
    for (size_t i = 0; i < COUNT(uris); i++) {
        char *clear = wsx_redact_uri(uris[i][0]);
        g_assert_cmpstr(clear, ==, uris[i][1]);
        g_free(clear);
    }
    g_assert_null(wsx_redact_uri(NULL));
    g_assert_null(wsx_redact_subprotocols(NULL, NULL));
    char *clear = wsx_redact_subprotocols("chat," JWT " , auth-SECRET", NULL);
    g_assert_cmpstr(clear, ==, "chat, (hidden), (hidden)");
    g_free(clear);
    clear = wsx_redact_subprotocols("access_token, SECRET, chat", NULL);
    g_assert_cmpstr(clear, ==, "(hidden), (hidden), chat");
    g_free(clear);
    clear = wsx_redact_subprotocols(
        "token.SECRET, chat, base64url.bearer.authorization.k8s.io.SECRET", NULL);
    g_assert_cmpstr(clear, ==, "(hidden), chat, (hidden)");
    g_free(clear);
    clear = wsx_redact_subprotocols("SECRET", "chat, token, SECRET, other");
    g_assert_cmpstr(clear, ==, "(hidden)");
    g_free(clear);
    clear = wsx_redact_subprotocols("other", "token, SECRET, other");
    g_assert_cmpstr(clear, ==, "other");
    g_free(clear);
    struct wsx_shown shown;
    g_assert_cmpstr(wsx_show(&shown, wsx_slice_of("a " JWT "=, " JWT)), ==,
                    "a (hidden)=, (hidden)");
}

static void test_uri(void) {
    static const struct {
        const char *lines;
        bool encrypted;
        const char *uri;
    } rows[] = {
        {REQUEST, false, "ws://server.example.com/chat"},
        {REQUEST, true, "wss://server.example.com/chat"},
        {GET, false, "ws:///chat"},
        {"GET http://other:81/x?y HTTP/1.1\r\n" HOST, false, "ws://other:81/x?y"},
        {"GET HTTPS://other HTTP/1.1\r\n" HOST, false, "wss://other/"},
        {"GET ws://other?x HTTP/1.1\r\n" HOST, true, "wss://other/?x"},
        {"GET * HTTP/1.1\r\n" HOST, false, "ws://server.example.com/*"},
        {"GET httpx HTTP/1.1\r\n" HOST, false, "ws://server.example.com/httpx"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wsx_head head = head_of(rows[i].lines);
        char *uri = wsx_handshake_uri(&head, rows[i].encrypted);
        g_assert_cmpstr(uri, ==, rows[i].uri);
        g_free(uri);
        wsx_head_clear(&head);
    }
    g_assert_null(wsx_handshake_uri(NULL, false));
    struct wsx_head head = head2_of(":scheme: https\n:authority: a\nhost: b\n:path: /p", true);
    char *uri = wsx_handshake_uri(&head, false);
    g_assert_cmpstr(uri, ==, "wss://a/p");
    g_free(uri);
    wsx_head_clear(&head);
    head = head2_of(":scheme: http\nhost: b", true);
    uri = wsx_handshake_uri(&head, true);
    g_assert_cmpstr(uri, ==, "ws://b/");
    g_free(uri);
    wsx_head_clear(&head);
}

/* ---- extensions ---- */

/* The list as text: "name;parameter=value", "!" behind a broken extension, "@n" for a fault. */
static char *list_text(const struct wsx_extension_list *list) {
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < list->count; i++) {
        const struct wsx_extension *item = &list->items[i];
        g_string_append_printf(text, "%s%.*s", i ? "," : "", (int)item->name.length, item->name.at);
        for (size_t p = 0; p < item->parameter_count; p++) {
            const struct wsx_extension_parameter *parameter = &item->parameters[p];
            g_string_append_printf(text, ";%.*s", (int)parameter->name.length, parameter->name.at);
            if (parameter->value)
                g_string_append_printf(text, "=%s", parameter->value);
        }
        if (item->broken)
            g_string_append_c(text, '!');
    }
    if (list->fault)
        g_string_append_printf(text, "@%zu", list->fault_at);
    return g_string_free(text, FALSE);
}

static void test_grammar(void) {
    static const char *const rows[][2] = {
        {"foo", "foo"},
        {" foo , bar ", "foo,bar"},
        {"foo;a;b=1;c=\"2\"", "foo;a;b=1;c=2"},
        {"foo ; a = 1 ; b = \"x\" , bar", "foo;a=1;b=x,bar"},
        {"foo;a=\"\\1\\5\"", "foo;a=15"},
        {",, foo,, ,bar,", "foo,bar"},
        {"", "@0"},
        {" , ", "@3"},
        {"foo;", "foo!@4"},
        {"foo;;a", "foo!@4"},
        {"foo;a=", "foo!@6"},
        {"foo;a=,bar", "foo!@6"},
        {"foo;a;=1", "foo;a!@6"},
        {"foo bar", "foo!@4"},
        {"foo;a b", "foo;a!@6"},
        {"foo;a=1 2", "foo;a=1!@8"},
        {"foo=1", "foo!@3"},
        {"bar, (foo)", "bar@5"},
        {"foo;a=\"1", "foo!@6"},
        {"foo;a=\"1\\", "foo!@6"},
        {"foo;a=\"1\\\"", "foo!@6"},
        {"foo;a=\"\"", "foo!@6"},
        {"foo;a=\"1 2\"", "foo!@6"},
        {"foo;a=\"1\"2", "foo;a=1!@9"},
        {"foo, ;a", "foo@5"},
        {"caf\xC3\xA9", "caf!@3"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t length = strlen(rows[i][0]) + 1;
        char *value = (char *)guard_copy(rows[i][0], length);
        struct wsx_extension_list list;
        wsx_extensions_parse(value, &list);
        char *text = list_text(&list);
        g_assert_cmpstr(text, ==, rows[i][1]);
        g_free(text);
        wsx_extensions_clear(&list);
        guard_free((uint8_t *)value, length);
    }
    struct wsx_extension_list list;
    wsx_extensions_parse(NULL, &list);
    g_assert_true(!list.count && !list.fault);
}

/* ---- hostile input ---- */

static const char *const good_heads[] = {
    REQUEST "Origin: https://example.com\r\nUser-Agent: Mozilla/5.0\r\nCookie: a=b\r\n"
            "Sec-WebSocket-Protocol: chat, superchat\r\n"
            "Sec-WebSocket-Extensions: " PMD "; client_max_window_bits, foo;a=\"b\\c\";d\r\n"
            "Sec-WebSocket-Extensions: bar\r\n\tfolded\r\n\r\n",
    "GET ws://me@h/x?token=%41&y=" JWT " HTTP/1.1\nHost:h\n\nabc",
    RESPONSE "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: " PMD
             "; server_max_window_bits=\"10\"; client_max_window_bits=9\r\n\r\n",
    "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n\r\n",
};

/* Everything that takes a head, on these bytes; the other side is a good one. */
static void exercise(const uint8_t *bytes, size_t length) {
    struct wsx_head head, other;
    bool complete, whole;
    size_t taken = wsx_head_parse(bytes, length, &head, &complete);
    g_assert_cmpuint(taken, <=, length);
    if (!taken)
        g_assert_false(complete);
    const char *opposite = good_heads[head.request ? 2 : 0];
    wsx_head_parse((const uint8_t *)opposite, strlen(opposite), &other, &whole);
    const struct wsx_head *request = head.request ? &head : &other;
    const struct wsx_head *response = head.request ? &other : &head;
    struct heard heard = {0};
    struct wsx_finding_sink sink = {hear, &heard};
    struct wsx_agreement agreement;
    wsx_handshake_check_request(request, false, &sink);
    heard_clear(&heard);
    wsx_handshake_check_response(request, 1, response, &agreement, &sink);
    heard_clear(&heard);
    wsx_agreement_clear(&agreement);
    wsx_handshake_credential(&head);
    char *uri = wsx_handshake_uri(&head, false);
    char *clear = wsx_redact_uri(uri), *list = wsx_redact_subprotocols(head.protocol, NULL);
    g_free(uri);
    g_free(clear);
    g_free(list);
    wsx_head_clear(&head);
    wsx_head_clear(&other);
}

static void exercise_guarded(const uint8_t *bytes, size_t length) {
    uint8_t *copy = guard_copy(bytes, length);
    exercise(copy, length);
    guard_free(copy, length);
}

static void test_truncated(void) {
    for (size_t i = 0; i < COUNT(good_heads); i++)
        for (size_t length = 0; length <= strlen(good_heads[i]); length++)
            exercise_guarded((const uint8_t *)good_heads[i], length);
}

static void test_mutated(void) {
    GRand *random = g_rand_new_with_seed(6455);
    static const char spice[] = "\r\n\t \0,;=\"\\:%?&eyJ.\xFF\xC3";
    for (int round = 0; round < 20000; round++) {
        const char *seed = good_heads[g_rand_int_range(random, 0, COUNT(good_heads))];
        size_t length = strlen(seed);
        uint8_t *bytes = g_memdup2(seed, length);
        for (int n = g_rand_int_range(random, 1, 8); n > 0; n--) {
            size_t at = (size_t)g_rand_int_range(random, 0, (gint32)length);
            size_t from = (size_t)g_rand_int_range(random, 0, (gint32)length);
            size_t span = (size_t)g_rand_int_range(random, 1, 30);
            span = MIN(length - MAX(at, from), span);
            if (n % 3 == 0)
                memmove(bytes + at, bytes + from, span);
            else if (n % 3 == 1)
                bytes[at] = (uint8_t)spice[g_rand_int_range(random, 0, sizeof spice - 1)];
            else
                bytes[at] = (uint8_t)g_rand_int(random);
        }
        exercise_guarded(bytes, length);
        g_free(bytes);
    }
    g_rand_free(random);
}

/* A head has no largest size: what stands behind 64 KB of it counts, too. */
static void test_long(void) {
    GString *text = g_string_new(SWITCHING "X: ");
    while (text->len < 3 * WSX_FIRST_MAX)
        g_string_append_c(text, 'x');
    g_string_append(text, "\r\nSec-WebSocket-Accept: a\r\nUpgrade: websocket\r\n\r\n\x81\x01x");
    struct wsx_head head;
    bool complete;
    size_t used = wsx_head_parse((const uint8_t *)text->str, text->len, &head, &complete);
    g_assert_cmpuint(used, ==, text->len - 3);
    g_assert_true(complete && !head.cut && wsx_head_agrees(&head));
    g_assert_cmpstr(head.accept, ==, "a");
    wsx_head_clear(&head);
    g_string_free(text, TRUE);
}

/* Heads of 64 KB of what a quadratic reader would choke on. */
static void test_large(void) {
    static const struct {
        const char *before, *repeated;
    } rows[] = {
        {GET, "a:\r\n"},
        {GET, "Upgrade:\r\n"},
        {GET, "Sec-WebSocket-Key: x\r\n"},
        {SWITCHING, "Sec-WebSocket-Accept: x\r\n"},
        {SWITCHING, "Sec-WebSocket-Protocol: a\r\n"},
        {GET, "Sec-WebSocket-Protocol:x y\r\n"},
        {GET "Sec-WebSocket-Extensions: ", PMD ";x,"},
        {SWITCHING "Sec-WebSocket-Extensions: ", "a,"},
        {SWITCHING "Sec-WebSocket-Extensions: " PMD, ";a"},
        {GET "Sec-WebSocket-Extensions: a;b=\"", "\\a"},
        {GET "Host: ", "\r\n "},
        {"GET /?", "e.&"},
        {"GET /?", "token=%41&"},
        {"GET ", "eyJ."},
        {GET "Sec-WebSocket-Version: ", "e."},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        GString *text = g_string_new(rows[i].before);
        while (text->len < WSX_FIRST_MAX - 100)
            g_string_append(text, rows[i].repeated);
        g_string_append(text, " HTTP/1.1\r\n\r\n");
        gint64 start = g_get_monotonic_time();
        exercise_guarded((const uint8_t *)text->str, text->len);
        /* Milliseconds are usual; the bound leaves room for sanitizers and busy machines. */
        g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_USEC_PER_SEC);
        while (text->len < 2 * WSX_FIRST_MAX)
            g_string_append_c(text, 'x');
        exercise_guarded((const uint8_t *)text->str, text->len);
        g_string_free(text, TRUE);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/handshake/words", test_words);
    g_test_add_func("/handshake/request-line", test_request_line);
    g_test_add_func("/handshake/status-line", test_status_line);
    g_test_add_func("/handshake/headers", test_headers);
    g_test_add_func("/handshake/head-end", test_head_end);
    g_test_add_func("/handshake/content", test_content);
    g_test_add_func("/handshake/asks-agrees", test_asks_agrees);
    g_test_add_func("/handshake/accept", test_accept);
    g_test_add_func("/handshake/values-cut", test_values_cut);
    g_test_add_func("/handshake/redact", test_redact);
    g_test_add_func("/handshake/uri", test_uri);
    g_test_add_func("/handshake/grammar", test_grammar);
    g_test_add_func("/handshake/truncated", test_truncated);
    g_test_add_func("/handshake/mutated", test_mutated);
    g_test_add_func("/handshake/long", test_long);
    g_test_add_func("/handshake/large", test_large);
    return g_test_run();
}
