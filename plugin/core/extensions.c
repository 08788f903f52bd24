/*
 * extensions.c - the grammar of Sec-WebSocket-Extensions:
 *
 *   extension-list  = 1#extension
 *   extension       = token *( ";" extension-param )
 *   extension-param = token [ "=" (token | quoted-string) ]   ; unquoted, the value is a token
 *
 * with RFC 2616's blanks allowed around every separator. Compares nothing; read negotiate.c next.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "extensions.h"

#include <string.h>

struct parser {
    const char *value, *at;
    GArray *items;      /* struct wsx_extension */
    GArray *parameters; /* of the extension that is being read */
    struct wsx_extension_list *list;
};

static void skip_blanks(struct parser *parser) {
    while (wsx_is_blank(*parser->at))
        parser->at++;
}

static bool fail(struct parser *parser, const char *fault) {
    parser->list->fault = fault;
    parser->list->fault_at = (size_t)(parser->at - parser->value);
    return false;
}

/* Reads a token and the blanks behind it. */
static bool read_token(struct parser *parser, struct wsx_slice *token, const char *fault) {
    const char *start = parser->at;
    while (wsx_is_token_char(*parser->at))
        parser->at++;
    *token = (struct wsx_slice){start, (size_t)(parser->at - start)};
    if (!token->length)
        return fail(parser, fault);
    skip_blanks(parser);
    return true;
}

/* Reads what follows the opening quote; *value is owned by the caller, NULL after a fault. */
static bool read_quoted(struct parser *parser, char **value) {
    const char *start = parser->at;
    GString *text = g_string_new(NULL);
    parser->at++;
    while (*parser->at && *parser->at != '"') {
        if (*parser->at == '\\' && parser->at[1])
            parser->at++;
        g_string_append_c(text, *parser->at++);
    }
    bool closed = *parser->at == '"';
    bool token = wsx_is_token((struct wsx_slice){text->str, text->len});
    *value = g_string_free(text, !(closed && token));
    if (!closed || !token) {
        parser->at = start;
        return fail(parser, closed ? "the quoted value is not a token" : "a quote is not closed");
    }
    parser->at++;
    skip_blanks(parser);
    return true;
}

static bool read_parameter(struct parser *parser) {
    struct wsx_extension_parameter parameter = {{NULL, 0}, NULL};
    if (!read_token(parser, &parameter.name, "a parameter name is missing"))
        return false;
    if (*parser->at == '=') {
        parser->at++;
        skip_blanks(parser);
        struct wsx_slice token;
        if (*parser->at == '"') {
            if (!read_quoted(parser, &parameter.value))
                return false;
        } else if (read_token(parser, &token, "a parameter value is missing")) {
            parameter.value = g_strndup(token.at, token.length);
        } else {
            return false;
        }
    }
    g_array_append_val(parser->parameters, parameter);
    return true;
}

/* Reads one extension up to its comma or the end. */
static bool read_extension(struct parser *parser) {
    struct wsx_extension extension = {.name = {NULL, 0}};
    if (!read_token(parser, &extension.name, "an extension name is missing"))
        return false;
    parser->parameters = g_array_new(FALSE, FALSE, sizeof(struct wsx_extension_parameter));
    bool good = true;
    while (good && *parser->at == ';') {
        parser->at++;
        skip_blanks(parser);
        good = read_parameter(parser);
    }
    if (good && *parser->at && *parser->at != ',')
        good = fail(parser, "a comma or semicolon is missing");
    extension.broken = !good;
    extension.parameter_count = parser->parameters->len;
    extension.parameters = (struct wsx_extension_parameter *)(void *)g_array_free(
        parser->parameters, extension.parameter_count == 0);
    g_array_append_val(parser->items, extension);
    return good;
}

void wsx_extensions_parse(const char *value, struct wsx_extension_list *list) {
    *list = (struct wsx_extension_list){0};
    if (!value)
        return;
    struct parser parser = {.value = value, .at = value, .list = list};
    parser.items = g_array_new(FALSE, FALSE, sizeof(struct wsx_extension));
    bool good = true;
    while (good) {
        while (wsx_is_blank(*parser.at) || *parser.at == ',')
            parser.at++;
        if (!*parser.at)
            break;
        good = read_extension(&parser);
    }
    list->count = parser.items->len;
    if (good && !list->count)
        fail(&parser, "the list is empty");
    list->items = (struct wsx_extension *)(void *)g_array_free(parser.items, list->count == 0);
}

