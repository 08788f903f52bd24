/*
 * handshake.h - the opening handshake (RFC 6455 4, 9.1, 11.3; RFC 7692 5 to 7.1; RFC 8441 5):
 * headers in, what was offered, what was agreed and what was wrong out. Knows no Wireshark type and
 * no connection; see upgrade.c for where the headers come from.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_HANDSHAKE_H
#define WSX_CORE_HANDSHAKE_H

#include "rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSX_FIRST_MAX 65536u /* bytes of a first line, or of a value of which there is one only */
#define WSX_VALUE_MAX 16384u /* bytes kept of a joined header value */

enum wsx_http_version { WSX_HTTP_1, WSX_HTTP_2, WSX_HTTP_3 };

/*
 * The head of one request or response, only what WebSocket needs. Strings are the head's own, NULL
 * when the header is not there and "" when it is empty; header lines of one name are joined by ",
 * ". Bytes above 0x7F are kept as sent, UTF-8 or not. All zero is a head without headers;
 * wsx_head_clear frees. Who copies the structure takes the strings over: one of the two is to be
 * forgotten, and pointers to strings hold until the next header is added. For HTTP/2 and HTTP/3,
 * set `http` before wsx_head_add.
 */
struct wsx_head {
    enum wsx_http_version http;
    bool request;
    uint8_t minor; /* HTTP/1.minor (major 1), or 0 */
    uint8_t major;
    unsigned status;       /* responses: 100 to 999 */
    char *reason;          /* responses under HTTP/1: the reason phrase, "" when there is none */
    char *method;          /* requests */
    char *target;          /* requests: request target; :path under HTTP/2 */
    char *scheme;          /* :scheme under HTTP/2, else NULL */
    char *protocol_pseudo; /* :protocol under HTTP/2, else NULL */
    char *host;            /* Host, or :authority */
    char *origin;
    char *user_agent;
    char *key;        /* Sec-WebSocket-Key */
    char *accept;     /* Sec-WebSocket-Accept */
    char *version;    /* Sec-WebSocket-Version */
    char *protocol;   /* Sec-WebSocket-Protocol: offers or the choice */
    char *extensions; /* Sec-WebSocket-Extensions: offers or the answer */
    char *upgrade;    /* Upgrade */
    char *connection; /* Connection */
    unsigned key_lines, accept_lines, protocol_lines;
    bool has_cookie, has_authorization; /* that they are there; never their values */
    bool upgrade_websocket;             /* Upgrade lists websocket, whatever its case */
    bool connection_upgrade;            /* Connection lists upgrade */
    bool cut;        /* the end of the head was not seen: no header counts as missing. Set by
                        wsx_head_parse, or by whoever else knows */
    bool values_cut; /* a value was cut at WSX_VALUE_MAX: what is missing in a list may have been
                        sent. Set by wsx_head_add */
    char *store;     /* where the strings lie */
    size_t store_used, store_size;
};

void wsx_head_clear(struct wsx_head *head);

/* Adds one header; names without regard to case; pseudo headers with their colon, the first of each
 * counts. Blanks around the value are dropped, tabs become blanks, other control bytes '?'. Headers
 * that WebSocket doesn't need are passed over. */
void wsx_head_add(struct wsx_head *head, const char *name, size_t name_length, const char *value,
                  size_t value_length);

/*
 * Reads the head of an HTTP/1.x request or response at the start of `bytes`. Lines end in CRLF or
 * LF; folded lines are joined; NUL and control bytes in values become '?'. Returns the head's
 * length with its blank line, or 0 when the bytes are not a head (head is then cleared). A head
 * without its blank line (cut by the capture, or with a longer first line than WSX_FIRST_MAX) is
 * read up to its last whole line, *complete is false and the bytes looked at are returned. An empty
 * line before the head is passed over and counted. What `head` held before is not freed.
 */
size_t wsx_head_parse(const uint8_t *bytes, size_t length, struct wsx_head *head, bool *complete);

/*
 * How many bytes of content follow a head that wsx_head_parse read whole: it lies at `bytes` and
 * has `used` of the `length` bytes there. RFC 9112 6.3. False when that can't be told: the content
 * ends with the connection, or its chunks are not all there. Whether the request was HEAD or
 * CONNECT, so that the answer has none, is not known here.
 */
bool wsx_head_content(const struct wsx_head *head, const uint8_t *bytes, size_t used, size_t length,
                      uint64_t *content);

