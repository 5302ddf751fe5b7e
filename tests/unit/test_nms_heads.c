/*
 * test_nms_heads.c: detection heads: for every row of front/head_kinds.def networks that it takes and networks that are nearly
 * alike; anchors, prior boxes and thresholds from what the graph or the file tells.
 */
#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "base/compiler.h"
#include "base/json.h"
#include "front/nms_heads.h"
#include "ir/name.h"
#include "ir/text.h"

struct net {
    sl_arena *a;
    struct sl_graph *g;
    int64_t h, w;
    int n; /* head convolutions */
    struct sl_node *conv[64];
    char origin[32];
};

static struct sl_node *add(struct net *t, enum sl_op op, int n_in, struct sl_node *const *in, int rank, const int64_t *dims)
{
    struct sl_node *n = sl_graph_add(t->g, op, n_in, in);
    n->dtype = SL_F32;
    n->shape.rank = rank;
    for (int i = 0; i < rank; i++)
        n->shape.dim[i] = dims[i];
    return n;
}

static struct sl_node *same(struct net *t, enum sl_op op, struct sl_node *in)
{
    return add(t, op, 1, &in, in->shape.rank, in->shape.dim);
}

static struct sl_node *curve(struct net *t, struct sl_node *in, const char *type)
{
    struct sl_node *n = same(t, SL_OP_activation, in);
    sl_set_string(t->g, n, "type", type);
    return n;
}

static struct sl_node *conv(struct net *t, struct sl_node *in, int64_t h, int64_t w, int64_t kernel, int64_t channels)
{
    static const float zero = 0;
    struct sl_shape s = {4, {kernel, kernel, in->shape.dim[3], channels}};
    struct sl_node *n = add(t, SL_OP_conv, 1, &in, 4, (int64_t[]){1, h, w, channels});
    sl_set_param(t->g, n, "kernel", sl_const_splat(t->a, SL_F32, &s, &zero));
    return n;
}

static struct sl_node *constant(struct net *t, int rank, const int64_t *dims, const float *data)
{
    struct sl_node *n = add(t, SL_OP_const_input, 0, NULL, rank, dims);
    sl_set_param(
        t->g, n, "data",
        sl_const_view(t->a, SL_F32, &n->shape, sl_arena_memdup(t->a, data, sl_shape_elements(&n->shape) * sizeof *data)));
    return n;
}

static struct sl_node *with(struct net *t, enum sl_op op, struct sl_node *x, struct sl_node *y)
{
    return add(t, op, 2, (struct sl_node *[]){x, y}, x->shape.rank, x->shape.dim);
}

static struct sl_node *scaled(struct net *t, enum sl_op op, struct sl_node *x, float v)
{
    return with(t, op, x, constant(t, 0, NULL, &v));
}

/* Channels from..to of the last axis. */
static struct sl_node *part(struct net *t, struct sl_node *in, int64_t from, int64_t to)
{
    int64_t starts[SL_MAX_RANK] = {0};
    int last = in->shape.rank - 1;
    struct sl_node *n = same(t, SL_OP_slice, in);
    starts[last] = from;
    n->shape.dim[last] = to - from;
    sl_set_ints(t->g, n, "starts", last + 1, starts);
    return n;
}

static struct sl_node *reshaped(struct net *t, struct sl_node *in, int rank, const int64_t *dims)
{
    return add(t, SL_OP_reshape, 1, &in, rank, dims);
}

static void output(struct net *t, struct sl_node *in)
{
    struct sl_node *n = same(t, SL_OP_output_layer, in);
    struct sl_port *ports = SL_NEW_ARRAY(t->a, struct sl_port, (size_t)t->g->n_outputs + 1);
    if (t->g->n_outputs)
        memcpy(ports, t->g->outputs, (size_t)t->g->n_outputs * sizeof *ports);
    ports[t->g->n_outputs++] = (struct sl_port){.origin_name = "out", .node = n};
    t->g->outputs = ports;
}

/*
 * "640x640 80x80 64 80s 40x40 ...": the picture, then scales with the channels of their convolutions. A letter behind them: s
 * sigmoid, u SiLU, c cosine, e exp, m reshape and softmax, p reshape and sigmoid, each at the output; r: the convolution before is
 * 3x3; d: a depthwise one.
 */
