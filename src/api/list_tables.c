/* list_tables.c: the documents that are made from tables: operations (ops.def and the operator tables of the front ends), commands of
 * model scripts, and the patterns that the front ends recognise. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "front/pattern_text.h"
#include "ops/ops.h"
#include "script/script_table.h"
#include "sluice/model.h"

/* ---- operations ---- */

static bool is_native_only(enum sl_op op)
{
    return sl_op_row(op)->quantize == quantize_native_only;
}

static const char *encode_name(enum sl_encode e)
{
    static const char *const names[] = {"own range", "as its input", "united with its inputs", "given by the op",
                                        "not quantized"};
    return names[e];
}

static const char *inputs_text(int least, int most, char text[32])
{
    if (most < 0)
        snprintf(text, 32, "%d or more", least);
    else if (most != least)
        snprintf(text, 32, "%d to %d", least, most);
    else
        snprintf(text, 32, "%d", least);
    return text;
}

static void put_op(struct sl_buffer *b, enum sl_op op, bool markdown)
{
    const struct sl_op_info *o = sl_op_info(op);
    const char *encoding = encode_name(sl_op_row(op)->encode), *runs = is_native_only(op) ? "native only" : "quantized";
    char inputs[32];
    inputs_text(o->min_in, o->max_in, inputs);
    if (markdown)
        sl_put_printf(b, "| `%s` | `%s1` ... | %s | %s | %s |\n", o->name, o->counter, inputs, runs, encoding);
    else
        sl_put_printf(b, "%-16s %-24s %-10s %-12s %s\n", o->name, o->counter, inputs, runs, encoding);
}

/* ---- operators of files ---- */

struct map {
    const char *function, *layers, *limits;
};
#define MAP(function, layers, limits) {#function, layers, limits},
static const struct map maps[] = {
#include "onnx/onnx_maps.def"
#include "tflite/tflite_maps.def"
};
#undef MAP

/* A row without a map shows as "?", which a test looks for. */
static void put_map(struct sl_buffer *b, const char *function)
{
    size_t i = 0;
    while (i < SL_COUNT(maps) && strcmp(maps[i].function, function) != 0)
        i++;
    if (i == SL_COUNT(maps)) {
        sl_put_printf(b, "? | |\n");
        return;
    }
    bool any = false;
    for (const char *at = maps[i].layers; *at; any = true) {
        char word[48];
        enum sl_op op;
        int n = (int)strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", n, at);
        bool known = sl_op_from_name(word, &op);
        sl_put_printf(b, "%s%s`%s`%s", any ? ", " : "", known ? "" : "?", word,
                      known && is_native_only(op) ? " (native only)" : "");
        at += n + (at[n] == ' ');
    }
    sl_put_printf(b, "%s | %s |\n", any ? "" : "none", maps[i].limits);
}

struct onnx_row {
    const char *domain, *name;
    int since, until, least, most;
    const char *function, *reason;
};
#define ONNX(domain, name, since, until, least, most, function) {domain, name, since, until, least, most, #function, NULL},
#define ONNX_NOT(domain, name, reason)                          {domain, name, 1, 99, 0, -1, NULL, reason},
static const struct onnx_row onnx_rows[] = {
#include "onnx/onnx_ops.def"
};
#undef ONNX
#undef ONNX_NOT

static void put_onnx(struct sl_buffer *b)
{
    sl_put_printf(b, "\n## ONNX\n\nOpsets 1 to 21; a newer one where every operator used means the same. Layers `none`: "
                     "evaluated while parsing, "
                     "or gone.\n\n| operator | opsets | inputs | layers | limits |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < SL_COUNT(onnx_rows); i++) {
        const struct onnx_row *r = &onnx_rows[i];
        char inputs[32], opsets[32];
        if (r->reason)
            continue;
        if (r->until >= 99)
            snprintf(opsets, sizeof opsets, r->since == 1 ? "all" : "from %d", r->since);
        else
            inputs_text(r->since, r->until, opsets);
        sl_put_printf(b, "| %s%s`%s` | %s | %s | ", r->domain, r->domain[0] ? " " : "", r->name, opsets,
                      inputs_text(r->least, r->most, inputs));
        put_map(b, r->function);
    }
    sl_put_printf(b, "\nKnown and refused, besides operators of domains that are not named here:\n\n| operator | reason |\n|---|---|\n");
    for (size_t i = 0; i < SL_COUNT(onnx_rows); i++)
        if (onnx_rows[i].reason)
            sl_put_printf(b, "| %s%s`%s` | %s |\n", onnx_rows[i].domain, onnx_rows[i].domain[0] ? " " : "", onnx_rows[i].name,
                          onnx_rows[i].reason);
}

