/* script_handlers.c: the commands that are carried out. Each changes the graph (stage modify) or the settings (stage optimize).
 */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/strings.h"
#include "ops/ops.h"
#include "script/script_table.h"

static sluice_status fail_at(const struct sl_script_apply *a, const struct sl_value *v, sluice_status code, sl_err *e,
                             const char *text)
{
    return sl_script_fail(a->script, v->line, v->column, code, e, "%s", text);
}

/* "net/normalization1" -> "normalization1" when net is one of the graph's scopes. */
static sluice_status new_layer_name(struct sl_script_apply *a, const struct sl_command *c, const char *target, const char **out,
                                    sl_err *e)
{
    const char *slash = strchr(target, '/');

    *out = slash ? slash + 1 : target;
    if (slash) {
        const char *scope = sl_arena_strndup(a->graph->arena, target, (size_t)(slash - target));
        bool known = !strcmp(scope, a->graph->name);
        for (int i = 0; i < a->graph->n_scopes; i++)
            known = known || !strcmp(scope, a->graph->scopes[i]);
        if (!known)
            return sl_script_fail(a->script, c->line, c->column, SLUICE_E_NOT_FOUND, e, "'%s': the network is called '%s'",
                                  target, a->graph->name);
    }
    if (sl_graph_find(a->graph, *out))
        return sl_script_fail(a->script, c->line, c->column, SLUICE_E_VALUE, e, "a layer called '%s' exists already", *out);
    return SLUICE_OK;
}

/* ---- normalization ---- */
static sluice_status channel_values(struct sl_script_apply *a, const struct sl_value *v, int64_t channels, bool divisor,
                                    const struct sl_const **out, sl_err *e)
{
    struct sl_shape shape = sl_shape_of(1, &channels);
    void *data;
    float *f;

    if (v->n != channels)
        return sl_script_fail(a->script, v->line, v->column, SLUICE_E_SHAPE, e, "%d value%s given, the input has %lld channels",
                              v->n, v->n == 1 ? "" : "s", (long long)channels);
    *out = sl_const_new(a->graph->arena, SL_F32, &shape, &data);
    if (!*out)
        return sl_fail(e, SLUICE_E_MEMORY, "no memory for %lld channel values", (long long)channels);
    f = data;
    for (int i = 0; i < v->n; i++) {
        f[i] = (float)v->items[i].f;
        if (!isfinite(f[i]) || (divisor && !(fabsf(f[i]) > 1e-30f)))
            return sl_script_fail(a->script, v->items[i].line, v->items[i].column, SLUICE_E_VALUE, e,
                                  divisor ? "std %s cannot be divided by" : "mean %s is not finite", v->items[i].s);
    }
    return SLUICE_OK;
}

static sluice_status insert_normalization(struct sl_script_apply *a, const struct sl_command *c, const char *target,
                                          struct sl_node *input, sl_err *e)
{
    struct sl_graph *g = a->graph;
    const struct sl_const *mean, *std;
    struct sl_node *n;
    const char *name;

    if (input->op != SL_OP_input_layer)
        return fail_at(a, &c->args[2], SLUICE_E_UNSUPPORTED, e, "normalization goes behind an input layer");
    if (input->shape.rank < 2)
        return sl_script_fail(a->script, c->line, c->column, SLUICE_E_SHAPE, e, "input '%s' has no channels", input->name);
    SL_TRY(new_layer_name(a, c, target, &name, e));
    SL_TRY(channel_values(a, &c->args[0], input->shape.dim[input->shape.rank - 1], false, &mean, e));
    SL_TRY(channel_values(a, &c->args[1], input->shape.dim[input->shape.rank - 1], true, &std, e));
    n = sl_graph_insert_after(g, input, SL_OP_normalization, 1, &input);
    sl_graph_replace_uses(g, input, n);
    n->in[0] = input;
    n->name = sl_arena_strdup(g->arena, name);
    n->scope = input->scope;
    sl_set_param(g, n, "mean", mean);
    sl_set_param(g, n, "std", std);
    sl_graph_renumber(g);
    sl_info("%s behind %s", n->name, input->name);
    return sl_infer(g, n, e);
}

sluice_status sl_script_normalization(struct sl_script_apply *a, const struct sl_command *c, sl_err *e)
{
    if (c->n_args == 3) {
        struct sl_node **found;
        int n;
        if (c->n_targets != 1)
            return fail_at(a, &c->args[2], SLUICE_E_VALUE, e, "one name before '=' when the input layer is given");
        SL_TRY(sl_script_layers(a->script, a->graph, &c->args[2], a->graph->arena, &found, &n, e));
        return insert_normalization(a, c, c->targets[0], found[0], e);
    }
    if (c->n_targets != a->graph->n_inputs)
        return sl_script_fail(
            a->script, c->line, c->column, SLUICE_E_VALUE, e,
            "the network has %d inputs and %d names are given; name the input layer as third argument, or one new "
            "layer an input",
            a->graph->n_inputs, c->n_targets);
    for (int i = 0; i < c->n_targets; i++)
        SL_TRY(insert_normalization(a, c, c->targets[i], a->graph->inputs[i].node, e));
    return SLUICE_OK;
}

