/* args.c: command line words -> struct cli_args by a verb's flag table. Comes before every verb, knows none of them. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "sluice/model.h"

static void *must(void *p)
{
    if (!p) {
        fputs("sluice: out of memory\n", stderr);
        exit(sluice_exit_code(SLUICE_E_MEMORY));
    }
    return p;
}

static const struct cli_flag *find_flag(const struct cli_verb *verb, const char *name, size_t length, char letter)
{
    for (int common = 0; common < 2; common++) {
        const struct cli_flag *flags = common ? cli_common_flags : verb->flags;
        size_t n = common ? cli_common_flag_count : verb->n_flags;
        for (size_t i = 0; i < n; i++) {
            bool hit = letter ? flags[i].letter == letter
                              : strlen(flags[i].name) == length && strncmp(flags[i].name, name, length) == 0;
            if (hit)
                return &flags[i];
        }
    }
    return NULL;
}

static sluice_status unknown_flag(const struct cli_verb *verb, const char *word, struct sluice_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < verb->n_flags && n < SL_COUNT(names); i++)
        names[n++] = verb->flags[i].name;
    for (size_t i = 0; i < cli_common_flag_count && n < SL_COUNT(names); i++)
        names[n++] = cli_common_flags[i].name;
    char bare[128];
    snprintf(bare, sizeof bare, "%s", word + strspn(word, "-"));
    bare[strcspn(bare, "=")] = 0;
    const char *near = sl_nearest(bare, names, n);
    sl_fail(err, SLUICE_E_USAGE, "'%s' is not a flag of 'sluice %s'", word, verb->name);
    return near ? sl_hint(err, "did you mean --%s? 'sluice %s --help' lists the flags", near, verb->name)
                : sl_hint(err, "'sluice %s --help' lists the flags", verb->name);
}

static sluice_status check_number(const struct cli_flag *f, const char *text, struct sluice_error *err)
{
    char *end = NULL;
    errno = 0;
    if (f->kind == CLI_INT) {
        long long v = strtoll(text, &end, 10);
        if (end == text || *end || errno)
            return sl_fail(err, SLUICE_E_USAGE, "--%s: '%s' is not a whole number", f->name, text);
        if (v < f->least || v > f->most)
            return sl_fail(err, SLUICE_E_USAGE, "--%s: %lld is outside %lld..%lld", f->name, v, (long long)f->least,
                           (long long)f->most);
        return SLUICE_OK;
    }
    double v = strtod(text, &end);
    if (end == text || *end || errno || !(v >= (double)f->least && v <= (double)f->most))
        return sl_fail(err, SLUICE_E_USAGE, "--%s: '%s' is not a number in %lld..%lld", f->name, text, (long long)f->least,
                       (long long)f->most);
    return SLUICE_OK;
}

static bool word_in(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; n && (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

static sluice_status check_value(const struct cli_flag *f, const char *text, struct sluice_error *err)
{
    if (f->kind == CLI_INT || f->kind == CLI_NUMBER)
        return check_number(f, text, err);
    if (f->kind == CLI_CHOICE && !word_in(f->words, text))
        return sl_fail(err, SLUICE_E_USAGE, "--%s: '%s' is not one of: %s", f->name, text, f->words);
    return SLUICE_OK;
}

static struct cli_value *value_slot(struct cli_args *out, const struct cli_flag *f)
{
    for (int i = 0; i < out->n_set; i++)
        if (out->set[i].flag == f)
            return &out->set[i];
    out->set = must(realloc(out->set, (size_t)(out->n_set + 1) * sizeof *out->set));
    out->set[out->n_set] = (struct cli_value){.flag = f};
    return &out->set[out->n_set++];
}

static void add_value(struct cli_value *v, const char *text)
{
    v->values = must(realloc(v->values, (size_t)(v->n + 1) * sizeof *v->values));
    v->values[v->n++] = text;
}

static bool is_flag_word(const char *w)
{
    return w[0] == '-' && w[1] && !(w[1] >= '0' && w[1] <= '9') && w[1] != '.';
}

/* One flag at argv[*at]; leaves *at on its last word. */
static sluice_status take_flag(const struct cli_verb *verb, int argc, char **argv, int *at, struct cli_args *out,
                               struct sluice_error *err)
{
    const char *word = argv[*at];
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    const struct cli_flag *f = is_long ? find_flag(verb, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2), 0)
                               : word[2] ? NULL
                                         : find_flag(verb, NULL, 0, word[1]);
    if (!f)
        return unknown_flag(verb, word, err);
    struct cli_value *slot = value_slot(out, f);
    if (f->kind == CLI_BOOL) {
        if (equals)
            return sl_fail(err, SLUICE_E_USAGE, "--%s takes no value", f->name);
        slot->n++; /* -v -v counts */
        return SLUICE_OK;
    }
    if (f->kind != CLI_LIST)
        slot->n = 0; /* the last one counts */
    int taken = 0;
    if (equals) {
        SL_TRY(check_value(f, equals + 1, err));
        add_value(slot, equals + 1);
        taken = 1;
    }
    while (!equals && *at + 1 < argc && !is_flag_word(argv[*at + 1]) && (f->kind == CLI_LIST || !taken)) {
        SL_TRY(check_value(f, argv[++*at], err));
        add_value(slot, argv[*at]);
        taken++;
    }
    if (!taken)
        return sl_fail(err, SLUICE_E_USAGE, "--%s wants a value: %s", f->name, f->value);
    return SLUICE_OK;
}