static struct net build(const char *text)
{
    struct net t = {.a = sl_arena_new()};
    int64_t h, w, c, at_h = 0, at_w = 0;
    int used;
    struct sl_node *input = NULL;
    t.g = sl_graph_new(t.a, "net");
    for (const char *p = text; *p; p += used + (int)strspn(p + used, " ")) {
        if (sscanf(p, "%" SCNd64 "x%" SCNd64 "%n", &h, &w, &used) == 2) {
            at_h = h;
            at_w = w;
            if (!input) {
                input = add(&t, SL_OP_input_layer, 0, NULL, 4, (int64_t[]){1, h, w, 3});
                t.g->inputs = SL_NEW(t.a, struct sl_port);
                t.g->inputs[0] = (struct sl_port){.origin_name = "in", .node = input};
                t.g->n_inputs = 1;
                t.h = h;
                t.w = w;
            }
            continue;
        }
        assert_int_equal(sscanf(p, "%" SCNd64 "%n", &c, &used), 1);
        char kind = strchr("sucemprd", p[used]) && p[used] ? p[used++] : 0;
        struct sl_node *n = conv(&t, curve(&t, conv(&t, input, at_h, at_w, kind == 'r' ? 3 : 1, 8), "silu"), at_h, at_w, 1, c);
        snprintf(t.origin, sizeof t.origin, "head%d", t.n);
        n->op = kind == 'd' ? SL_OP_dw : SL_OP_conv;
        sl_node_add_origin(t.a, n, sl_arena_strdup(t.a, t.origin));
        t.conv[t.n++] = n;
        if (kind == 's' || kind == 'u' || kind == 'c' || kind == 'e')
            n = curve(&t, n, kind == 's' ? "sigmoid" : kind == 'u' ? "silu" : kind == 'c' ? "cos" : "exp");
        if (kind == 'p')
            n = curve(&t, reshaped(&t, n, 3, (int64_t[]){1, at_h * at_w, c}), "sigmoid");
        if (kind == 'm')
            n = same(&t, SL_OP_softmax, reshaped(&t, n, 3, (int64_t[]){1, at_h * at_w, c}));
        output(&t, n);
    }
    return t;
}

/* Names layers; true and a configuration where a head is found. */
static bool find(struct net *t, const struct sl_nms_facts *facts, struct sl_nms_head *head)
{
    sl_graph_renumber(t->g);
    OK(sl_assign_names(t->g, &e));
    return sl_find_nms_head(t->g, facts, NULL, t->a, head);
}

static json_t *json_of(const struct sl_nms_head *head)
{
    json_t *j = NULL;
    assert_non_null(head->json);
    OK(sl_json_parse((struct sl_view){(const uint8_t *)head->json, strlen(head->json)}, &j, &e));
    return j;
}

/* ---- the rows ---- */

