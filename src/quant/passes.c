/* passes.c: native graph -> fp_optimized graph. After the last row every layer is one that quantization knows. */
#include "quant/passes.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "quant/optimize.h"

const struct sl_pass sl_optimize_passes[] = {
    {"apply-script", sl_pass_apply_script, SL_SPEC_FLOAT, "model modifications of the script"},
    {"add-masks", sl_pass_add_masks, SL_SPEC_FLOAT, "what a condition chooses becomes a sum with a mask, or of products"},
    {"drop-rounding", sl_pass_drop_rounding, SL_SPEC_FLOAT, "steps of a file that is quantized already, and integer inputs that are numbers"},
    {"remove-noops", sl_pass_remove_noops, SL_SPEC_FLOAT, "data movement that moves nothing"},
    {"recognise-activations", sl_pass_recognise_activations, SL_SPEC_FLOAT, "silu, gelu ... out of their parts"},
    {"expand", sl_pass_expand, SL_SPEC_FLOAT, "log_softmax, cumsum, powers of a number into layers that have an integer form"},
    {"fold-affine", sl_pass_fold_affine, SL_SPEC_FLOAT, "batch_norm, bias_add, per-channel constants into the layer before"},
    {"fold-scale", sl_pass_fold_scale, SL_SPEC_FLOAT, "a constant factor into the weights that feed it"},
    {"fold-affine-forward", sl_pass_fold_affine_forward, SL_SPEC_FLOAT,
     "the same into the layers behind, normalization above all"},
    {"fuse-pad", sl_pass_fuse_pad, SL_SPEC_FLOAT, "explicit padding into windows"},
    {"fold-padded-affine", sl_pass_fold_affine_forward, SL_SPEC_FLOAT, "what the padding was in the way of"},
    {"standalone-to-dw", sl_pass_standalone_to_dw, SL_SPEC_FUSED, "per-channel layers left over become 1x1 depthwise"},
    {"fuse-activation", sl_pass_fuse_activation, SL_SPEC_FUSED, "activations into weighted layers"},
    {"fuse-residual", sl_pass_fuse_residual, SL_SPEC_FUSED, "additions into the linear layer before them"},
    {"fuse-activation-after-add", sl_pass_fuse_activation, SL_SPEC_FUSED, "clamps behind a fused addition"},
    {"remove-noops-again", sl_pass_remove_noops, SL_SPEC_FUSED, "what fusing left without effect"},
};
const int sl_n_optimize_passes = (int)SL_COUNT(sl_optimize_passes);

void sl_optimize_list_passes(struct sl_buffer *out)
{
    for (int i = 0; i < sl_n_optimize_passes; i++)
        sl_put_printf(out, "%s\n", sl_optimize_passes[i].name);
}

sluice_status sl_pass_apply_script(struct sl_fuse *f, sl_err *e)
{
    if (!f->script)
        return SLUICE_OK;
    SL_TRY(sl_script_apply(f->script, SL_SCRIPT_MODIFY, f->graph, f->settings, e));
    sl_graph_remove_dead(f->graph);
    return sl_infer_all(f->graph, e);
}

static sluice_status check(const struct sl_fuse *f, const struct sl_pass *p, sl_err *e)
{
    const struct sl_graph *g = f->graph;

    SL_TRY(sl_graph_verify(g, e));
    for (int i = 0; p->spec == SL_SPEC_FUSED && i < g->n_nodes; i++) {
        enum sl_op op = g->nodes[i]->op;
        if (op == SL_OP_batch_norm || op == SL_OP_normalization || op == SL_OP_bias_add)
            return sl_fail(e, SLUICE_E_INTERNAL, "layer '%s': %s is still there", sl_node_text(g->nodes[i]),
                           sl_op_info(op)->name);
    }
    return SLUICE_OK;
}

static sluice_status dump(const struct sl_fuse *f, const struct sl_pass *p, sl_err *e)
{
    struct sl_buffer text = {0};
    sluice_status s;

    sl_graph_renumber(f->graph);
    s = sl_text_print(f->graph, NULL, &text, e);
    if (s == SLUICE_OK)
        printf("# after %s\n%s", p->name, sl_buffer_text(&text));
    sl_buffer_free(&text);
    return s;
}

static sluice_status check_names(const char *name, sl_err *e)
{
    const char *names[SL_COUNT(sl_optimize_passes) + 1] = {"all"};
    const char *near;

    for (int i = 0; i < sl_n_optimize_passes; i++)
        names[i + 1] = sl_optimize_passes[i].name;
    for (size_t i = 0; i < SL_COUNT(names); i++)
        if (!name || !strcmp(names[i], name))
            return SLUICE_OK;
    near = sl_nearest(name, names, SL_COUNT(names));
    sl_fail(e, SLUICE_E_USAGE, "no pass of optimize is called '%s'", name);
    return near ? sl_hint(e, "the nearest one is '%s'", near) : e->code;
}

sluice_status sl_run_passes(struct sl_fuse *f, const char *only, const char *dump_after, sl_err *e)
{
    SL_TRY(check_names(only, e));
    SL_TRY(check_names(dump_after, e));
    for (int i = 0; i < sl_n_optimize_passes; i++) {
        const struct sl_pass *p = &sl_optimize_passes[i];
        double start = sl_seconds();
        if (only && strcmp(only, p->name))
            continue;
        f->changes = 0;
        if (p->run(f, e) != SLUICE_OK || check(f, p, e) != SLUICE_OK)
            return sl_context(e, "%s", p->name);
        sl_detail(2, "%-26s %4d changes, %d layers, %.1f ms", p->name, f->changes, f->graph->n_nodes,
                  (sl_seconds() - start) * 1e3);
        if (dump_after && (!strcmp(dump_after, p->name) || !strcmp(dump_after, "all")))
            SL_TRY(dump(f, p, e));
    }
    f->graph->stage = SL_STAGE_FP_OPTIMIZED;
    return SLUICE_OK;
}