struct tflite_row {
    int code;
    const char *name;
    int least, most;
    const char *function, *reason;
};
#define TFL(code, name, least, most, function) {code, name, least, most, #function, NULL},
#define TFL_NOT(code, name, reason)            {code, name, 0, -1, NULL, reason},
static const struct tflite_row tflite_rows[] = {
#include "tflite/tflite_ops.def"
};
#undef TFL
#undef TFL_NOT

static void put_tflite(struct sl_buffer *b)
{
    char inputs[32];
    sl_put_printf(
        b,
        "\n## TFLite\n\nFloat, float16, hybrid and fully quantized files. Layers `none`: evaluated while parsing, or gone.\n\n"
        "| code | operator | inputs | layers | limits |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < SL_COUNT(tflite_rows); i++) {
        const struct tflite_row *r = &tflite_rows[i];
        if (r->reason)
            continue;
        sl_put_printf(b, "| %d | `%s` | %s | ", r->code, r->name, inputs_text(r->least, r->most, inputs));
        put_map(b, r->function);
    }
    sl_put_printf(b, "\nKnown and refused:\n\n| code | operator | reason |\n|---|---|---|\n");
    for (size_t i = 0; i < SL_COUNT(tflite_rows); i++)
        if (tflite_rows[i].reason)
            sl_put_printf(b, "| %d | `%s` | %s |\n", tflite_rows[i].code, tflite_rows[i].name, tflite_rows[i].reason);
}

char *sluice_list_ops(bool markdown)
{
    struct sl_buffer b = {0};
    struct sluice_error err = {0};
    char *text = NULL;
    if (markdown)
        sl_put_printf(
            &b,
            "# Operations\n\nMade by `sluice docs ops` from `src/ir/ops.def` and the operator tables of the front ends; a test "
            "compares.\n\n## Layers\n\nQuantized layers run at 8 bits, or at 16 where asked for; weights have 8 or 4 bits "
            "(`docs/quantization.md`). Layers that are `native only` run in `emulate --mode native`: `optimize` names the end "
            "nodes that avoid them.\n\n| layer | names | inputs | runs | encoding of its output |\n|---|---|---|---|---|\n");
    else
        sl_put_printf(&b, "%-16s %-24s %-10s %-12s %s\n", "operation", "stem of layer names", "inputs", "runs",
                      "encoding of its output");
    for (int i = 0; i < SL_OP_COUNT; i++)
        put_op(&b, (enum sl_op)i, markdown);
    if (markdown) {
        put_onnx(&b);
        put_tflite(&b);
    }
    sl_api_take_text(&b, &text, &err);
    return text;
}

/* ---- commands of model scripts ---- */

static const char *const type_names[] = {"integer",       "number", "bool",   "policy", "word",   "text", "list of numbers",
                                         "list of words", "layer",  "layers", "time",   "target", "any"};

static bool is_numeric(enum sl_script_type t)
{
    return t == SL_TYPE_INT || t == SL_TYPE_NUMBER || t == SL_TYPE_NUMBERS || t == SL_TYPE_TIME || t == SL_TYPE_TARGET;
}

static void put_value(struct sl_buffer *b, const struct sl_script_row *r)
{
    sl_put_printf(b, "`%s` %s", r->name, type_names[r->type]);
    if (is_numeric(r->type) && (r->low != 0 || r->high != 0) && r->high < 1e9)
        sl_put_printf(b, " %.10g..%.10g", r->low, r->high);
    if (r->kind == SL_ROW_ARG && r->min_args == 0)
        sl_put_printf(b, ", optional");
}

/* The rows of one kind that follow `r`, up to the next command or part. */
static void put_values(struct sl_buffer *b, const struct sl_script_row *r, enum sl_script_row_kind kind)
{
    bool any = false;
    for (r++; r->kind != SL_ROW_END && r->kind != SL_ROW_COMMAND && r->kind != SL_ROW_PART; r++) {
        if (r->kind != kind)
            continue;
        sl_put_printf(b, "%s", any ? "; " : "");
        put_value(b, r);
        any = true;
    }
}

static const char *effect_name(enum sl_script_effect e)
{
    static const char *const names[] = {"carried out", "accepted, changes no result", "refused: not implemented", "by part"};
    return names[e];
}

static void put_command(struct sl_buffer *b, const struct sl_script_row *command, const struct sl_script_row *r)
{
    static const char *const before[] = {[SL_FORM_COMMAND] = "", [SL_FORM_ASSIGNMENT] = "x = ", [SL_FORM_METHOD] = "x."};
    sl_put_printf(b, "| `");
    if (r->kind == SL_ROW_PART)
        sl_put_printf(b, "%s(%s, ...)", command->name, r->name);
    else
        sl_put_printf(b, "%s%s(...)", before[r->form], r->name);
    sl_put_printf(b, "` | %s | %s | ", r->help, effect_name(r->effect));
    put_values(b, r, SL_ROW_ARG);
    sl_put_printf(b, " | ");
    put_values(b, r, SL_ROW_KEY);
    sl_put_printf(b, " |\n");
}

