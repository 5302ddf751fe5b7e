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

static json_t *problems_json(const struct sl_import_report *r)
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

static json_t *nodes_json(const struct sl_import_report *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "in_file", json_integer(r->n_nodes));
    json_object_set_new(o, "used", json_integer(r->n_used_nodes));
    json_object_set_new(o, "folded", json_integer(r->n_folded));
    return o;
}

/* A detector's raw heads: what they are, whether the archive has a configuration for them, and where a network would end at them. */
static json_t *head_json(const struct sl_nms_head *head)
{
    json_t *o = head ? json_object() : json_null();
    if (!head)
        return o;
    json_object_set_new(o, "kind", json_string(head->kind));
    json_object_set_new(o, "meta_arch", head->meta_arch ? json_string(head->meta_arch) : json_null());
    json_object_set_new(o, "configuration", json_boolean(head->json != NULL));
    json_object_set_new(o, "reason", head->reason ? json_string(head->reason) : json_null());
    json_object_set_new(o, "guessed", names_json(head->guesses, head->n_guesses));
    json_object_set_new(o, "end_nodes", names_json(head->end_nodes, head->n_end_nodes));
    return o;
}

/* What every report begins with; a front end's own words come next. */
static json_t *begin_report(const char *path, const char *format, const struct sl_graph *g, const sl_err *failed)
{
    json_t *o = json_object();
    json_object_set_new(o, "model", json_string(path));
    json_object_set_new(o, "format", json_string(format));
    json_object_set_new(o, "status", json_string(g ? "parsed" : "failed"));
    if (!g && failed)
        json_object_set_new(o, "error", json_string(failed->message));
    return o;
}

static void put_findings(json_t *o, const struct sl_graph *g, const struct sl_import_report *r)
{
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
    json_object_set_new(o, "detection_head", head_json(r->head));
    json_object_set_new(o, "recommended_end_nodes", names_json(r->recommended, r->n_recommended));
}

static sluice_status write_report(const char *report_path, json_t *tree, sl_err *e)
{
    struct sl_buffer text = {0};
    sluice_status s = tree ? sl_json_write(&text, tree, e) : sl_fail(e, SLUICE_E_MEMORY, "out of memory");
    if (s == SLUICE_OK)
        s = sl_write_file(report_path, text.data, text.size, e);
    sl_buffer_free(&text);
    json_decref(tree);
    return s;
}

sluice_status sl_write_onnx_report(const char *report_path, const char *model, const struct sl_graph *g, const struct sl_onnx_report *r,
                                   const sl_err *failed, sl_err *e)
{
    json_t *o = begin_report(model, "ONNX", g, failed);
    json_object_set_new(o, "ir_version", json_integer(r->ir_version));
    json_object_set_new(o, "opset", json_integer(r->opset));
    json_object_set_new(o, "producer", json_string(r->producer ? r->producer : ""));
    put_findings(o, g, &r->common);
    return write_report(report_path, o, e);
}

sluice_status sl_write_tflite_report(const char *report_path, const char *model, const struct sl_graph *g, const struct sl_tflite_report *r,
                                     const sl_err *failed, sl_err *e)
{
    json_t *o = begin_report(model, "TFLite", g, failed);
    json_object_set_new(o, "schema_version", json_integer(r->version));
    json_object_set_new(o, "producer", json_string(r->description ? r->description : ""));
    put_findings(o, g, &r->common);
    return write_report(report_path, o, e);
}
