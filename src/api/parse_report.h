/* parse_report.h: the parsing report of an ONNX or TFLite file as JSON. */
#ifndef SL_API_PARSE_REPORT_H
#define SL_API_PARSE_REPORT_H

#include "onnx/onnx.h"
#include "tflite/tflite.h"

/* g: the parsed network, NULL when parsing failed with `failed`. The file is written whole or not at all. */
sluice_status sl_write_onnx_report(const char *report_path, const char *model, const struct sl_graph *g, const struct sl_onnx_report *r,
                                   const sl_err *failed, sl_err *e);
sluice_status sl_write_tflite_report(const char *report_path, const char *model, const struct sl_graph *g, const struct sl_tflite_report *r,
                                     const sl_err *failed, sl_err *e);

#endif
