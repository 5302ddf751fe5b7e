/* tflite_content.c: recognises files that people give in place of a TFLite model, and says what to do with them. */
#include <string.h>

#include "base/compiler.h"
#include "front/known_files.h"
#include "tflite/tflite_schema.h"

#define FROM_TENSORFLOW "convert it: tf.lite.TFLiteConverter.from_saved_model('folder').convert()"
#define FROM_KERAS      "convert it: tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model('net.keras')).convert()"

static const struct sl_known_file known[] = {
    {0, "PK\3\4", 4, "a zip archive (Keras .keras or PyTorch .pt/.pth), not a TFLite model", FROM_KERAS},
    {0, "\x89HDF", 4, "an HDF5 file (Keras .h5), not a TFLite model", FROM_KERAS},
    {0, "\x80\2", 2, "a Python pickle (PyTorch .pt/.pth), not a TFLite model",
     "export to ONNX: torch.onnx.export(model, sample, 'net.onnx', opset_version=17), then 'sluice parser onnx'"},
    {0, "model_checkpoint_path", 21, "a TensorFlow checkpoint index, not a TFLite model", FROM_TENSORFLOW},
};

static bool contains(struct sl_view bytes, const char *text)
{
    size_t n = strlen(text), end = SL_MIN(bytes.size, (size_t)65536);
    for (size_t i = 0; i + n <= end; i++)
        if (memcmp(bytes.data + i, text, n) == 0)
            return true;
    return false;
}

sluice_status tfl_check_content(struct sl_view bytes, sl_err *e)
{
    if (bytes.size >= 8 && memcmp(bytes.data + 4, "TFL3", 4) == 0)
        return SLUICE_OK;
    SL_TRY(sl_refuse_known_files(bytes, known, SL_COUNT(known), e));
    if (bytes.size >= 8 && memcmp(bytes.data + 4, "TFL", 3) == 0)
        return sl_fail(e, SLUICE_E_UNSUPPORTED, "TFLite schema '%.4s', 'TFL3' is read", (const char *)bytes.data + 4);
    /* A SavedModel begins with its schema version (field 1); a GraphDef or MetaGraphDef with a node or meta info (field 1, a
     * message). */
    if (bytes.size > 2 && bytes.data[0] == 0x08 && bytes.data[1] == 0x01 && bytes.data[2] == 0x12) {
        sl_fail(e, SLUICE_E_FORMAT, "this is a TensorFlow SavedModel, not a TFLite model");
        return sl_hint(e, FROM_TENSORFLOW);
    }
    if (bytes.size > 2 && bytes.data[0] == 0x0a &&
        (contains(bytes, "Placeholder") || contains(bytes, "VariableV2") || contains(bytes, "Const"))) {
        sl_fail(e, SLUICE_E_FORMAT, "this is a TensorFlow graph (.pb or .meta), not a TFLite model");
        return sl_hint(e,
                       "convert it: tf.compat.v1.lite.TFLiteConverter.from_frozen_graph('net.pb', inputs, outputs).convert()");
    }
    if (bytes.size > 2 && bytes.data[0] == 0x08 && contains(bytes, "graph")) {
        sl_fail(e, SLUICE_E_FORMAT, "this looks like an ONNX model, not a TFLite model");
        return sl_hint(e, "use 'sluice parser onnx'");
    }
    if (bytes.data[bytes.size - 1] == 0xdb && bytes.size > 8 &&
        bytes.data[bytes.size - 8] == 0x57) { /* a leveldb table's magic */
        sl_fail(e, SLUICE_E_FORMAT, "this is a TensorFlow checkpoint (.ckpt), weights without a network");
        return sl_hint(e, FROM_TENSORFLOW);
    }
    sl_fail(e, SLUICE_E_FORMAT, "this is not a TFLite model: the identifier TFL3 is missing");
    return sl_hint(e, "give a .tflite file; " FROM_TENSORFLOW);
}
