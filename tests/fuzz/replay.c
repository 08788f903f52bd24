/*
 * replay.c - runs a fuzz target over files, without libFuzzer: those of the folder that it was
 * built for (inputs that once found something), or those named. Each file runs whole and at each
 * shorter length of its end, from memory of its exact size, so that a tool for memory errors sees
 * an overrun.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#include <glib.h>

/* Shorter lengths that are run too. */
#define SHORTER 16u

int LLVMFuzzerInitialize(int *count, char ***arguments) __attribute__((weak));

static bool replay(const char *path) {
    char *bytes;
    gsize length;
    if (!g_file_get_contents(path, &bytes, &length, NULL)) {
        fprintf(stderr, "can't read %s\n", path);
        return false;
    }
    for (unsigned less = 0; less <= SHORTER && less <= length; less++) {
        size_t size = length - less;
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, bytes, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    g_free(bytes);
    return true;
}

int main(int count, char **arguments) {
    unsigned files = 0;
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&count, &arguments);
    for (int i = 1; i < count; i++)
        if (!replay(arguments[i]))
            return 1;
    if (count > 1)
        return 0;
    GDir *folder = g_dir_open(WSX_FUZZ_CORPUS, 0, NULL);
    const char *name;
    while (folder && (name = g_dir_read_name(folder)) != NULL) {
        char *path = g_build_filename(WSX_FUZZ_CORPUS, name, NULL);
        bool read = replay(path);
        g_free(path);
        if (!read)
            return 1;
        files++;
    }
    if (folder)
        g_dir_close(folder);
    printf("%u files of %s\n", files, WSX_FUZZ_CORPUS);
    return files ? 0 : 1; /* an empty folder is a mistake */
}