#define THREE(heads) "640x640 80x80 " heads " 40x40 " heads " 20x20 " heads
#define FOUR(heads)  "1280x1280 160x160 " heads " 80x80 " heads " 40x40 " heads " 20x20 " heads
#define FIVE(heads)  "160x160 20x20 " heads " 10x10 " heads " 5x5 " heads " 3x3 " heads " 2x2 " heads
#define FINE(heads)  "640x640 160x160 " heads " 80x80 " heads " 40x40 " heads " 20x20 " heads
static const struct {
    const char *net, *kind, *meta_arch; /* kind NULL: none; meta_arch NULL: no configuration */
} cases[] = {
    {"512x512 128x128 80s 2 2", "centernet", "centernet"},
    {"512x512 128x128 2 2 80s", "centernet", "centernet"},
    {"512x512 128x128 2s 2 2", "centernet", "centernet"},
    {"512x512 128x128 2 2 2", NULL, NULL},
    {"512x512 64x64 80s 2 2", NULL, NULL},
    {"512x512 128x128 80s 2 3", NULL, NULL},
    {THREE("8 4 20"), "retinaface", NULL},
    {THREE("8 2 20"), "retinaface", NULL},
    {THREE("8 4 21"), NULL, NULL},
    {THREE("8 20 4"), "retinaface", NULL},
    {THREE("1 1 4d 10d"), "yunet", NULL},
    {THREE("1 1 4d 12d"), NULL, NULL},
    {FIVE("80 4 1"), "fcos", NULL},
    {FIVE("4 2 80"), NULL, NULL},
    {THREE("4 15 1c"), "yolo26_obb", NULL},
    {THREE("4 1c 15"), "yolo26_obb", NULL},
    {THREE("4 51 1p"), "yolo26_pose", NULL},
    {THREE("4 15 1p"), "yolo26_pose", NULL},
    {THREE("4 51 1"), "yolo26_pose", NULL}, /* what 51 channels are is known */
    {THREE("4 51 80"), "yolo26_pose", NULL},
    {THREE("4 50 80"), NULL, NULL},
    {THREE("4 1s 51s"), "yolox", "yolox"},
    {THREE("4 1 80"), "yolox", "yolox"},
    {THREE("80s 4 1s"), "yolox", "yolox"},
    {THREE("4 1 1"), "yolox", "yolox"},
    {THREE("4 2 80"), NULL, NULL},
    {"640x640 80x80 4 1 80 40x40 4 1 80", NULL, NULL},
    {"640x640 160x160 32u 80x80 64 80 32 40x40 64 80 32 20x20 64 80 32", "yolov8_seg", NULL},
    {"640x640 160x160 32u 80x80 64 32 80 40x40 64 32 80 20x20 64 32 80", "yolov8_seg", NULL}, /* YOLO11's order */
    {"640x640 160x160 32u 80x80 4 32 80 40x40 4 32 80 20x20 4 32 80", "yolo26_seg", NULL},
    {"640x640 160x160 16u 80x80 64 80 32 40x40 64 80 32 20x20 64 80 32", NULL, NULL},
    {THREE("64 1 51"), "yolov8_pose", NULL},
    {THREE("64 1 34"), "yolov8_pose", NULL},
    {THREE("64 1 53"), NULL, NULL},
    {THREE("64 51 1"), "yolov8_pose", NULL},
    {THREE("64 51p 1"), "yolov8_pose", NULL},
    {THREE("64 15 1"), "yolov8_obb", NULL},
    {THREE("64 1c 15"), "yolov8_obb", NULL},
    {"640x640 160x160 32u 80x80 351 40x40 351 20x20 351", "yolov5_seg", "yolov5_seg"},
    {"640x640 160x160 32u 80x80 111 40x40 111 20x20 111", NULL, NULL}, /* 37 a box: no class left */
    {THREE("68 81"), "damo_yolo", NULL},
    {THREE("68 80"), "yolov6_bins", "yolov8"},
    {THREE("64 80"), "yolov8", "yolov8"},
    {THREE("1 64"), "yolov8", "yolov8"},
    {THREE("64 64"), "yolov8", "yolov8"},
    {FOUR("64 80"), "yolov8", "yolov8"},
    {"640x640 40x40 64 80 20x20 64 80", "yolov8", "yolov8"},
    {"640x640 80x80 64 80 40x40 64 80", NULL, NULL},
    {THREE("60 80"), NULL, NULL},
    {"640x640 80x80 64 80 40x40 64 80 20x20 64 81", NULL, NULL},
    {"640x640 80x80 64 80 40x40 64 80 10x10 64 80", NULL, NULL},
    {"640x640 80x80 64 80 40x40 64 80 20x20 64", NULL, NULL},
    {THREE("44 80"), "nanodet", "yolov8"},
    {THREE("32 80"), "nanodet", "yolov8"},
    {THREE("40 80"), NULL, NULL},
    {THREE("36 72"), "ssd", NULL}, /* nine boxes a cell, eight classes: nothing tells the boxes */
    {THREE("124"), "nanodet_joint", NULL},
    {FOUR("112"), "nanodet_joint", NULL},
    {THREE("125"), NULL, NULL},
    {THREE("4 80"), "yolov6", "yolov6"},
    {THREE("80s 4"), "yolov6", "yolov6"},
    {THREE("80s 4e"), "rtmdet", NULL},
    {"300x300 38x38 4 80 19x19 4 80", NULL, NULL},
    {"300x300 38x38 4 80 19x19 8 160", "ssd", NULL},
    {"128x128 16x16 32 2 8x8 96 6", "blazeface", NULL},
    {"192x192 48x48 1 16", "blazeface", NULL},
    {"192x192 24x24 36 2 12x12 108 6", "blazeface", NULL},
    {"192x192 24x24 36 2 12x12 96 6", "blazeface", NULL},
    {"192x192 24x24 36 2 12x12 97 6", NULL, NULL},
    {"320x320 40x40 36 810 20x20 36 810 10x10 36 810 5x5 36 810 3x3 36 810", "efficientdet", NULL},
    {"320x320 40x40 36 810 20x20 36 810 10x10 36 810 5x5 36 810 2x2 36 810", "ssd", NULL},
    {"300x300 19x19 12 273 10x10 24 546 5x5 24 546 3x3 24 546 2x2 24 546 1x1 24 546", "ssd", "ssd"},
    {"300x300 19x19 12 273m 10x10 24 546m 5x5 24 546m 3x3 24 546m 2x2 24 546m 1x1 24 546m", "ssd", NULL},
    {"300x300 19x19 273 12 10x10 546 24 5x5 546 24 3x3 546 24 2x2 546 24 1x1 546 24", "ssd", "ssd"},
    {"300x300 19x19 12 273 10x10 24 546 5x5 24 546 3x3 24 546 2x2 24 546 1x1 24 545", NULL, NULL},
    {"320x240 40x30 12 6m 20x15 8 4m 10x8 8 4m 5x4 12 6m", "ssd", NULL},
    {"320x240 40x30 12 6 20x15 8 4 10x8 8 4 5x4 12 5", NULL, NULL},
    {"416x416 13x13 255 26x26 255", "yolov3", NULL},
    {"416x416 13x13 255 26x26 255 52x52 255", "yolov3", NULL},
    {"416x416 52x52 255 26x26 255", NULL, NULL},
    {"640x640 80x80 255r 40x40 255r 20x20 255r", "yolov7", "yolov5"},
    {THREE("255"), "yolov5", "yolov5"},
    {FOUR("255"), "yolov5", "yolov5"},
    {THREE("18"), "yolov5", "yolov5"},
    {FINE("255"), "yolov5", NULL}, /* no anchors are published */
    {FINE("64 80"), "yolov8", "yolov8"},
    {FINE("4 1 80"), "yolox", "yolox"},
    {"640x640 160x160 64 80 80x80 64 80 40x40 64 80", NULL, NULL},
    {THREE("15"), NULL, NULL},
    {THREE("256"), NULL, NULL},
    {"640x600 80x75 255 40x37 255 20x18 255", NULL, NULL},
    {"640x640 20x20 21", NULL, NULL},
};

