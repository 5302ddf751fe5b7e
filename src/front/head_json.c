/* head_json.c: the configuration of nms_postprocess for a recognised head: keys and their meaning as in its public
 * configurations. */
#include "front/heads.h"

#include <math.h>
#include <string.h>

enum { PROPOSALS = 100 };

/* Whole numbers as integers; others with as many digits as a float has. */
static json_t *number(double v)
{
    return v == rint(v) && fabs(v) < 1e9 ? json_integer((json_int_t)v) : sl_json_f32((float)v);
}

static void put_layers(const struct head_kind *k, const struct head_scale *s, json_t *decoder)
{
    for (int i = 0; i < s->n && k->layers[i]; i++)
        json_object_set_new(decoder, k->layers[i], json_string(s->conv[i]->name));
}

/* "bbox_decoder41" for the box layer conv41. */
static json_t *decoder_for(const struct head_scale *s)
{
    const char *name = s->conv[0]->name;
    json_t *o = json_object();
    json_object_set_new(o, "name", json_sprintf("bbox_decoder%s", name + strcspn(name, "0123456789")));
    return o;
}

static void put_boxes(const struct head_scale *s, json_t *decoder)
{
    json_t *widths = json_array(), *heights = json_array();
    for (int i = 0; i < s->n_boxes; i++) {
        json_array_append_new(widths, number(s->box[2 * i]));
        json_array_append_new(heights, number(s->box[2 * i + 1]));
    }
    json_object_set_new(decoder, "w", widths);
    json_object_set_new(decoder, "h", heights);
}

/* What all configurations begin with. */
static json_t *start(const struct heads *h, const struct head_kind *k, bool overlap, bool image)
{
    const struct sl_nms_facts *f = h->facts;
    json_t *o = json_object();
    json_object_set_new(o, "nms_scores_th", json_real(f && f->has_score ? f->score : k->score));
    if (overlap)
        json_object_set_new(o, "nms_iou_th", json_real(f && f->has_overlap ? f->overlap : k->overlap));
    if (image)
        json_object_set_new(o, "image_dims", json_pack("[I, I]", (json_int_t)h->image_h, (json_int_t)h->image_w));
    json_object_set_new(o, "max_proposals_per_class", json_integer(f && f->most > 0 ? f->most : PROPOSALS));
    json_object_set_new(o, "classes", json_integer(h->classes));
    return o;
}

static void put_background(json_t *o, bool removed)
{
    json_object_set_new(o, "background_removal", json_boolean(removed));
    json_object_set_new(o, "background_removal_index", json_integer(0));
}

json_t *head_json_yolov5(const struct heads *h, const struct head_kind *k)
{
    json_t *o = start(h, k, true, true), *decoders = json_array();
    for (int i = 0; i < h->n_scales; i++) {
        json_t *decoder = decoder_for(&h->scales[i]);
        put_boxes(&h->scales[i], decoder);
        json_object_set_new(decoder, "stride", json_integer(h->scales[i].stride));
        put_layers(k, &h->scales[i], decoder);
        json_array_append_new(decoders, decoder);
    }
    json_object_set_new(o, "background_removal", json_false());
    if (h->proto) {
        json_object_set_new(o, "background_removal_index", json_integer(0));
        json_object_set_new(o, "max_total_proposals", json_integer(PROPOSALS));
        json_object_set_new(o, "proto",
                            json_pack("[{s:I, s:I}]", "number", (json_int_t)h->masks, "stride", (json_int_t)h->proto_stride));
    }
    json_object_set_new(o, "bbox_decoders", decoders);
    return o;
}

json_t *head_json_dense(const struct heads *h, const struct head_kind *k)
{
    json_t *o = start(h, k, true, true), *decoders = json_array();
    for (int i = 0; i < h->n_scales; i++) {
        json_t *decoder = decoder_for(&h->scales[i]);
        json_object_set_new(decoder, "stride", json_integer(h->scales[i].stride));
        put_layers(k, &h->scales[i], decoder);
        json_array_append_new(decoders, decoder);
    }
    if (h->regression_length) {
        json_object_set_new(o, "regression_length", json_integer(h->regression_length));
        json_object_set_new(o, "background_removal", json_false());
    } else {
        json_object_set_new(o, "number_of_detection_heads", json_integer(h->n_scales));
    }
    json_object_set_new(o, "bbox_decoders", decoders);
    return o;
}

/* The first class is the background where the file says that there is one class less, or where nothing says otherwise and the
 * network was trained as the SSD of its kind are. */
json_t *head_json_ssd(const struct heads *h, const struct head_kind *k)
{
    json_t *o = start(h, k, true, true), *decoders = json_array();
    bool background =
        h->facts && h->facts->classes ? h->facts->classes < h->classes : strcmp(k->name, "ssd") == 0 && h->classes > 1;
    for (int i = 0; i < h->n_scales; i++) {
        json_t *decoder = decoder_for(&h->scales[i]);
        put_boxes(&h->scales[i], decoder);
        put_layers(k, &h->scales[i], decoder);
        json_array_append_new(decoders, decoder);
    }
    json_object_set_new(o, "centers_scale_factor", number(h->told.centers));
    json_object_set_new(o, "bbox_dimensions_scale_factor", number(h->told.sizes));
    put_background(o, background);
    json_object_set_new(o, "bbox_decoders", decoders);
    return o;
}

json_t *head_json_centernet(const struct heads *h, const struct head_kind *k)
{
    json_t *o = start(h, k, false, false), *decoder = json_object();
    put_layers(k, &h->scales[0], decoder);
    json_object_set_new(o, "centers_scale_factor", json_integer(10)); /* as the one public configuration has them */
    json_object_set_new(o, "bbox_dimensions_scale_factor", json_integer(5));
    put_background(o, false);
    json_object_set_new(o, "bbox_decoders", json_pack("[o]", decoder));
    return o;
}
