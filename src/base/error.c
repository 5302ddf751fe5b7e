/* error.c: the error record. First error wins; text is kept to one printable line because it may quote bytes of a hostile file.
 * Used by everything; uses nothing. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Control characters would let a file name or a node name write to the user's terminal. Bytes >= 0x80 pass: UTF-8 names are
 * common. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

/* Shorten to the record's size with "..." at the end, not in the middle of a UTF-8 sequence. */
static void mark_cut(char *text)
{
    size_t at = SLUICE_ERROR_TEXT - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    memcpy(text + at, "...", 4);
}

static void format_text(char *out, const char *format, va_list args)
{
    int n = vsnprintf(out, SLUICE_ERROR_TEXT, format, args);
    if (n < 0)
        snprintf(out, SLUICE_ERROR_TEXT, "(message could not be formatted)");
    else if (n >= SLUICE_ERROR_TEXT)
        mark_cut(out);
    make_printable(out);
}

sluice_status sl_fail(sl_err *e, sluice_status code, const char *format, ...)
{
    if (e->code != SLUICE_OK)
        return e->code;
    va_list args;
    va_start(args, format);
    format_text(e->message, format, args);
    va_end(args);
    e->hint[0] = 0;
    e->code = code;
    return code;
}

sluice_status sl_hint(sl_err *e, const char *format, ...)
{
    if (e->code == SLUICE_OK || e->hint[0])
        return e->code;
    va_list args;
    va_start(args, format);
    format_text(e->hint, format, args);
    va_end(args);
    return e->code;
}

sluice_status sl_context(sl_err *e, const char *format, ...)
{
    if (e->code == SLUICE_OK)
        return e->code;
    char prefix[SLUICE_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    format_text(prefix, format, args);
    va_end(args);

    size_t p = strlen(prefix), m = strlen(e->message);
    if (p + 2 >= SLUICE_ERROR_TEXT / 2) /* keep at least half of the room for what went wrong */
        p = SLUICE_ERROR_TEXT / 2 - 2;
    bool cut = p + 2 + m >= SLUICE_ERROR_TEXT;
    if (cut)
        m = SLUICE_ERROR_TEXT - 1 - p - 2;
    memmove(e->message + p + 2, e->message, m);
    memcpy(e->message, prefix, p);
    memcpy(e->message + p, ": ", 2);
    e->message[p + 2 + m] = 0;
    if (cut)
        mark_cut(e->message);
    return e->code;
}

sluice_status sl_fail_errno(sl_err *e, const char *what, const char *path)
{
    int number = errno;
    char reason[256];
    /* strerror_r has two signatures; strerror is not required to be thread safe but glibc's and musl's are for known numbers.
     */
    snprintf(reason, sizeof reason, "%s", strerror(number));
    return sl_fail(e, number == ENOMEM ? SLUICE_E_MEMORY : SLUICE_E_IO, "%s '%s': %s", what, path, reason);
}

const char *sluice_status_name(sluice_status s)
{
    switch (s) {
    case SLUICE_OK:
        return "ok";
    case SLUICE_E_USAGE:
        return "usage";
    case SLUICE_E_NOT_FOUND:
        return "not found";
    case SLUICE_E_FORMAT:
        return "format";
    case SLUICE_E_VALUE:
        return "value";
    case SLUICE_E_SHAPE:
        return "shape";
    case SLUICE_E_LIMIT:
        return "limit";
    case SLUICE_E_UNSUPPORTED:
        return "unsupported";
    case SLUICE_E_IO:
        return "io";
    case SLUICE_E_MEMORY:
        return "memory";
    case SLUICE_E_INTERNAL:
        return "internal";
    }
    return "unknown";
}

int sluice_exit_code(sluice_status s)
{
    int group = (int)s / 10;
    if (s == SLUICE_OK)
        return 0;
    return group >= 2 && group <= 6 ? group : 6;
}
