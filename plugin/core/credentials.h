/*
 * credentials.h - which parts of a handshake look like credentials (RFC 6455 10.5, 10.6): for
 * hs-cleartext-credentials, for findings, which never print one, and for the redacting of exports.
 * See handshake.h for wsx_handshake_credential, the first one of a request.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_CREDENTIALS_H
#define WSX_CORE_CREDENTIALS_H

#include "handshake.h"
#include "tokens.h"

#include <stdbool.h>

/* Three base64url parts with dots between, the first two beginning with "eyJ" (the beginning of a
 * JSON object); the signature may be empty (RFC 7519 6). */
bool wsx_credential_is_jwt(struct wsx_slice value);

/* A subprotocol that is a credential by its name or its shape. */
bool wsx_credential_subprotocol(struct wsx_slice subprotocol);

/* All kinds of credentials of a request, "Cookie, query parameter token"; each once, no values.
 * NULL when there are none, else free with g_free. */
char *wsx_credential_kinds(const struct wsx_head *request);

/* Copies with "(hidden)" for each credential, to be freed with g_free; NULL for NULL. A URI loses
 * the user information before its host and the values of parameters that look like credentials; a
 * list of subprotocols also what follows the bare name of a credential, and the server's choice
 * what is hidden in the client's list, `offered` (NULL: none, or `list` is the offer). */
char *wsx_redact_uri(const char *uri);
char *wsx_redact_subprotocols(const char *list, const char *offered);

#endif
