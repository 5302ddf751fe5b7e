/* parse_report.c: what parsing a file found, as JSON (`parser onnx --parsing-report-path`): written also when it failed, so that a
 * script can take the recommended end nodes from it. */
#include "api/parse_report.h"

#include "base/file.h"
#include "base/json.h"

static json_t *names_json(const char *const *names, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *problems_json(const struct sl_onnx_report *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->n_problems; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "node", json_string(r->problems[i].node));
        json_object_set_new(o, "operator", json_string(r->problems[i].op));
        json_object_set_new(o, "reason", json_string(r->problems[i].reason));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *ports_json(const struct sl_port *ports, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *o = json_object(), *shape = json_array(), *stored = json_array();
        for (int k = 0; k < ports[i].origin_shape.rank; k++)
            json_array_append_new(shape, json_integer(ports[i].origin_shape.dim[k]));
        for (int k = 0; k < ports[i].node->shape.rank; k++)
            json_array_append_new(stored, json_integer(ports[i].node->shape.dim[k]));
        json_object_set_new(o, "name", json_string(ports[i].origin_name));
        json_object_set_new(o, "layer", json_sprintf("%s/%s", ports[i].node->scope, ports[i].node->name));
        json_object_set_new(o, "type", json_string(sl_dtype_name(ports[i].origin_dtype)));
        json_object_set_new(o, "shape", shape);
        json_object_set_new(o, "layer_shape", stored);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *nodes_json(const struct sl_onnx_report *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "in_file", json_integer(r->n_onnx_nodes));
    json_object_set_new(o, "used", json_integer(r->n_used_nodes));
    json_object_set_new(o, "folded", json_integer(r->n_folded));
    return o;
}

static json_t *report_json(const char *path, bool onnx, const struct sl_graph *g, const struct sl_onnx_report *r, const sl_err *failed)
{
    json_t *o = json_object();
    json_object_set_new(o, "model", json_string(path));
    json_object_set_new(o, "format", json_string(onnx ? "ONNX" : "TFLite"));
    json_object_set_new(o, "status", json_string(g ? "parsed" : "failed"));
    if (!g && failed)
        json_object_set_new(o, "error", json_string(failed->message));
    json_object_set_new(o, onnx ? "ir_version" : "schema_version", json_integer(r->ir_version));
    if (onnx)
        json_object_set_new(o, "opset", json_integer(r->opset));
    json_object_set_new(o, "producer", json_string(r->producer ? r->producer : ""));
    json_object_set_new(o, "nodes", nodes_json(r));
    if (g) {
        json_object_set_new(o, "network", json_string(g->name));
        json_object_set_new(o, "layers", json_integer(g->n_nodes));
        json_object_set_new(o, "transposes", json_integer(r->n_transposes));
        json_object_set_new(o, "inputs", ports_json(g->inputs, g->n_inputs));
        json_object_set_new(o, "outputs", ports_json(g->outputs, g->n_outputs));
    }
    json_object_set_new(o, "notes", names_json(r->notes, r->n_notes));
    json_object_set_new(o, "problems", problems_json(r));
    json_object_set_new(o, "recommended_end_nodes", names_json(r->recommended, r->n_recommended));
    return o;
}

static sluice_status write_report(const char *report_path, const char *model, bool onnx, const struct sl_graph *g,
                                  const struct sl_onnx_report *r, const sl_err *failed, sl_err *e)
{
    json_t *tree = report_json(model, onnx, g, r, failed);
    struct sl_buffer text = {0};
    sluice_status s = tree ? sl_json_write(&text, tree, e) : sl_fail(e, SLUICE_E_MEMORY, "out of memory");
    if (s == SLUICE_OK)
        s = sl_write_file(report_path, text.data, text.size, e);
    sl_buffer_free(&text);
    json_decref(tree);
    return s;
}

sluice_status sl_write_parse_report(const char *report_path, const char *model, const struct sl_graph *g, const struct sl_onnx_report *r,
                                    const sl_err *failed, sl_err *e)
{
    return write_report(report_path, model, true, g, r, failed, e);
}

/* The same report; what a TFLite file has no word for stays 0. */
sluice_status sl_write_tflite_report(sl_arena *a, const char *report_path, const char *model, const struct sl_graph *g,
                                     const struct sl_tflite_report *r, const sl_err *failed, sl_err *e)
{
    struct sl_onnx_report same = {.ir_version = r->version,
                                  .producer = r->description,
                                  .n_onnx_nodes = r->n_tflite_nodes,
                                  .n_used_nodes = r->n_used_nodes,
                                  .n_folded = r->n_folded,
                                  .n_transposes = r->n_transposes,
                                  .n_problems = r->n_problems,
                                  .problems = SL_NEW_ARRAY(a, struct sl_onnx_problem, (size_t)r->n_problems + 1),
                                  .n_recommended = r->n_recommended,
                                  .recommended = r->recommended,
                                  .n_notes = r->n_notes,
                                  .notes = r->notes};
    for (int i = 0; i < r->n_problems; i++)
        same.problems[i] = (struct sl_onnx_problem){r->problems[i].node, r->problems[i].op, r->problems[i].reason};
    return write_report(report_path, model, false, g, &same, failed, e);
}
