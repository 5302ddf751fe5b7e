/* test_nms_values.c: what a detection head's configuration takes from the graph or the file: anchors, prior boxes, thresholds,
 * the kind that the whole file says; and that looking for them ends. */
#include <math.h>

#include "nms_nets.h"

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

/* Products by the thousand that share a large constant which is nearly, but not quite, one of anchors: read once for each, it
 * would keep this test for an hour. */
static void test_bounded(void **state)
{
    (void)state;
    enum { PRODUCTS = 100000, CELLS = 1280 };
    struct net t = build("10240x10240 1280x1280 27 640x640 27 320x320 27");
    struct sl_nms_head head;
    float *all = SL_NEW_ARRAY(t.a, float, CELLS *CELLS * 6);
    for (int i = 0; i < CELLS * CELLS * 6; i++)
        all[i] = 10;
    all[CELLS * CELLS * 6 - 1] = 11;
    struct sl_node *k = constant(&t, 5, (int64_t[]){1, CELLS, CELLS, 3, 2}, all);
    struct sl_node *x = curve(&t, reshaped(&t, t.conv[0], 5, (int64_t[]){1, CELLS, CELLS, 3, 9}), "exp");
    for (int i = 0; i < PRODUCTS; i++)
        x = curve(&t, with(&t, SL_OP_ew_mult, x, k), "exp");
    output(&t, x);
    sl_graph_renumber(t.g);
    assert_true(sl_find_nms_head(t.g, NULL, NULL, t.a, &head));
    sl_arena_free(t.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