/* ---- change_output_activation ---- */
static bool is_output_layer(const struct sl_graph *g, const struct sl_node *n)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (g->outputs[i].node == n || (g->outputs[i].node->n_in && g->outputs[i].node->in[0] == n))
            return true;
    return false;
}

/* The layer before the output gets the activation; an activation that stands there is replaced. */
static sluice_status set_output_activation(struct sl_script_apply *a, struct sl_node *output, const char *type, sl_err *e)
{
    struct sl_graph *g = a->graph;
    struct sl_node *last = output->op == SL_OP_output_layer ? output->in[0] : output, *n;

    if (last->op == SL_OP_activation && strcmp(type, "linear")) {
        static const char *const values[] = {"alpha", "beta", "minimum", "maximum"};
        sl_set_string(g, last, "type", type);
        for (size_t i = 0; i < SL_COUNT(values); i++)
            sl_remove_attr(last, values[i]);
        return SLUICE_OK;
    }
    if (last->op == SL_OP_activation) {
        sl_graph_replace_uses(g, last, last->in[0]);
        return SLUICE_OK;
    }
    if (!strcmp(type, "linear"))
        return SLUICE_OK;
    n = sl_graph_insert_after(g, last, SL_OP_activation, 1, &last);
    sl_graph_replace_uses(g, last, n);
    n->in[0] = last;
    for (int k = 1;; k++) {
        n->name = sl_arena_printf(g->arena, "%s_activation%d", last->name, k);
        if (!sl_graph_find(g, n->name) || sl_graph_find(g, n->name) == n)
            break;
    }
    n->scope = last->scope;
    sl_set_string(g, n, "type", type);
    sl_graph_renumber(g);
    return sl_infer(g, n, e);
}

sluice_status sl_script_output_activation(struct sl_script_apply *a, const struct sl_command *c, sl_err *e)
{
    const struct sl_value *type = &c->args[c->n_args - 1];
    struct sl_node **found;
    int n;

    if (strcmp(type->s, "linear") && !sl_activation_known(type->s))
        return sl_script_fail(a->script, type->line, type->column, SLUICE_E_VALUE, e,
                              "'%s' is not an activation; sigmoid, tanh, relu and linear are common ones", type->s);
    if (c->n_args == 1) {
        for (int i = 0; i < a->graph->n_outputs; i++)
            SL_TRY(set_output_activation(a, a->graph->outputs[i].node, type->s, e));
        return SLUICE_OK;
    }
    SL_TRY(sl_script_layers(a->script, a->graph, &c->args[0], a->graph->arena, &found, &n, e));
    if (!is_output_layer(a->graph, found[0]))
        return fail_at(a, &c->args[0], SLUICE_E_VALUE, e, "the layer does not feed an output");
    return set_output_activation(a, found[0], type->s, e);
}

/* ---- settings ---- */
sluice_status sl_script_calibration(struct sl_script_apply *a, const struct sl_command *c, sl_err *e)
{
    const struct sl_value *v = sl_script_keyword(c, "calibset_size");

    (void)e;
    if (v)
        a->settings->calibset_size = v->i;
    return SLUICE_OK;
}

sluice_status sl_script_ew_add_fusing(struct sl_script_apply *a, const struct sl_command *c, sl_err *e)
{
    const struct sl_value *v = sl_script_keyword(c, "policy");

    (void)e;
    if (v)
        a->settings->ew_add_fusing_off = v->kind == SL_VALUE_BOOL ? !v->i : !strcmp(v->s, "disabled");
    return SLUICE_OK;
}

static void add_clipping(struct sl_script_apply *a, struct sl_node *n, bool percentile, double low, double high)
{
    struct sl_script_settings *s = a->settings;
    struct sl_script_clipping *grown = SL_NEW_ARRAY(a->graph->arena, struct sl_script_clipping, s->n_clippings + 1);

    if (s->n_clippings)
        memcpy(grown, s->clippings, (size_t)s->n_clippings * sizeof *grown);
    grown[s->n_clippings++] = (struct sl_script_clipping){.node = n, .percentile = percentile, .low = low, .high = high};
    s->clippings = grown;
}

