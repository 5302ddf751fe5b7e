/* onnx_content.c: recognises, by content, files that people give in place of an ONNX model, and says what to do with them. */
#include <string.h>

#include "base/compiler.h"
#include "onnx/onnx_proto.h"

static const struct {
    size_t offset;
    const char *magic;
    size_t size;
    const char *what, *hint;
} known[] = {
    {4, "TFL3", 4, "a TFLite model", "use 'sluice parser tflite'"},
    {0, "PK\3\4", 4, "a zip archive (PyTorch .pt/.pth, .keras or .npz), not an ONNX model",
     "export to ONNX first: torch.onnx.export(model, sample, 'net.onnx', opset_version=17), or python -m tf2onnx.convert "
     "--keras"},
    {0, "\x80\2", 2, "a Python pickle (PyTorch .pt/.pth), not an ONNX model",
     "export to ONNX first: torch.onnx.export(model, sample, 'net.onnx', opset_version=17)"},
    {0, "\x89HDF", 4, "an HDF5 file (Keras .h5), not an ONNX model",
     "convert it: python -m tf2onnx.convert --keras net.h5 --output net.onnx"},
    {0, "\x1f\x8b", 2, "a gzip file", "unpack it first: gunzip"},
    {0, "BZh", 3, "a bzip2 file", "unpack it first: bunzip2"},
    {0,
     "\xfd"
     "7zXZ",
     5, "an xz file", "unpack it first: unxz"},
    {257, "ustar", 5, "a tar archive (perhaps a HAR)", "a HAR is already parsed: go on with 'sluice optimize'"},
    {0, "\1HEF", 4, "a HEF, a compiled network", "run it with 'sluice run', look at it with 'sluice parse-hef'"},
    {0,
     "\x7f"
     "ELF",
     4, "a program or library", NULL},
    {0, "version https://git-lfs", 23, "a Git LFS pointer, not the file itself", "fetch the file: git lfs pull"},
    {0, "ir_version", 10, "ONNX in protobuf's text form",
     "convert it to the binary form: onnx.save(onnx.load('net.onnx', format='textproto'), 'binary.onnx')"},
    {0, "<!DOCTYPE", 9, "an HTML page, probably a failed download", "download the file again"},
    {0, "<html", 5, "an HTML page, probably a failed download", "download the file again"},
    {0, "<?xml", 5, "an XML file (perhaps OpenVINO IR)", "give the ONNX model that it was made from"},
    {0, "7767517", 7, "an ncnn parameter file", "give the ONNX model that it was made from"},
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

sluice_status onnx_check_content(struct sl_view bytes, sl_err *e)
{
    if (bytes.size == 0)
        return sl_fail(e, SLUICE_E_FORMAT, "the file is empty");
    for (size_t i = 0; i < SL_COUNT(known); i++) {
        if (bytes.size < known[i].offset + known[i].size ||
            memcmp(bytes.data + known[i].offset, known[i].magic, known[i].size) != 0)
            continue;
        sl_fail(e, SLUICE_E_FORMAT, "this is %s", known[i].what);
        return known[i].hint ? sl_hint(e, "%s", known[i].hint) : e->code;
    }
    size_t at = 0;
    while (at < bytes.size && is_blank(bytes.data[at]) && at < 64)
        at++;
    if (at < bytes.size && (bytes.data[at] == '{' || bytes.data[at] == '<')) {
        sl_fail(e, SLUICE_E_FORMAT, "this is text (JSON or ONNX's text form), not a binary ONNX model");
        return sl_hint(e, "save the model in binary form with onnx.save");
    }
    if (bytes.size > 16 && bytes.data[8] == '{' && bytes.data[9] == '"') {
        sl_fail(e, SLUICE_E_FORMAT, "this is a safetensors file: weights without a network");
        return sl_hint(e, "export the network itself to ONNX");
    }
    return SLUICE_OK;
}
