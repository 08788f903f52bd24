/*
 * fuzz.h - what the fuzz targets share: reading their input, and a check that stays on in every
 * build.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_FUZZ_H
#define WSX_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* libFuzzer calls this, and replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next byte, 0 behind the end. */
static inline uint8_t fuzz_byte(struct fuzz_input *input) {
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

/* The next *length bytes, or as many as there are. */
static inline const uint8_t *fuzz_take(struct fuzz_input *input, size_t *length) {
    const uint8_t *at = input->at;
    if (*length > input->left)
        *length = input->left;
    input->at += *length;
    input->left -= *length;
    return at;
}

#endif
