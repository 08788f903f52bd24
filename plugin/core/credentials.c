/*
 * credentials.c - the recogniser of credentials in requests, by names and by the shape of a JWT.
 * Reports nothing itself; see negotiate.c for hs-cleartext-credentials.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "credentials.h"

#include <glib.h>
#include <string.h>

#define HIDDEN "(hidden)"

/* Beginnings of names. The texts for a query stand ready, since a name can end in the secret itself
 * and is never printed. */
static const struct {
    const char *word, *in_query;
} words[] = {
    {"token", "query parameter token"},       {"access_token", "query parameter access_token"},
    {"auth", "query parameter auth"},         {"api_key", "query parameter api_key"},
    {"apikey", "query parameter apikey"},     {"jwt", "query parameter jwt"},
    {"bearer", "query parameter bearer"},     {"session", "query parameter session"},
    {"password", "query parameter password"}, {"secret", "query parameter secret"},
};
#define JWT_IN_QUERY "query parameter with a JWT"

/* A kind of credential is one bit, so that each is named once: the words, and these. */
enum {
    KIND_WORD = G_N_ELEMENTS(words),
    KIND_JWT = KIND_WORD,
    KIND_SUBPROTOCOL,
    KIND_AUTHORIZATION,
    KIND_COOKIE,
    KIND_NONE
};

static bool is_base64url(char byte) { return g_ascii_isalnum(byte) || byte == '-' || byte == '_'; }

bool wsx_credential_is_jwt(struct wsx_slice value) {
    unsigned dots = 0;
    bool begins = true;
    for (size_t i = 0; i < value.length; i++) {
        if (begins && dots < 2 && (value.length - i < 4 || memcmp(value.at + i, "eyJ", 3) != 0))
            return false;
        begins = value.at[i] == '.';
        if (begins)
            dots++;
        else if (!is_base64url(value.at[i]))
            return false;
    }
    return dots == 2;
}

static size_t word_index(struct wsx_slice name) {
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        size_t length = strlen(words[i].word);
        if (name.length >= length && !g_ascii_strncasecmp(name.at, words[i].word, length))
            return i;
    }
    return KIND_NONE;
}

/* Kubernetes' way to send a bearer token from a browser. */
static bool is_kubernetes_token(struct wsx_slice subprotocol) {
    static const char beginning[] = "base64url.bearer.authorization.";
    size_t length = sizeof beginning - 1;
    return subprotocol.length >= length && !g_ascii_strncasecmp(subprotocol.at, beginning, length);
}

bool wsx_credential_subprotocol(struct wsx_slice subprotocol) {
    return word_index(subprotocol) != KIND_NONE || wsx_credential_is_jwt(subprotocol) ||
           is_kubernetes_token(subprotocol);
}

/* Undoes percent-encoding; a bad escape stays as it is. The copy is *copy, freed by the caller. */
static struct wsx_slice percent_decode(struct wsx_slice text, char **copy) {
    char *decoded = *copy = g_malloc(text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        decoded[length] = text.at[i];
        if (text.at[i] == '%' && text.length - i > 2 && g_ascii_isxdigit(text.at[i + 1]) &&
            g_ascii_isxdigit(text.at[i + 2])) {
            decoded[length] = (char)(g_ascii_xdigit_value(text.at[i + 1]) * 16 +
                                     g_ascii_xdigit_value(text.at[i + 2]));
            i += 2;
        }
        length++;
    }
    return (struct wsx_slice){decoded, length};
}

/* The next "name=value" of a query; *value.at is NULL when there is no '='. */
static bool parameter_next(struct wsx_slice *rest, struct wsx_slice *name,
                           struct wsx_slice *value) {
    if (!rest->length)
        return false;
    const char *end = memchr(rest->at, '&', rest->length);
    size_t length = end ? (size_t)(end - rest->at) : rest->length;
    const char *equals = memchr(rest->at, '=', length);
    *name = (struct wsx_slice){rest->at, equals ? (size_t)(equals - rest->at) : length};
    *value = (struct wsx_slice){NULL, 0};
    if (equals)
        *value = (struct wsx_slice){equals + 1, length - name->length - 1};
    size_t taken = end ? length + 1 : length;
    rest->at += taken;
    rest->length -= taken;
    return true;
}

static size_t parameter_kind(struct wsx_slice name, struct wsx_slice value) {
    char *copy;
    size_t kind = word_index(percent_decode(name, &copy));
    g_free(copy);
    if (kind != KIND_NONE)
        return kind;
    /* A JWT may also stand alone, without a name. */
    if (wsx_credential_is_jwt(percent_decode(value.at ? value : name, &copy)))
        kind = KIND_JWT;
    g_free(copy);
    return kind;
}