static void test_kinds(void **state)
{
    for (size_t i = 0; i < SL_COUNT(cases); i++) {
        struct net t = build(cases[i].net);
        struct sl_nms_head head;
        bool found = find(&t, NULL, &head);
        if (found != (cases[i].kind != NULL) || (found && strcmp(head.kind, cases[i].kind) != 0))
            fail_msg("'%s': %s is found, %s is wanted", cases[i].net, found ? head.kind : "nothing",
                     cases[i].kind ? cases[i].kind : "nothing");
        if (found && (head.json != NULL) != (cases[i].meta_arch != NULL))
            fail_msg("'%s': %s", cases[i].net, head.json ? "a configuration is written" : head.reason);
        if (found) {
            assert_int_equal(head.n_end_nodes, strpbrk(cases[i].net, "mp") ? t.n : 0); /* else the network ends at the heads */
            assert_true((head.reason == NULL) == (head.json != NULL) && (head.script == NULL) == (head.json == NULL));
        }
        if (cases[i].meta_arch) {
            char line[64];
            snprintf(line, sizeof line, "nms_postprocess(\"net.nms.json\", meta_arch=%s, engine=", cases[i].meta_arch);
            assert_non_null(strstr(head.script, line));
            json_decref(json_of(&head));
        }
        sl_arena_free(t.a);
    }
}

/* Every row of the table has a network above. */
static void test_all_rows(void **state)
{
    struct sl_buffer table = {0};
    sl_put_head_kinds(&table);
    for (const char *row = sl_buffer_text(&table); *row; row = strchr(row, '\n') + 1) {
        char name[32];
        bool covered = false;
        assert_int_equal(sscanf(row, "| `%31[^`]`", name), 1);
        for (size_t i = 0; i < SL_COUNT(cases); i++)
            covered = covered || (cases[i].kind && strcmp(cases[i].kind, name) == 0);
        if (!covered)
            fail_msg("row '%s' has no case", name);
    }
    sl_buffer_free(&table);
}

/* ---- configurations ---- */

static double number_at(const json_t *j, size_t decoder, const char *key, size_t i)
{
    return json_number_value(
        json_array_get(json_object_get(json_array_get(json_object_get(j, "bbox_decoders"), decoder), key), i));
}

static const char *text_at(const json_t *j, size_t decoder, const char *key)
{
    const char *s = json_string_value(json_object_get(json_array_get(json_object_get(j, "bbox_decoders"), decoder), key));
    return s ? s : "";
}

static double top(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    assert_non_null(v);
    return json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
}

static void test_configurations(void **state)
{
    struct sl_nms_head head;
    struct net t = build("480x640 60x80 80 64 30x40 80 64 15x20 80 64");
    assert_true(find(&t, NULL, &head));
    json_t *j = json_of(&head);
    assert_true(top(j, "classes") == 80 && top(j, "regression_length") == 16 && top(j, "nms_iou_th") == 0.7 &&
                head.n_guesses == 0);
    assert_true(json_integer_value(json_array_get(json_object_get(j, "image_dims"), 0)) == 480);
    assert_string_equal(text_at(j, 1, "reg_layer"), t.conv[3]->name);
    assert_string_equal(text_at(j, 1, "cls_layer"), t.conv[2]->name);
    assert_non_null(strstr(head.script, t.conv[0]->name)); /* classes have no sigmoid yet: the script puts it */
    assert_null(strstr(head.script, sl_arena_printf(t.a, "(%s,", t.conv[1]->name)));
    json_decref(j);
    sl_arena_free(t.a);

    t = build(THREE("4 1s 80s"));
    assert_true(find(&t, NULL, &head));
    assert_true(strncmp(head.script, "nms_postprocess", 15) == 0); /* scores have their sigmoid */
    j = json_of(&head);
    assert_string_equal(text_at(j, 0, "objectness_layer"), t.conv[1]->name);
    assert_true(top(j, "number_of_detection_heads") == 3);
    json_decref(j);
    sl_arena_free(t.a);

    t = build("640x640 160x160 32u 80x80 351 40x40 351 20x20 351");
    assert_true(find(&t, NULL, &head));
    j = json_of(&head);
    assert_true(top(j, "classes") == 80 && top(j, "max_total_proposals") == 100 && head.n_guesses == 1);
    assert_true(json_integer_value(json_object_get(json_array_get(json_object_get(j, "proto"), 0), "stride")) == 4);
    assert_null(strstr(head.script, "sigmoid")); /* mask coefficients have none */
    json_decref(j);
    sl_arena_free(t.a);
}

