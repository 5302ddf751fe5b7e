/* nms_heads.c: recognises detection heads: finds them, says what they are, completes anchors, writes the configuration and the
 * lines of a model script that use it. */
#include "front/nms_heads.h"

#include <math.h>
#include <string.h>

#include "front/heads.h"

/* ---- what the decoding told ---- */

bool head_take_whole(struct heads *h)
{
    const struct sl_head_boxes *w = h->whole;
    bool same = w && w->n_scales == h->n_scales;
    for (int i = 0; i < h->n_scales && same; i++)
        same = w->scales[i].h == h->scales[i].h && w->scales[i].w == h->scales[i].w &&
               (w->scales[i].n_boxes == h->scales[i].n_boxes || h->scales[i].n_boxes == 0);
    if (!same)
        return false;
    h->told = *w;
    for (int i = 0; i < h->n_scales && w->known; i++) {
        h->scales[i].n_boxes = w->scales[i].n_boxes;
        memcpy(h->scales[i].box, w->scales[i].box, sizeof h->scales[i].box);
    }
    return true;
}

static void give_boxes(const struct heads *h, const struct head_kind *kind, struct sl_head_boxes *out)
{
    *out = h->told;
    out->kind = kind->name;
    out->n_scales = h->n_scales;
    for (int i = 0; i < h->n_scales; i++) {
        const struct head_scale *s = &h->scales[i];
        out->scales[i].h = s->h;
        out->scales[i].w = s->w;
        out->scales[i].n_boxes = s->n_boxes;
        memcpy(out->scales[i].box, s->box, sizeof s->box);
    }
}

/* ---- boxes that the graph does not tell ---- */

/* Anchors of the published models, in pixels: width and height of three boxes a scale. */
static const int anchors_v5[3][6] = {{10, 13, 16, 30, 33, 23}, {30, 61, 62, 45, 59, 119}, {116, 90, 156, 198, 373, 326}};
static const int anchors_v7[3][6] = {{12, 16, 19, 36, 40, 28}, {36, 75, 76, 55, 72, 146}, {142, 110, 192, 243, 459, 401}};
static const int anchors_p6[4][6] = {
    {19, 27, 44, 40, 38, 94}, {96, 68, 86, 152, 180, 137}, {140, 301, 303, 264, 238, 542}, {436, 615, 739, 380, 925, 792}};

static bool is_leaky(const struct sl_node *n)
{
    return sl_is_activation(n, "leaky_relu");
}

/* YOLOv7 has its own anchors; its tiny form, known by its activation, has those of YOLOv5. */
static bool guess_yolo(struct heads *h, const struct head_kind *k)
{
    if (h->scales[0].stride != 8)
        return false;
    bool own = strcmp(k->name, "yolov7") == 0 && !is_leaky(h->scales[0].conv[0]->in[0]);
    for (int i = 0; i < h->n_scales; i++) {
        const int *boxes = h->n_scales == 4 ? anchors_p6[i] : own ? anchors_v7[i] : anchors_v5[i];
        h->scales[i].n_boxes = 3;
        for (int s = 0; s < 6; s++)
            h->scales[i].box[s] = boxes[s];
    }
    head_guess(h, "the anchors are those of the published models: check them against the training");
    return true;
}

/* The boxes of TensorFlow's MobileNet-SSD: scales from 0.2 to 0.95 in six steps, three boxes on the first, six on the others.
 */
static bool guess_ssd(struct heads *h)
{
    static const double aspects[5] = {1, 2, 0.5, 3, 1.0 / 3};
    if (h->n_scales != 6)
        return false;
    for (int i = 0; i < 6; i++) {
        struct head_scale *s = &h->scales[i];
        double scale = 0.2 + 0.15 * i, next = i < 5 ? scale + 0.15 : 1;
        if (s->n_boxes != (i ? 6 : 3))
            return false;
        for (int k = 0; k < s->n_boxes; k++) {
            double size = k == 5 ? sqrt(scale * next) : i == 0 && k == 0 ? 0.1 : scale, aspect = k == 5 ? 1 : aspects[k];
            s->box[2 * k] = size * sqrt(aspect);
            s->box[2 * k + 1] = size / sqrt(aspect);
        }
    }
    h->told.centers = 10;
    h->told.sizes = 5;
    head_guess(h, "boxes, their order (y, x, height, width) and scale factors are those of TensorFlow's MobileNet-SSD: check "
                  "them against "
                  "the training");
    return true;
}

static const char *complete_ssd(struct heads *h)
{
    if (!head_find_priors(h) && !guess_ssd(h))
        return "neither the graph nor the file tells the prior boxes";
    if (h->told.softmax)
        return "its scores are a softmax over classes, and nms_postprocess's ssd takes a sigmoid";
    if (h->told.x_first)
        return "its boxes are written x, y, width, height, and nms_postprocess's ssd reads y, x, height, width";
    if (h->classes > 1 && (!h->facts || !h->facts->classes))
        head_guess(h, "whether class 0 is background is taken from the kind of network");
    return NULL;
}

