/* onnx_content.c: recognises, by content, files that people give in place of an ONNX model, and says what to do with them. */
#include "base/compiler.h"
#include "front/known_files.h"
#include "onnx/onnx_proto.h"

static const struct sl_known_file known[] = {
    {4, "TFL3", 4, "a TFLite model", "use 'sluice parser tflite'"},
    {0, "PK\3\4", 4, "a zip archive (PyTorch .pt/.pth, .keras or .npz), not an ONNX model",
     "export to ONNX first: torch.onnx.export(model, sample, 'net.onnx', opset_version=17), or python -m tf2onnx.convert "
     "--keras"},
    {0, "\x80\2", 2, "a Python pickle (PyTorch .pt/.pth), not an ONNX model",
     "export to ONNX first: torch.onnx.export(model, sample, 'net.onnx', opset_version=17)"},
    {0, "\x89HDF", 4, "an HDF5 file (Keras .h5), not an ONNX model",
     "convert it: python -m tf2onnx.convert --keras net.h5 --output net.onnx"},
    {0, "ir_version", 10, "ONNX in protobuf's text form",
     "convert it to the binary form: onnx.save(onnx.load('net.onnx', format='textproto'), 'binary.onnx')"},
    {0, "<?xml", 5, "an XML file (perhaps OpenVINO IR)", "give the ONNX model that it was made from"},
    {0, "7767517", 7, "an ncnn parameter file", "give the ONNX model that it was made from"},
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

sluice_status onnx_check_content(struct sl_view bytes, sl_err *e)
{
    SL_TRY(sl_refuse_known_files(bytes, known, SL_COUNT(known), e));
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