/* The facts of the zoo's ssd_mobilenet files: first scale 0.1, 0.2828.., 0.1414..; scale factors 10 and 5. */
static void test_published_ssd(void **state)
{
    struct sl_nms_head head;
    struct net t = build("300x300 19x19 12 273 10x10 24 546 5x5 24 546 3x3 24 546 2x2 24 546 1x1 24 546");
    assert_true(find(&t, NULL, &head));
    json_t *j = json_of(&head);
    assert_true(fabs(number_at(j, 0, "w", 0) - 0.1) < 1e-6 && fabs(number_at(j, 0, "w", 1) - 0.282842712474619) < 1e-6);
    assert_true(fabs(number_at(j, 0, "h", 1) - 0.1414213562373095) < 1e-6 && fabs(number_at(j, 5, "w", 5) - sqrt(0.95)) < 1e-6);
    assert_true(top(j, "classes") == 91 && top(j, "background_removal") == 1 && top(j, "centers_scale_factor") == 10 &&
                top(j, "bbox_dimensions_scale_factor") == 5);
    assert_int_equal(head.n_guesses, 2);
    json_decref(j);
    sl_arena_free(t.a);
}

/* ---- anchors in the decoding ---- */

static const float anchors[3][6] = {{11, 14, 17, 31, 34, 24}, {31, 60, 63, 44, 58, 118}, {117, 91, 155, 197, 372, 325}};

/* Replaces outputs by one decoded tensor a scale. how: 5 (2s)^2 * pixels; 3 exp * cells * stride; 4 exp, number by number, /
 * cells. */
static struct net decoded(int how, bool expanded)
{
    struct net t = build("160x160 20x20 27 10x10 27 5x5 27");
    t.g->n_outputs = 0;
    for (int i = 0; i < 3; i++) {
        int64_t n = 20 >> i;
        struct sl_node *x = t.conv[i], *sizes;
        float unit = how == 5 ? 1 : (float)(8 << i), box[6];
        for (int k = 0; k < 6; k++)
            box[k] = anchors[i][k] / unit;
        if (how == 4) {
            struct sl_node *e = curve(&t, part(&t, x, 0, 6), "exp");
            for (int k = 5; k >= 0; k--) /* in any order: the slice tells which it is */
                output(&t, scaled(&t, SL_OP_ew_div, scaled(&t, SL_OP_ew_mult, part(&t, e, k, k + 1), box[k]), (float)n));
            continue;
        }
        x = reshaped(&t, x, 5, (int64_t[]){1, n, n, 3, 9});
        sizes = part(&t, how == 5 ? curve(&t, x, "sigmoid") : x, 2, 4);
        sizes = how == 5 ? curve(&t, scaled(&t, SL_OP_ew_mult, sizes, 2), "square") : curve(&t, sizes, "exp");
        float *all = SL_NEW_ARRAY(t.a, float, (size_t)(n * n * 6));
        for (int64_t k = 0; k < n * n * 6; k++)
            all[k] = box[k % 6];
        sizes =
            with(&t, SL_OP_ew_mult, sizes,
                 expanded ? constant(&t, 5, (int64_t[]){1, n, n, 3, 2}, all) : constant(&t, 4, (int64_t[]){1, 1, 3, 2}, box));
        output(&t, how == 3 ? scaled(&t, SL_OP_ew_mult, sizes, (float)(8 << i)) : sizes);
    }
    return t;
}

static void test_anchors_of_the_graph(void **state)
{
    for (int expanded = 0; expanded < 2; expanded++) {
        struct sl_nms_head head;
        struct net t = decoded(5, expanded);
        assert_true(find(&t, NULL, &head));
        json_t *j = json_of(&head);
        for (size_t i = 0; i < 3; i++)
            for (size_t k = 0; k < 3; k++)
                assert_true(number_at(j, i, "w", k) == anchors[i][2 * k] && number_at(j, i, "h", k) == anchors[i][2 * k + 1]);
        assert_int_equal(head.n_guesses, 0);
        assert_int_equal(head.n_end_nodes, 3);
        assert_string_equal(head.end_nodes[1], "head1");
        json_decref(j);
        sl_arena_free(t.a);
    }
}

/* Sizes by exp are another decoding, whatever the order of scales. */
static void test_exp_is_yolov3(void **state)
{
    for (int how = 3; how < 5; how++) {
        struct sl_nms_head head;
        struct net t = decoded(how, false);
        assert_true(find(&t, NULL, &head));
        assert_string_equal(head.kind, "yolov3");
        assert_null(head.json);
        assert_non_null(head.reason);
        assert_int_equal(head.n_end_nodes, 3);
        sl_arena_free(t.a);
    }
}

/* Cut at its heads, a network is decoded as the whole file tells; another network's file tells nothing. */
static void test_boxes_of_the_whole(void **state)
{
    struct sl_nms_head head, whole;
    struct net t = decoded(5, false), cut = build("160x160 20x20 27 10x10 27 5x5 27"),
               other = build("320x320 40x40 27 20x20 27 10x10 27");
    assert_true(find(&t, NULL, &whole) && !whole.wants_decoding);
    assert_true(find(&cut, NULL, &head) && head.wants_decoding && head.n_guesses > 0);
    assert_true(sl_find_nms_head(cut.g, NULL, &whole.boxes, cut.a, &head) && head.n_guesses == 0 && head.n_end_nodes == 0);
    json_t *j = json_of(&head);
    assert_true(number_at(j, 1, "w", 2) == anchors[1][4] && number_at(j, 2, "h", 0) == anchors[2][1]);
    json_decref(j);
    assert_true(find(&other, NULL, &head) && sl_find_nms_head(other.g, NULL, &whole.boxes, other.a, &head) &&
                head.n_guesses > 0);
    sl_arena_free(t.a);
    t = decoded(3, false);
    assert_true(find(&t, NULL, &whole) && sl_find_nms_head(cut.g, NULL, &whole.boxes, cut.a, &head));
    assert_string_equal(head.kind, "yolov3");
    sl_arena_free(t.a);
    sl_arena_free(cut.a);
    sl_arena_free(other.a);
}

