/* test_nms_heads.c: for every row of front/head_kinds.def networks that it takes and networks that are nearly alike, and the
 * configurations that are written. */
#include <math.h>

#include "nms_nets.h"

/* ---- the rows ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_all_rows),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_published_ssd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