static sluice_status range_of(struct sl_script_apply *a, const struct sl_value *v, bool percentile, double *low, double *high,
                              sl_err *e)
{
    if (v->n != 2 || !(v->items[0].f < v->items[1].f))
        return fail_at(a, v, SLUICE_E_VALUE, e, "a range is [low, high] with low < high");
    *low = v->items[0].f;
    *high = v->items[1].f;
    if (percentile && (*low < 0 || *high > 100))
        return fail_at(a, v, SLUICE_E_VALUE, e, "percentiles lie within 0 to 100");
    return SLUICE_OK;
}

sluice_status sl_script_clip(struct sl_script_apply *a, const struct sl_command *c, sl_err *e)
{
    const struct sl_value *layers = sl_script_keyword(c, "layers"), *mode = sl_script_keyword(c, "mode");
    const struct sl_value *values = sl_script_keyword(c, "clipping_values");
    struct sl_node **found;
    bool percentile;
    double low, high;
    int n;

    if (!layers || !mode)
        return sl_script_fail(a->script, c->line, c->column, SLUICE_E_VALUE, e, "activation_clipping takes layers and mode");
    if (!strcmp(mode->s, "disabled"))
        return SLUICE_OK;
    percentile = strcmp(mode->s, "manual") != 0;
    if (percentile && strcmp(mode->s, "percentile") && strcmp(mode->s, "percentile_force"))
        return fail_at(a, mode, SLUICE_E_VALUE, e, "mode is disabled, manual, percentile or percentile_force");
    if (!values)
        return fail_at(a, mode, SLUICE_E_VALUE, e, "clipping_values=[low, high] is missing");
    SL_TRY(range_of(a, values, percentile, &low, &high, e));
    SL_TRY(sl_script_layers(a->script, a->graph, layers, a->graph->arena, &found, &n, e));
    for (int i = 0; i < n; i++)
        add_clipping(a, found[i], percentile, low, high);
    return SLUICE_OK;
}

static void add_wide(struct sl_script_apply *a, struct sl_node *n)
{
    struct sl_script_settings *s = a->settings;
    struct sl_node **grown = SL_NEW_ARRAY(a->graph->arena, struct sl_node *, s->n_wide + 1);

    if (s->n_wide)
        memcpy(grown, s->wide, (size_t)s->n_wide * sizeof *grown);
    grown[s->n_wide++] = n;
    s->wide = grown;
}

static sluice_status set_precision(struct sl_script_apply *a, const struct sl_value *mode, struct sl_node **found, int n,
                                   sl_err *e)
{
    static const char *const later[] = {"a8_w4", "a16_w16", "a16_w4", "a16_w8_a16", "a16_w4_a16"};

    if (!strcmp(mode->s, "a8_w8"))
        return SLUICE_OK;
    if (!strcmp(mode->s, "a16_w8")) {
        for (int i = 0; i < n; i++)
            add_wide(a, found[i]);
        return SLUICE_OK;
    }
    /* On layers without weights 16-bit activations say all there is. */
    if (!strcmp(mode->s, "a16_w16")) {
        bool weighted = false;
        for (int i = 0; i < n; i++)
            weighted = weighted || sl_param(found[i], "kernel");
        if (!weighted) {
            for (int i = 0; i < n; i++)
                add_wide(a, found[i]);
            return SLUICE_OK;
        }
    }
    for (size_t i = 0; i < SL_COUNT(later); i++)
        if (!strcmp(mode->s, later[i]))
            return sl_script_fail(a->script, mode->line, mode->column, SLUICE_E_UNSUPPORTED, e,
                                  "precision mode %s is known but not implemented yet for layers with weights", mode->s);
    return fail_at(a, mode, SLUICE_E_VALUE, e, "precision modes are a8_w8, a8_w4, a16_w16, a16_w8 and a16_w4");
}

sluice_status sl_script_precision(struct sl_script_apply *a, const struct sl_command *c, sl_err *e)
{
    static const char *const later[] = {"weight_group_size", "force_range_in", "quantization_groups"};
    const struct sl_value *mode = sl_script_keyword(c, "precision_mode"), *range = sl_script_keyword(c, "force_range_out");
    struct sl_node **found;
    double low, high;
    int n;

    SL_TRY(sl_script_layers(a->script, a->graph, &c->args[0], a->graph->arena, &found, &n, e));
    for (size_t i = 0; i < SL_COUNT(later); i++)
        if (sl_script_keyword(c, later[i]))
            return sl_script_fail(a->script, c->line, c->column, SLUICE_E_UNSUPPORTED, e,
                                  "'%s' is known but not implemented yet", later[i]);
    if (range) {
        SL_TRY(range_of(a, range, false, &low, &high, e));
        for (int i = 0; i < n; i++)
            add_clipping(a, found[i], false, low, high);
    }
    if (mode)
        return set_precision(a, mode, found, n, e);
    if (!range)
        sl_info("%s:%d: quantization_param: accepted, no effect yet", a->script->file, c->line);
    return SLUICE_OK;
}
