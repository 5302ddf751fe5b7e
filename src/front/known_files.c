/*
 * known_files.c: what is given in place of a model, and the conversion that helps. A kind is a row: its first bytes or a
 * function that looks at the content, its name, and a hint for each format that may have been meant.
 */
#include "front/known_files.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/file.h"

/* ---- looking into bytes ---- */

enum { LOOKED_AT = 65536 };

static bool has_at(struct sl_view b, size_t at, const void *magic, size_t n)
{
    return b.size >= n && at <= b.size - n && memcmp(b.data + at, magic, n) == 0;
}

static bool contains(const uint8_t *p, size_t size, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(p + i, text, n) == 0)
            return true;
    return false;
}

/* In the beginning or, where a zip archive has its list of names, the end. */
static bool mentions(struct sl_view b, const char *text)
{
    size_t n = SL_MIN(b.size, (size_t)LOOKED_AT);
    return contains(b.data, n, text) || contains(b.data + (b.size - n), n, text);
}

/* Text that begins with a word, behind blanks and comment lines. */
static bool begins_with_word(struct sl_view b, const char *word)
{
    size_t at = 0, end = SL_MIN(b.size, (size_t)4096), n = strlen(word);
    bool comment = false;
    for (; at < end; at++) {
        uint8_t c = b.data[at];
        comment = c == '#' || (comment && c != '\n');
        if (!comment && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    return has_at(b, at, word, n);
}

/* A protobuf field of bytes with this tag at *at: where its content begins and ends; *at moves behind it. */
static bool read_field(struct sl_view b, size_t *at, uint8_t tag, struct sl_view *out)
{
    *out = (struct sl_view){0};
    uint64_t length = 0;
    size_t i = *at;
    if (i >= b.size || b.data[i++] != tag)
        return false;
    for (int shift = 0; shift < 35; shift += 7) {
        if (i >= b.size)
            return false;
        length |= (uint64_t)(b.data[i] & 127) << shift;
        if (b.data[i++] < 128)
            break;
    }
    *out = (struct sl_view){b.data + i, (size_t)SL_MIN(length, b.size - i)};
    *at = i + out->size;
    return length <= b.size - i;
}

/* ---- kinds without a mark at their beginning ---- */

static bool is_zip(struct sl_view b)
{
    return has_at(b, 0, "PK\3\4", 4);
}

static bool is_torch_script(struct sl_view b)
{
    return is_zip(b) && mentions(b, "/code/__torch__");
}

static bool is_torch_zip(struct sl_view b)
{
    return is_zip(b) && (mentions(b, "/data.pkl") || mentions(b, "exported_program") || mentions(b, "archive_format"));
}

static bool is_keras_zip(struct sl_view b)
{
    return is_zip(b) && mentions(b, "model.weights.h5");
}

static bool is_task_bundle(struct sl_view b)
{
    return is_zip(b) && mentions(b, ".tflite");
}

static bool is_zipped_saved_model(struct sl_view b)
{
    return is_zip(b) && mentions(b, "saved_model.pb");
}

static bool is_npz(struct sl_view b)
{
    return is_zip(b) && mentions(b, ".npy");
}

/* Protocols 2 to 5: of torch.save before 1.6, joblib and others. */
static bool is_pickle(struct sl_view b)
{
    return b.size > 2 && b.data[0] == 0x80 && b.data[1] >= 2 && b.data[1] <= 5;
}

/* Name, then the operator's name: the first node of a GraphDef. */
static bool is_node_def(struct sl_view node)
{
    struct sl_view name, op;
    size_t at = 0;
    return read_field(node, &at, 0x0a, &name) && read_field(node, &at, 0x12, &op) && name.size > 0 && op.size > 0 &&
           op.data[0] >= 'A' && op.data[0] <= '_';
}

static bool is_graph_def(struct sl_view b)
{
    struct sl_view node;
    size_t at = 0;
    return read_field(b, &at, 0x0a, &node) && is_node_def(node);
}

/* Meta information, then a GraphDef. */
static bool is_meta_graph(struct sl_view b)
{
    struct sl_view info, graph;
    size_t at = 0;
    return read_field(b, &at, 0x0a, &info) && (read_field(b, &at, 0x12, &graph), graph.size > 0) && is_graph_def(graph);
}

/* Schema version 1, then a MetaGraphDef, which begins with a message; ONNX of that age would have a producer's name there. */
static bool is_saved_model(struct sl_view b)
{
    struct sl_view graph;
    size_t at = 2;
    return has_at(b, 0, "\x08\x01", 2) && (read_field(b, &at, 0x12, &graph), at > 2) && graph.size > 0 &&
           (graph.data[0] == 0x0a || graph.data[0] == 0x12);
}

static bool is_core_ml(struct sl_view b)
{
    struct sl_view description;
    size_t at = 2;
    return b.size > 2 && b.data[0] == 0x08 && b.data[1] < 20 && (read_field(b, &at, 0x12, &description), at > 2) &&
           description.size > 1 && description.data[0] == 0x0a;
}

/* ir_version, then a field of ModelProto: producer, domain, version, documentation, graph or operator sets. */
static bool is_onnx(struct sl_view b)
{
    return b.size > 2 && b.data[0] == 0x08 && b.data[1] >= 2 && b.data[1] < 32 &&
           memchr("\x12\x1a\x22\x28\x32\x3a\x42", b.data[2], 7) != NULL;
}

/* A program whose first block is 0, its parent -1. */
static bool is_paddle(struct sl_view b)
{
    struct sl_view block;
    size_t at = 0;
    return (read_field(b, &at, 0x0a, &block), at > 0) && has_at(block, 0, "\x08\x00\x10\xff\xff\xff\xff", 7);
}

/* A leveldb table ends in a number. */
static bool is_checkpoint_index(struct sl_view b)
{
    return b.size >= 8 && has_at(b, b.size - 8, "\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
}

static bool is_safetensors(struct sl_view b)
{
    return b.size > 16 && b.data[8] == '{' && (b.data[9] == '"' || b.data[9] == '}') && b.data[6] == 0 && b.data[7] == 0;
}

static bool is_graph_text(struct sl_view b)
{
    return begins_with_word(b, "node {") || begins_with_word(b, "node{") || begins_with_word(b, "graph_def {") ||
           begins_with_word(b, "saved_model_schema_version");
}

static bool is_caffe_text(struct sl_view b)
{
    return (begins_with_word(b, "name:") || begins_with_word(b, "layer {") || begins_with_word(b, "input:")) &&
           (mentions(b, "layer {") || mentions(b, "layers {") || mentions(b, "layer{"));
}

static bool is_tfjs(struct sl_view b)
{
    return begins_with_word(b, "{") && mentions(b, "modelTopology");
}

static bool is_text_form(struct sl_view b)
{
    return begins_with_word(b, "{") || begins_with_word(b, "<");
}

/* ---- the table ---- */

#define LITE_SAVED      "convert it: tf.lite.TFLiteConverter.from_saved_model('folder').convert()"
#define LITE_KERAS      "convert it: tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model('net.keras')).convert()"
#define LITE_FROZEN     "convert it: tf.compat.v1.lite.TFLiteConverter.from_frozen_graph('net.pb', inputs, outputs).convert()"
#define ONNX_SAVED      "convert it: python -m tf2onnx.convert --saved-model folder --output net.onnx"
#define ONNX_KERAS      "convert it: python -m tf2onnx.convert --keras net.keras --output net.onnx"
#define ONNX_FROZEN     "convert it: python -m tf2onnx.convert --graphdef net.pb --inputs x:0 --outputs y:0 --output net.onnx"
#define ONNX_META       "convert it: python -m tf2onnx.convert --checkpoint net.meta --inputs x:0 --outputs y:0 --output net.onnx"
#define FROM_TORCH      "export to ONNX: torch.onnx.export(model, sample, 'net.onnx', opset_version=17)"
#define FROM_SCRIPT     "export to ONNX: torch.onnx.export(torch.jit.load('net.pt'), sample, 'net.onnx', opset_version=17)"
#define THEN_ONNX       ", then 'sluice parser onnx'"
#define OF_CHECKPOINT   "give the network: export a SavedModel from the program that made the checkpoint, and "
#define BOTH(hint)      hint, hint
#define MAGIC(at, text) at, text, sizeof text - 1, NULL
#define LOOK(test)      0, NULL, 0, test

static const struct kind {
    size_t offset;
    const char *magic;
    size_t size;
    bool (*test)(struct sl_view b);
    const char *what, *to_tflite, *to_onnx; /* hints, NULL: there is nothing to do */
} kinds[] = {
    {LOOK(is_torch_script), "TorchScript in a zip archive (.pt)", FROM_SCRIPT THEN_ONNX, FROM_SCRIPT},
    {LOOK(is_torch_zip), "a PyTorch file, a zip archive (.pt, .pth, .pt2)", FROM_TORCH THEN_ONNX, FROM_TORCH},
    {LOOK(is_keras_zip), "a Keras model, a zip archive (.keras)", LITE_KERAS, ONNX_KERAS},
    {LOOK(is_task_bundle), "a zip archive with .tflite files in it (a MediaPipe bundle)",
     BOTH("unpack it first: unzip; then 'sluice parser tflite' on one of them")},
    {LOOK(is_zipped_saved_model), "a zip archive with a TensorFlow SavedModel in it", LITE_SAVED, ONNX_SAVED},
    {LOOK(is_npz), "a zip archive of arrays (.npz)", BOTH("give the network; weights alone do not make one")},
    {LOOK(is_zip), "a zip archive", BOTH("unpack it, or where it is a PyTorch or Keras file " FROM_TORCH)},
    {LOOK(is_pickle), "a Python pickle (PyTorch .pt, .pth)", FROM_TORCH THEN_ONNX, FROM_TORCH},
    {MAGIC(0, "\x89HDF"), "an HDF5 file (Keras .h5)", LITE_KERAS, ONNX_KERAS},
    {LOOK(is_saved_model), "a TensorFlow SavedModel", LITE_SAVED, ONNX_SAVED},
    {LOOK(is_graph_def), "a TensorFlow graph (frozen .pb)", LITE_FROZEN, ONNX_FROZEN},
    {LOOK(is_meta_graph), "a TensorFlow graph (.meta of a checkpoint)", OF_CHECKPOINT LITE_SAVED, ONNX_META},
    {LOOK(is_graph_text), "a TensorFlow graph in text form (.pbtxt)", LITE_SAVED, ONNX_SAVED},
    {LOOK(is_checkpoint_index), "a TensorFlow checkpoint (.ckpt, .index), weights without a network", OF_CHECKPOINT LITE_SAVED,
     ONNX_META},
    {MAGIC(0, "model_checkpoint_path"), "the list of a TensorFlow checkpoint's files", OF_CHECKPOINT LITE_SAVED, ONNX_META},
    {LOOK(is_tfjs), "a TensorFlow.js model", BOTH("convert the model that it was made from")},
    {LOOK(is_safetensors), "a safetensors file: weights without a network", BOTH("export the network itself to ONNX")},
    {MAGIC(0, "GGUF"), "a GGUF file: weights of a language model", BOTH("give the checkpoint that it was made from")},
    {LOOK(is_paddle), "a PaddlePaddle program",
     BOTH("convert it: paddle2onnx --model_dir folder --model_filename net.pdmodel --params_filename net.pdiparams --save_file "
          "net.onnx")},
    {LOOK(is_core_ml), "a Core ML model", BOTH("give the model that it was made from")},
    {LOOK(is_caffe_text), "a Caffe network (.prototxt)", BOTH("convert it to ONNX first")},
    {MAGIC(0, "<?xml"), "an XML file (perhaps OpenVINO IR)", BOTH("give the ONNX model that it was made from")},
    {MAGIC(0, "7767517"), "an ncnn parameter file", BOTH("give the ONNX model that it was made from")},
    {MAGIC(0, "ir_version"), "ONNX in protobuf's text form",
     BOTH("convert it to the binary form: onnx.save(onnx.load('net.onnx', format='textproto'), 'binary.onnx')")},
    {MAGIC(0, "\x1f\x8b"), "a gzip file", BOTH("unpack it first: gunzip")},
    {MAGIC(0, "BZh"), "a bzip2 file", BOTH("unpack it first: bunzip2")},
    {MAGIC(0, "\xfd"
              "7zXZ"),
     "an xz file", BOTH("unpack it first: unxz")},
    {MAGIC(257, "ustar"), "a tar archive (perhaps a HAR)", BOTH("a HAR is already parsed: go on with 'sluice optimize'")},
    {MAGIC(0, "\1HEF"), "a HEF, a compiled network", BOTH("run it with 'sluice run', look at it with 'sluice parse-hef'")},
    {MAGIC(0, "\x7f"
              "ELF"),
     "a program or library", NULL, NULL},
    {MAGIC(0, "version https://git-lfs"), "a Git LFS pointer, not the file itself", BOTH("fetch the file: git lfs pull")},
    {MAGIC(0, "<!DOCTYPE"), "an HTML page, probably a failed download", BOTH("download the file again")},
    {MAGIC(0, "<html"), "an HTML page, probably a failed download", BOTH("download the file again")},
    {LOOK(is_text_form), "text (JSON or ONNX's text form)", BOTH("save the model in binary form, of ONNX with onnx.save")},
};

static sluice_status refuse(const char *what, enum sl_model_format wanted, const char *to_tflite, const char *to_onnx,
                            sl_err *e)
{
    const char *hint = wanted == SL_FORMAT_TFLITE ? to_tflite : to_onnx;
    sl_fail(e, SLUICE_E_FORMAT, "this is %s, not %s model", what, wanted == SL_FORMAT_TFLITE ? "a TFLite" : "an ONNX");
    return hint ? sl_hint(e, "%s", hint) : e->code;
}

/* "net.ckpt.data-00000-of-00001" */
static bool is_checkpoint_data(const char *path)
{
    const char *data = strstr(path, ".data-0"), *of = data ? strstr(data, "-of-") : NULL;
    return of && !strchr(of, '/');
}

sluice_status sl_refuse_known_files(const char *path, struct sl_view bytes, enum sl_model_format wanted, sl_err *e)
{
    bool is_tflite = has_at(bytes, 4, "TFL3", 4);
    if (bytes.size == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "the file is empty");
    if (is_tflite)
        return wanted == SL_FORMAT_TFLITE ? SLUICE_OK : refuse("a TFLite model", wanted, NULL, "use 'sluice parser tflite'", e);
    for (size_t i = 0; i < SL_COUNT(kinds); i++)
        if (kinds[i].magic ? has_at(bytes, kinds[i].offset, kinds[i].magic, kinds[i].size) : kinds[i].test(bytes))
            return refuse(kinds[i].what, wanted, kinds[i].to_tflite, kinds[i].to_onnx, e);
    if (wanted == SL_FORMAT_TFLITE && is_onnx(bytes))
        return refuse("an ONNX model", wanted, "use 'sluice parser onnx'", NULL, e);
    if (is_checkpoint_data(path))
        return refuse("a part of a TensorFlow checkpoint, weights without a network", wanted, OF_CHECKPOINT LITE_SAVED,
                      ONNX_META, e);
    return SLUICE_OK;
}

sluice_status sl_refuse_directory(const char *path, enum sl_model_format wanted, sl_err *e)
{
    static const struct {
        const char *file, *what, *to_tflite, *to_onnx;
    } folders[] = {
        {"saved_model.pb", "the folder of a TensorFlow SavedModel", LITE_SAVED, ONNX_SAVED},
        {"saved_model.pbtxt", "the folder of a TensorFlow SavedModel", LITE_SAVED, ONNX_SAVED},
        {"checkpoint", "a folder of TensorFlow checkpoints", OF_CHECKPOINT LITE_SAVED, ONNX_META},
        {"keras_metadata.pb", "the folder of a Keras model", LITE_SAVED, ONNX_SAVED},
        {"Manifest.json", "a Core ML package", BOTH("give the model that it was made from")},
        {"config.json", "a folder of a Hugging Face checkpoint",
         BOTH("export the network: optimum-cli export onnx --model folder onnx_folder, then 'sluice parser onnx'")},
    };
    if (!sl_is_directory(path))
        return SLUICE_OK;
    for (size_t i = 0; i < SL_COUNT(folders); i++) {
        char name[4096];
        int n = snprintf(name, sizeof name, "%s/%s", path, folders[i].file);
        if (n > 0 && n < (int)sizeof name && sl_is_file(name)) {
            refuse(folders[i].what, wanted, folders[i].to_tflite, folders[i].to_onnx, e);
            return sl_context(e, "%s", path);
        }
    }
    return SLUICE_OK;
}