char *sluice_list_script_commands(void)
{
    static const char *const stages[] = {
        [SL_SCRIPT_MODIFY] = "Changing the model", [SL_SCRIPT_OPTIMIZE] = "Optimization", [SL_SCRIPT_COMPILE] = "Compilation"};
    struct sl_buffer b = {0};
    struct sluice_error err = {0};
    char *text = NULL;
    sl_put_printf(&b, "# Model scripts\n\nMade by `sluice docs script` from `src/script/script_commands.def`; a test compares. "
                      "Commands that are "
                      "`accepted, changes no result` steer effort or placement on the chip.\n");
    for (int stage = 0; stage < (int)SL_COUNT(stages); stage++) {
        const struct sl_script_row *command = NULL;
        sl_put_printf(&b, "\n## %s\n\n| command | what it does | here | arguments | keywords |\n|---|---|---|---|---|\n",
                      stages[stage]);
        for (const struct sl_script_row *r = sl_script_table; r->kind != SL_ROW_END; r++) {
            if (r->kind == SL_ROW_COMMAND)
                command = r;
            if ((r->kind == SL_ROW_COMMAND || r->kind == SL_ROW_PART) && (int)command->stage == stage)
                put_command(&b, command, r);
        }
    }
    sl_api_take_text(&b, &text, &err);
    return text;
}

/* ---- patterns ---- */

static const char pattern_head[] =
    "# Patterns\n\nMade by `sluice docs patterns` from the tables of `src/front`; a test compares. Exporters write one layer as many nodes; the "
    "front ends make one of them again, in float files of ONNX and TFLite alike. Names of the nodes that went remain origins of the layer "
    "that stands for them. Stems that cut a picture into every second row and column become `space_to_depth` (`src/front/focus.c`); the "
    "heads of detectors are found in `src/front/nms_heads.c`.\n";
static const char rotary_note[] =
    "\nThe tables may be constants, rows picked by position, or computed (`cos` and `sin` of an outer product); they hold one angle for each "
    "feature or for each pair. They are joined to one tensor of angles, cosines first, once for all layers that share them: so both have "
    "one encoding and the sum of two products is exact, with one rounding in place of four to six. Where only the first features of a head "
    "are turned, `slice` and `concat` stay around the layer: they move data and round nothing.\n";
static const char attention_note[] =
    "\nAttention stays a chain of layers, `matmul` -> `ew_add` for each mask -> `softmax` -> `matmul`, rather than one layer: model scripts "
    "and reports name `matmul1` and `softmax1`; each of them has its own encoding, statistics and noise, and its own kernel, and a chain of "
    "products with one rounding each is as exact as one layer would be, since between them stand real tensors either way. What the chain "
    "gains is in the form: the scale is part of the first product's requantization and is never rounded, masks are sums, heads are "
    "not repeated. `attention` names the group on each member; the first matmul also has `heads`, `head_dim`, `queries`, `keys` and `mask`: "
    "`none`, `bias` (no place is closed), `causal`, `constant`, `input` (known at run time), in the order of addition, joined by `+`. "
    "`har info` lists the groups.\n\nPlaces that a mask closes hold -1e9, -3.4e38 or -infinity. They would ruin every range they stand in, so "
    "`optimize` looks at scores at most `closed_gap` (24; 64 where another mask is added behind) below the largest of their line, and "
    "ends the range of the sum and of the mask there: exp(-24) is 0 in 16 bits, so closed places have exactly no weight, in lines whose "
    "largest score is at worst 12 below those that calibration saw. A mask that is an input may hold -infinity; what calibration and the "
    "library's float input make of it is the end of the range. Constants below -1e9 that nothing but masks reads become -1e9.\n";

static void put_patterns(struct sl_buffer *b, const char *title, const struct sl_pattern_text *(*row)(int))
{
    sl_put_printf(b, "\n## %s\n\n| pattern | what is matched | what it becomes |\n|---|---|---|\n", title);
    for (int i = 0; row(i); i++)
        sl_put_printf(b, "| %s | %s | %s |\n", row(i)->name, row(i)->matches, row(i)->becomes);
}

char *sluice_list_patterns(void)
{
    struct sl_buffer b = {0};
    struct sluice_error err = {0};
    char *text = NULL;
    sl_put_printf(&b, "%s", pattern_head);
    put_patterns(&b, "Curves and norms, in any axis order", sl_curve_pattern);
    put_patterns(&b, "Rotary embedding", sl_rotary_pattern);
    sl_put_printf(&b, "%s", rotary_note);
    put_patterns(&b, "In stored order, channels last", sl_stored_pattern);
    put_patterns(&b, "Attention", sl_attention_pattern);
    sl_put_printf(&b, "%s", attention_note);
    sl_api_take_text(&b, &text, &err);
    return text;
}