/* Raw heads that two kinds share are what the whole file says they are. */
static void test_kind_of_the_whole(void **state)
{
    static const struct {
        const char *whole, *cut, *alone, *told;
    } pairs[] = {
        {THREE("4 15 1c"), THREE("4 15 1"), "yolox", "yolo26_obb"},
        {THREE("4 15 1p"), THREE("4 15 1"), "yolox", "yolo26_pose"},
        {THREE("4 1s 15s"), THREE("4 1 15"), "yolox", "yolox"},
        {THREE("4e 80s"), THREE("4 80"), "yolov6", "rtmdet"},
        {THREE("4 80s"), THREE("4 80"), "yolov6", "yolov6"},
        {THREE("64 1c 15"), THREE("64 1 15"), "yolov8_pose", "yolov8_obb"},
        {THREE("64 15 1p"), THREE("64 15 1"), "yolov8_obb", "yolov8_pose"},
    };
    for (size_t i = 0; i < SL_COUNT(pairs); i++) {
        struct net whole = build(pairs[i].whole), cut = build(pairs[i].cut);
        struct sl_nms_head head, told;
        assert_true(find(&whole, NULL, &told) && find(&cut, NULL, &head));
        assert_string_equal(told.kind, pairs[i].told);
        assert_string_equal(head.kind, pairs[i].alone);
        assert_true(head.wants_decoding && (strcmp(pairs[i].alone, "yolox") != 0 || head.n_guesses == 1));
        assert_true(sl_find_nms_head(cut.g, NULL, &told.boxes, cut.a, &head));
        assert_string_equal(head.kind, pairs[i].told);
        assert_false(head.wants_decoding);
        sl_arena_free(whole.a);
        sl_arena_free(cut.a);
    }
}

/* Scores of words: a row of cells times embeddings, a map again, scaled and shifted; the heads end behind that. `rank` 4 is an
 * ordinary convolution, whose scale is decoding. */
static struct net with_words(int rank)
{
    struct net t = build(THREE("64p 512"));
    for (int i = 0; i < 3; i++) {
        struct sl_node *x = t.conv[2 * i + 1], *scores = t.conv[2 * i + 1];
        int64_t h = x->shape.dim[1], cells[] = {1, h * h, 512}, words[] = {1, h * h, 80}, map[] = {1, h, h, 80};
        x = rank == 3 ? reshaped(&t, x, 3, cells) : x;
        scores = add(&t, SL_OP_conv, 1, &x, rank, rank == 3 ? words : map);
        scores = rank == 3 ? reshaped(&t, scores, 4, map) : scores;
        scores = scaled(&t, SL_OP_ew_add, scaled(&t, SL_OP_ew_mult, scores, 2), -1);
        t.g->outputs[2 * i + 1].node->in[0] = curve(&t, reshaped(&t, scores, 3, words), "sigmoid");
        sl_node_add_origin(t.a, scores, "words");
    }
    return t;
}

static void test_scores_of_words(void **state)
{
    for (int rank = 3; rank <= 4; rank++) {
        struct net t = with_words(rank);
        struct sl_nms_head head;
        bool found = find(&t, NULL, &head);
        assert_int_equal(found, true);
        assert_string_equal(head.kind, "yolov8");
        assert_int_equal(head.n_end_nodes, rank == 3 ? 6 : 3);
        for (int i = 1; i < 6 && rank == 3; i += 2)
            assert_string_equal(head.end_nodes[i], "words");
        if (rank == 3)
            assert_non_null(strstr(head.script, "ew_add"));
        sl_arena_free(t.a);
    }
}

/* Features that the heads read are outputs too: the heads are still those of the network. */
static void test_features_are_outputs(void **state)
{
    struct net t = build(THREE("64p 80p"));
    struct sl_nms_head head;
    for (int i = 0; i < t.n; i += 2)
        output(&t, t.conv[i]->in[0]);
    assert_true(find(&t, NULL, &head));
    assert_string_equal(head.kind, "yolov8");
    assert_int_equal(head.n_end_nodes, t.n);
    sl_arena_free(t.a);

    t = build(THREE("64p 80p")); /* a second stage computes with them: its heads would not be all */
    output(&t, scaled(&t, SL_OP_ew_mult, t.conv[0]->in[0], 2));
    assert_false(find(&t, NULL, &head));
    sl_arena_free(t.a);
}