/* From behind the '?' to the '#'. */
static struct wsx_slice query_of(const char *uri) {
    const char *query = uri ? strchr(uri, '?') : NULL;
    if (!query)
        return (struct wsx_slice){"", 0};
    return (struct wsx_slice){query + 1, strcspn(query + 1, "#")};
}

static unsigned kinds_of(const struct wsx_head *request) {
    unsigned kinds = 0;
    if (request->has_cookie)
        kinds |= 1u << KIND_COOKIE;
    if (request->has_authorization)
        kinds |= 1u << KIND_AUTHORIZATION;
    struct wsx_slice rest = wsx_slice_of(request->protocol), name, value;
    while (wsx_list_next(&rest, &name))
        if (wsx_credential_subprotocol(name))
            kinds |= 1u << KIND_SUBPROTOCOL;
    rest = query_of(request->target);
    while (parameter_next(&rest, &name, &value))
        kinds |= 1u << parameter_kind(name, value);
    return kinds & ~(1u << KIND_NONE);
}

static const char *kind_name(size_t kind) {
    switch (kind) {
    case KIND_COOKIE:
        return "Cookie";
    case KIND_AUTHORIZATION:
        return "Authorization";
    case KIND_SUBPROTOCOL:
        return "subprotocol";
    case KIND_JWT:
        return JWT_IN_QUERY;
    default:
        return words[kind].in_query;
    }
}

const char *wsx_handshake_credential(const struct wsx_head *request) {
    unsigned kinds = request ? kinds_of(request) : 0;
    for (size_t kind = KIND_NONE; kind-- > 0;)
        if (kinds & 1u << kind)
            return kind_name(kind);
    return NULL;
}

char *wsx_credential_kinds(const struct wsx_head *request) {
    unsigned kinds = kinds_of(request);
    if (!kinds)
        return NULL;
    GString *names = g_string_new(NULL);
    for (size_t kind = KIND_NONE; kind-- > 0;)
        if (kinds & 1u << kind)
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", kind_name(kind));
    return g_string_free(names, FALSE);
}

/* Appends what stands between *from and the secret, hides the secret, and goes on behind it. */
static void hide(GString *clear, const char **from, struct wsx_slice secret) {
    g_string_append_len(clear, *from, secret.at - *from);
    g_string_append(clear, HIDDEN);
    *from = secret.at + secret.length;
}

char *wsx_redact_uri(const char *uri) {
    if (!uri)
        return NULL;
    GString *clear = g_string_new(NULL);
    const char *from = uri, *authority = strstr(uri, "://");
    authority = authority ? authority + 3 : uri;
    const char *at_sign = memchr(authority, '@', strcspn(authority, "/?#"));
    if (at_sign)
        hide(clear, &from, (struct wsx_slice){authority, (size_t)(at_sign - authority)});
    struct wsx_slice rest = query_of(uri), name, value;
    while (parameter_next(&rest, &name, &value))
        /* Without '=' the name is all there is, and may be the secret. */
        if (parameter_kind(name, value) != KIND_NONE)
            hide(clear, &from, value.at ? value : name);
    g_string_append(clear, from);
    return g_string_free(clear, FALSE);
}

/* Only the name of a credential: a browser, which can send no header of its own, offers "name,
 * secret". */
static bool is_bare_name(struct wsx_slice subprotocol) {
    for (size_t i = 0; i < subprotocol.length; i++)
        if (!g_ascii_isalpha(subprotocol.at[i]) && !strchr("_-", subprotocol.at[i]))
            return false;
    return word_index(subprotocol) != KIND_NONE;
}

/* For the elements of a list in their order; *follows_name is false before the first. */
static bool is_secret(struct wsx_slice element, bool *follows_name) {
    bool secret = *follows_name || wsx_credential_subprotocol(element);
    *follows_name = !*follows_name && is_bare_name(element);
    return secret;
}

static bool is_secret_of(const char *offered, struct wsx_slice chosen) {
    struct wsx_slice rest = wsx_slice_of(offered), element;
    bool follows_name = false;
    while (wsx_list_next(&rest, &element))
        if (is_secret(element, &follows_name) && element.length == chosen.length &&
            memcmp(element.at, chosen.at, chosen.length) == 0)
            return true;
    return false;
}

char *wsx_redact_subprotocols(const char *list, const char *offered) {
    if (!list)
        return NULL;
    GString *clear = g_string_new(NULL);
    struct wsx_slice rest = wsx_slice_of(list), element;
    bool follows_name = false;
    while (wsx_list_next(&rest, &element)) {
        g_string_append(clear, clear->len ? ", " : "");
        if (is_secret(element, &follows_name) || is_secret_of(offered, element))
            g_string_append(clear, HIDDEN);
        else
            g_string_append_len(clear, element.at, (gssize)element.length);
    }
    return g_string_free(clear, FALSE);
}