/* Why there can be no configuration after all; NULL when there can. */
static const char *complete(struct heads *h, const struct head_kind *k)
{
    if (!k->write)
        return k->reason;
    if (k->write == head_json_ssd)
        return complete_ssd(h);
    if (k->write != head_json_yolov5 || head_find_yolo_boxes(h, 3))
        return NULL;
    if (!guess_yolo(h, k))
        return "the graph does not tell the anchors, and none are published for these strides";
    if (!h->told.exp && h->at_outputs && !h->proto)
        head_guess(h, "without the decoding in the graph, YOLOv3 with its finest scale first looks the same, and is decoded in "
                      "another way");
    return NULL;
}

/* ---- what is told ---- */

static const struct sl_node *sigmoid_behind(const struct heads *h, const struct sl_node *conv)
{
    const struct sl_node *n = h->reader[conv->index];
    return head_is_sigmoid(n) ? n : NULL;
}

/* Scores want a sigmoid: where the network has none there, the script puts one. */
static const char *script_lines(const struct heads *h, const struct head_kind *k)
{
    struct sl_buffer text = {0};
    for (int i = 0; i < h->n_scales; i++)
        for (int role = 0; role < h->scales[i].n; role++)
            if ((k->scores >> role & 1) && !sigmoid_behind(h, h->scales[i].conv[role]))
                sl_put_printf(&text, "change_output_activation(%s, sigmoid)\n", h->scales[i].conv[role]->name);
    sl_put_printf(&text, "nms_postprocess(\"%s.nms.json\", meta_arch=%s, engine=%s)\n", h->g->name, k->meta_arch, k->engine);
    const char *copy = text.failed ? NULL : sl_arena_strdup(h->a, sl_buffer_text(&text));
    sl_buffer_free(&text);
    return copy;
}

/* A layer's first origin is the layer itself; transposes of the layout that it took up come after. */
static void put_end(struct heads *h, const struct sl_node *n, bool last)
{
    if (n->n_origins)
        h->out->end_nodes[h->out->n_end_nodes++] = sl_arena_strdup(h->a, n->origins[last ? n->n_origins - 1 : 0]);
}

/* Raw heads with the sigmoid of scores, where it is there. */
static void find_ends(struct heads *h)
{
    const struct sl_node *behind = h->proto ? h->reader[h->proto->index] : NULL;
    h->out->end_nodes = SL_NEW_ARRAY(h->a, const char *, HEAD_CONVS + 1);
    for (int i = 0; i < h->n_scales && !h->at_outputs; i++)
        for (int k = 0; k < h->scales[i].n; k++) {
            const struct sl_node *sigmoid = sigmoid_behind(h, h->scales[i].conv[k]);
            put_end(h, sigmoid ? sigmoid : h->scales[i].conv[k], false);
        }
    bool curved = behind && behind->op == SL_OP_activation; /* of several nodes, like SiLU */
    if (h->proto && !h->at_outputs)
        put_end(h, curved ? behind : h->proto, curved);
}

static bool write_json(const struct heads *h, const struct head_kind *k)
{
    struct sl_buffer text = {0};
    sl_err ignored = {0};
    json_t *tree = k->write(h, k);
    bool written = tree && sl_json_write(&text, tree, &ignored) == SLUICE_OK && !text.failed;
    h->out->json = written ? sl_arena_strdup(h->a, sl_buffer_text(&text)) : NULL;
    h->out->script = written ? script_lines(h, k) : NULL;
    json_decref(tree);
    sl_buffer_free(&text);
    return h->out->json && h->out->script;
}

bool sl_find_nms_head(const struct sl_graph *g, const struct sl_nms_facts *facts, const struct sl_head_boxes *whole,
                      sl_arena *a, struct sl_nms_head *out)
{
    struct heads h = {.g = g, .a = a, .facts = facts && facts->op ? facts : NULL, .whole = whole, .out = out};
    *out = (struct sl_nms_head){.kind = NULL};
    if (g->n_inputs < 1 || !head_find_convs(&h) || !head_find_scales(&h))
        return false;
    const struct head_kind *k = head_match(&h);
    if (!k)
        return false;
    out->kind = k->name;
    out->meta_arch = k->meta_arch[0] ? k->meta_arch : NULL;
    out->reason = complete(&h, k);
    bool boxes = k->write == head_json_yolov5 || k->write == head_json_ssd || strcmp(k->name, "yolov3") == 0;
    out->wants_decoding = h.at_outputs && !whole && ((boxes && !h.told.known) || h.unsure);
    give_boxes(&h, k, &out->boxes);
    find_ends(&h);
    return out->reason || write_json(&h, k);
}