/* Anchors that are no boxes (a mask of cells) are not believed. */
static void test_anchors_not_believed(void **state)
{
    struct sl_nms_head head;
    struct net t = decoded(5, true);
    for (int i = 0; i < t.g->n_nodes; i++) {
        const struct sl_const *k = t.g->nodes[i]->op == SL_OP_const_input ? sl_param(t.g->nodes[i], "data") : NULL;
        if (k && k->shape.rank == 5)
            ((float *)(uintptr_t)k->data)[sl_shape_elements(&k->shape) - 1] = -1;
    }
    assert_true(find(&t, NULL, &head));
    json_t *j = json_of(&head);
    assert_true(head.n_guesses == 1 && number_at(j, 0, "w", 0) == 10);
    json_decref(j);
    sl_arena_free(t.a);
}

/* ---- prior boxes ---- */

enum { PRIORS = 8 * 8 * 2 + 4 * 4 * 3 };

enum form {
    PAIRS,
    COLUMNS,
    ROWS
}; /* [1, n, 2], [1, n, 1], and [1, n] behind a transpose, sizes clipped: as TensorFlow's are */

/* Coordinates k.. of the offsets. */
static struct sl_node *coordinates(struct net *t, struct sl_node *b, enum form form, int k)
{
    if (form != ROWS)
        return part(t, b, k, form == PAIRS ? k + 2 : k + 1);
    struct sl_node *turned = add(t, SL_OP_transpose, 1, &b, 2, (int64_t[]){4, PRIORS});
    struct sl_node *n = add(t, SL_OP_slice, 1, &turned, 2, (int64_t[]){1, PRIORS});
    sl_set_ints(t->g, n, "starts", 2, (int64_t[]){k, 0});
    return n;
}

/* centre = offset * 0.1 * size + place, size = exp(offset / 5) * size, for one coordinate of each or both. */
static void decode(struct net *t, struct sl_node *b, enum form form, int k, struct sl_node *place, struct sl_node *size)
{
    struct sl_node *e = scaled(t, SL_OP_ew_div, coordinates(t, b, form, 2 + k), 5);
    if (form == ROWS)
        e = scaled(t, SL_OP_ew_min, e, 4.135f);
    output(t, with(t, SL_OP_ew_add, with(t, SL_OP_ew_mult, scaled(t, SL_OP_ew_mult, coordinates(t, b, form, k), 0.1f), size),
                   place));
    output(t, with(t, SL_OP_ew_mult, curve(t, e, "exp"), size));
}

/* Two scales, 2 and 3 boxes. */
static struct net ssd_net(bool x_first, bool softmax, enum form form)
{
    struct net t = build("64x64 8x8 8 6 4x4 12 9");
    struct sl_node *box[2], *cls[2];
    float place[PRIORS][2], size[PRIORS][2], p[PRIORS], s[PRIORS];
    int at = 0;
    for (int i = 0; i < 2; i++)
        for (int y = 0; y < 8 >> i; y++)
            for (int x = 0; x < 8 >> i; x++)
                for (int k = 0; k < 2 + i; k++, at++) {
                    place[at][!x_first] = (float)x / (float)(8 >> i);
                    place[at][x_first] = (float)y / (float)(8 >> i);
                    size[at][!x_first] = 0.1f + 0.1f * (float)i + 0.01f * (float)k; /* width */
                    size[at][x_first] = 0.5f + 0.1f * (float)i + 0.01f * (float)k;
                }
    t.g->n_outputs = 0;
    for (int i = 0; i < 2; i++) {
        int64_t n = (8 >> i) * (8 >> i) * (2 + i);
        box[i] = reshaped(&t, t.conv[2 * i], 3, (int64_t[]){1, n, 4});
        cls[i] = reshaped(&t, t.conv[2 * i + 1], 3, (int64_t[]){1, n, 3});
    }
    struct sl_node *b = add(&t, SL_OP_concat, 2, box, 3, (int64_t[]){1, PRIORS, 4});
    struct sl_node *c = add(&t, SL_OP_concat, 2, cls, 3, (int64_t[]){1, PRIORS, 3});
    output(&t, softmax ? same(&t, SL_OP_softmax, c) : curve(&t, c, "sigmoid"));
    if (form == PAIRS)
        decode(&t, b, form, 0, constant(&t, 3, (int64_t[]){1, PRIORS, 2}, place[0]),
               constant(&t, 3, (int64_t[]){1, PRIORS, 2}, size[0]));
    for (int k = 0; k < 2 && form != PAIRS; k++) {
        for (int i = 0; i < PRIORS; i++) {
            p[i] = place[i][k];
            s[i] = size[i][k];
        }
        decode(&t, b, form, k, constant(&t, 2, (int64_t[]){1, PRIORS}, p), constant(&t, 2, (int64_t[]){1, PRIORS}, s));
    }
    return t;
}