/* The length of a content in chunks, up to the trailer's empty line: RFC 9112 7.1. False when it is
 * not all there. */
bool wsx_chunks_length(const uint8_t *bytes, size_t count, uint64_t *length);

/* A request that asks for a WebSocket: Upgrade lists it, or Sec-WebSocket-Key is there, or
 * :protocol is websocket. */
bool wsx_head_asks(const struct wsx_head *head);
/* A response that agrees: 101 under HTTP/1, 2xx under HTTP/2 and 3. */
bool wsx_head_agrees(const struct wsx_head *head);

/* base64(SHA-1(key + GUID)), RFC 6455 4.2.2: 28 characters and a NUL. */
void wsx_accept_for_key(const char *key, char accept[29]);

/* What both sides agreed on. Strings are g_malloc'ed; wsx_agreement_clear frees. */
struct wsx_agreement {
    bool known;   /* a response was seen; false: all below are the values of a plain connection */
    bool deflate; /* permessage-deflate was accepted (token without regard to case) */
    uint8_t client_bits;  /* window of what the client sends, 8 to 15 */
    uint8_t server_bits;  /* window of what the server sends, 8 to 15 */
    bool client_takeover; /* false: client_no_context_takeover */
    bool server_takeover;
    bool unknown_extension; /* something else was accepted too: RSV2 and RSV3 (and RSV1 without
                               deflate) not judged */
    char *subprotocol;      /* as chosen, NULL if none */
    char *extensions;       /* as answered, NULL if none */
};
/* A plain connection: nothing known, no extension, windows of 15 bits, takeover. Frees nothing. */
void wsx_agreement_init(struct wsx_agreement *agreement);
/* Frees the strings; all zero then. */
void wsx_agreement_clear(struct wsx_agreement *agreement);

/*
 * Faults of the request: hs-key-missing, -invalid, -repeated, hs-version-missing, -unsupported,
 * hs-method-not-get, hs-http-version-old, hs-host-missing, hs-upgrade-missing,
 * hs-connection-missing, hs-subprotocol-offer-invalid, hs-extension-grammar, deflate-param-unknown,
 * -repeated, -value (faults of the offer), hs-origin-missing, hs-cleartext-credentials (only when
 * !encrypted), h2-header-forbidden, h2-key-present, h2-pseudo-header-missing. Each at most once,
 * all values in one text. `encrypted`: under TLS or QUIC. For requests that ask (wsx_head_asks).
 */
void wsx_handshake_check_request(const struct wsx_head *request, bool encrypted,
                                 const struct wsx_finding_sink *sink);

/*
 * The answer against the request (NULL when it was not captured; request_packet 0 then): agreement
 * out, and the answer's faults: hs-accept-wrong, -missing, -repeated, hs-upgrade-missing,
 * hs-connection-missing, hs-refused (status and, with 426 or a Sec-WebSocket-Version header, the
 * versions supported), hs-subprotocol-not-offered, -multiple, hs-extension-not-offered,
 * hs-extension-grammar, hs-extension-unknown, deflate-param-unknown, -repeated, -value,
 * deflate-client-window-not-offered, deflate-server-window-refused, deflate-takeover-refused,
 * h2-header-forbidden (status 101), h2-key-present. The answer is held against the first offer that
 * it fits. A permessage-deflate answer with a bad value still agrees, with the default for that
 * value. A refusal is judged by hs-refused only; interim responses (100, 103) are the caller's to
 * leave out. *agreement is overwritten without being freed, and is a plain connection's after a
 * refusal.
 */
void wsx_handshake_check_response(const struct wsx_head *request, uint32_t request_packet,
                                  const struct wsx_head *response, struct wsx_agreement *agreement,
                                  const struct wsx_finding_sink *sink);

/* "ws://host/path" or "wss://...": g_malloc'ed; host "" where it is not known; NULL for a NULL
 * request. */
char *wsx_handshake_uri(const struct wsx_head *request, bool encrypted);

/*
 * The name of the first credential that hs-cleartext-credentials recognises ("Cookie",
 * "Authorization", "subprotocol", "query parameter token"), NULL when there is none. Names of query
 * parameters or subprotocols that begin (whatever the case) with token, access_token, auth,
 * api_key, apikey, jwt, bearer, session, password or secret, and JWT-shaped values. Of a
 * parameter's name only that beginning is told, since a secret may follow it. Static; see
 * credentials.h for all of them and for redacting.
 */
const char *wsx_handshake_credential(const struct wsx_head *request);

#endif