void wsx_extensions_clear(struct wsx_extension_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        struct wsx_extension *extension = &list->items[i];
        for (size_t p = 0; p < extension->parameter_count; p++)
            g_free(extension->parameters[p].value);
        g_free(extension->parameters);
    }
    g_free(list->items);
    *list = (struct wsx_extension_list){0};
}

static const struct {
    const char *name;
    enum wsx_deflate_parameter bit;
} known_parameters[] = {
    {"server_no_context_takeover", WSX_SERVER_NO_TAKEOVER},
    {"client_no_context_takeover", WSX_CLIENT_NO_TAKEOVER},
    {"server_max_window_bits", WSX_SERVER_BITS},
    {"client_max_window_bits", WSX_CLIENT_BITS},
};

/* "8" to "15", no leading zero (RFC 7692 7.1.2); 0 for anything else. */
static uint8_t window_bits(const char *value) {
    if (value[0] >= '8' && value[0] <= '9' && !value[1])
        return (uint8_t)(value[0] - '0');
    if (value[0] == '1' && value[1] >= '0' && value[1] <= '5' && !value[2])
        return (uint8_t)(10 + value[1] - '0');
    return 0;
}

/* Takes over a known parameter, seen for the first time; false when its value is bad. */
static bool take_value(enum wsx_deflate_parameter bit, const char *value, bool answer,
                       struct wsx_deflate_parameters *parameters) {
    if (bit == WSX_SERVER_NO_TAKEOVER || bit == WSX_CLIENT_NO_TAKEOVER)
        return !value;
    if (!value)
        return bit == WSX_CLIENT_BITS && !answer;
    uint8_t bits = window_bits(value);
    if (bits && bit == WSX_SERVER_BITS)
        parameters->server_bits = bits;
    else if (bits)
        parameters->client_bits = bits;
    return bits != 0;
}

static void bad_value(enum wsx_deflate_parameter bit, const char *name, const char *value,
                      bool answer, GString **detail) {
    struct wsx_shown shown;
    bool window = bit == WSX_SERVER_BITS || bit == WSX_CLIENT_BITS;
    const char *expected = !window                             ? "no value"
                           : bit == WSX_CLIENT_BITS && !answer ? "8 to 15 or no value"
                                                               : "8 to 15";
    if (value)
        wsx_detail_add(detail, "%s=%s, expected %s", name, wsx_show(&shown, wsx_slice_of(value)),
                       expected);
    else
        wsx_detail_add(detail, "%s without value, expected %s", name, expected);
}

void wsx_deflate_read(const struct wsx_extension *extension, bool answer,
                      struct wsx_deflate_parameters *parameters,
                      struct wsx_deflate_faults *faults) {
    *parameters = (struct wsx_deflate_parameters){
        .server_bits = 15, .client_bits = 15, .faulty = extension->broken};
    for (size_t i = 0; i < extension->parameter_count; i++) {
        const struct wsx_extension_parameter *parameter = &extension->parameters[i];
        size_t k = 0;
        while (k < G_N_ELEMENTS(known_parameters) &&
               !wsx_slice_is_nocase(parameter->name, known_parameters[k].name))
            k++;
        if (k == G_N_ELEMENTS(known_parameters)) {
            struct wsx_shown shown;
            wsx_detail_add(&faults->unknown, "%s", wsx_show(&shown, parameter->name));
            parameters->faulty = true;
            continue;
        }
        enum wsx_deflate_parameter bit = known_parameters[k].bit;
        if (parameters->present & bit) {
            wsx_detail_add(&faults->repeated, "%s", known_parameters[k].name);
            parameters->faulty = true;
            continue;
        }
        parameters->present |= bit;
        if (take_value(bit, parameter->value, answer, parameters)) {
            parameters->good |= bit;
        } else {
            bad_value(bit, known_parameters[k].name, parameter->value, answer, &faults->value);
            parameters->faulty = true;
        }
    }
}