static void test_priors_of_the_graph(void **state)
{
    for (enum form form = PAIRS; form <= ROWS; form++) {
        struct sl_nms_head head;
        struct net t = ssd_net(false, false, form);
        assert_true(find(&t, NULL, &head));
        json_t *j = json_of(&head);
        assert_true(fabs(number_at(j, 0, "w", 1) - 0.11) < 1e-6 && fabs(number_at(j, 1, "h", 2) - 0.62) < 1e-6);
        assert_true(fabs(top(j, "centers_scale_factor") - 10) < 1e-5 && top(j, "bbox_dimensions_scale_factor") == 5);
        assert_int_equal(head.n_guesses, 1); /* background */
        assert_int_equal(head.n_end_nodes, 4);
        assert_non_null(strstr(head.script, "change_output_activation"));
        json_decref(j);
        sl_arena_free(t.a);
        t = ssd_net(true, false, form);
        assert_true(find(&t, NULL, &head));
        assert_true(!head.json && strstr(head.reason, "x, y, width, height"));
        sl_arena_free(t.a);
    }
    struct sl_nms_head whole;
    struct net raw = build("64x64 8x8 8 6 4x4 12 9");
    struct sl_nms_head head;
    struct net t = ssd_net(false, true, PAIRS);
    assert_true(find(&t, NULL, &head));
    assert_true(!head.json && strstr(head.reason, "softmax"));
    assert_true(find(&raw, NULL, &whole) && whole.wants_decoding && !whole.json);
    assert_true(sl_find_nms_head(raw.g, NULL, &head.boxes, raw.a, &whole) && strstr(whole.reason, "softmax"));
    sl_arena_free(t.a);
    t = ssd_net(false, false, PAIRS);
    assert_true(find(&t, NULL, &head) && sl_find_nms_head(raw.g, NULL, &head.boxes, raw.a, &whole) && whole.json);
    sl_arena_free(t.a);
    sl_arena_free(raw.a);
}

/* A file's own detection post-process: its anchors, scale factors, thresholds, classes. */
static void test_facts(void **state)
{
    struct sl_nms_head head;
    float rows[PRIORS][4];
    for (int i = 0; i < PRIORS; i++)
        memcpy(rows[i], (float[]){0.5f, 0.5f, 0.25f + (float)(i % 7), 0.75f}, sizeof rows[i]);
    struct sl_nms_facts f = {.op = "TFLite_Detection_PostProcess",
                             .has_score = true,
                             .score = 0.4,
                             .has_overlap = true,
                             .overlap = 0.55,
                             .most = 20,
                             .classes = 2,
                             .has_scale = true,
                             .scale = {8, 8, 4, 4},
                             .n_anchors = PRIORS,
                             .anchors = rows[0]};
    struct net t = build("64x64 8x8 8 6 4x4 12 9");
    assert_true(find(&t, &f, &head));
    json_t *j = json_of(&head);
    assert_true(number_at(j, 0, "w", 0) == 0.75 && number_at(j, 0, "h", 1) == 1.25);
    assert_true(top(j, "centers_scale_factor") == 8 && top(j, "bbox_dimensions_scale_factor") == 4 &&
                top(j, "nms_scores_th") == 0.4 && top(j, "nms_iou_th") == 0.55 && top(j, "max_proposals_per_class") == 20 &&
                top(j, "background_removal") == 1);
    assert_int_equal(head.n_guesses, 0);
    json_decref(j);
    f.n_anchors--; /* of another network */
    assert_true(sl_find_nms_head(t.g, &f, NULL, t.a, &head) && !head.json);
    sl_arena_free(t.a);
}

/* ---- robustness ---- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Products by the thousand that share a large constant which is nearly, but not quite, one of anchors. */
static double time_of(int n)
{
    struct net t = build("1280x1280 160x160 27 80x80 27 40x40 27");
    struct sl_nms_head head;
    float *all = SL_NEW_ARRAY(t.a, float, 160 * 160 * 6);
    for (int i = 0; i < 160 * 160 * 6; i++)
        all[i] = 10;
    all[160 * 160 * 6 - 1] = 11;
    struct sl_node *k = constant(&t, 5, (int64_t[]){1, 160, 160, 3, 2}, all);
    struct sl_node *x = curve(&t, reshaped(&t, t.conv[0], 5, (int64_t[]){1, 160, 160, 3, 9}), "exp");
    for (int i = 0; i < n; i++)
        x = curve(&t, with(&t, SL_OP_ew_mult, x, k), "exp");
    output(&t, x);
    sl_graph_renumber(t.g);
    double start = seconds();
    assert_true(sl_find_nms_head(t.g, NULL, NULL, t.a, &head));
    double taken = seconds() - start;
    sl_arena_free(t.a);
    return taken;
}

static void test_bounded(void **state)
{
    double taken = time_of(20000);
    if (taken > 2)
        fail_msg("20000 products take %.1f s", taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_all_rows),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_published_ssd),
        cmocka_unit_test(test_anchors_of_the_graph),
        cmocka_unit_test(test_exp_is_yolov3),
        cmocka_unit_test(test_boxes_of_the_whole),
        cmocka_unit_test(test_kind_of_the_whole),
        cmocka_unit_test(test_scores_of_words),
        cmocka_unit_test(test_features_are_outputs),
        cmocka_unit_test(test_anchors_not_believed),
        cmocka_unit_test(test_priors_of_the_graph),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