sluice_status cli_parse(const struct cli_verb *verb, int argc, char **argv, struct cli_args *out, struct sluice_error *err)
{
    *out = (struct cli_args){.verb = verb};
    bool only_positional = false;
    for (int i = 0; i < argc; i++) {
        if (!only_positional && strcmp(argv[i], "--") == 0) {
            only_positional = true;
        } else if (!only_positional && is_flag_word(argv[i])) {
            SL_TRY(take_flag(verb, argc, argv, &i, out, err));
        } else {
            out->positional = must(realloc(out->positional, (size_t)(out->n_positional + 1) * sizeof *out->positional));
            out->positional[out->n_positional++] = argv[i];
        }
    }
    out->json = cli_has(out, "json");
    if (cli_has(out, "help"))
        return SLUICE_OK;
    if (out->n_positional < verb->least || out->n_positional > verb->most) {
        sl_fail(err, SLUICE_E_USAGE, "'sluice %s' takes %s%s; %d given", verb->name, verb->positional[0] ? "" : "no file",
                verb->positional, out->n_positional);
        return sl_hint(err, "'sluice %s --help' shows the form", verb->name);
    }
    return SLUICE_OK;
}

void cli_free(struct cli_args *a)
{
    for (int i = 0; i < a->n_set; i++)
        free(a->set[i].values);
    free(a->set);
    free(a->positional);
    *a = (struct cli_args){0};
}

static const struct cli_value *value_of(const struct cli_args *a, const char *flag)
{
    for (int i = 0; i < a->n_set; i++)
        if (strcmp(a->set[i].flag->name, flag) == 0 && a->set[i].n)
            return &a->set[i];
    return NULL;
}

bool cli_has(const struct cli_args *a, const char *flag) { return value_of(a, flag) != NULL; }

const char *cli_string(const struct cli_args *a, const char *flag, const char *otherwise)
{
    const struct cli_value *v = value_of(a, flag);
    return v ? v->values[0] : otherwise;
}

int cli_count(const struct cli_args *a, const char *flag)
{
    const struct cli_value *v = value_of(a, flag);
    return v ? v->n : 0;
}

int64_t cli_int(const struct cli_args *a, const char *flag, int64_t otherwise)
{
    const struct cli_value *v = value_of(a, flag);
    return v ? strtoll(v->values[0], NULL, 10) : otherwise;
}

double cli_number(const struct cli_args *a, const char *flag, double otherwise)
{
    const struct cli_value *v = value_of(a, flag);
    return v ? strtod(v->values[0], NULL) : otherwise;
}

const char *const *cli_list(const struct cli_args *a, const char *flag, size_t *n)
{
    const struct cli_value *v = value_of(a, flag);
    *n = v ? (size_t)v->n : 0;
    return v ? v->values : NULL;
}

bool cli_ask(const char *question, bool otherwise)
{
    char line[16];
    fprintf(stderr, "%s [%s] ", question, otherwise ? "Y/n" : "y/N");
    fflush(stderr);
    bool answered = fgets(line, sizeof line, stdin) != NULL;
    if (!answered || !isatty(STDIN_FILENO))
        fprintf(stderr, "%s\n", answered ? (line[0] == 'y' || line[0] == 'Y' ? "y" : "n") : otherwise ? "y" : "n");
    if (!answered || line[0] == '\n')
        return otherwise;
    return line[0] == 'y' || line[0] == 'Y';
}

void cli_put(char *text)
{
    fputs(text, stdout);
    sluice_free(text);
}
