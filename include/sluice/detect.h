/**
 * sluice/detect.h: a detector's accuracy and pictures, the float network beside the quantized one.
 */
#ifndef SLUICE_DETECT_H
#define SLUICE_DETECT_H

#include <stdbool.h>

#include "sluice/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_detect_options {
    const char *hef;       /* compiled detector */
    const char *float_har; /* archive whose float mode (fp_optimized where it has one, else native) is measured beside it; NULL: none */
    const char *spec;      /* JSON decode rule with "labels"; paths in it are relative to its folder (examples/demo/signs.json) */
    const char *picture;   /* PNG to write: the "show" pictures with the boxes of both; NULL: none */
    int threads;           /* 0: all processors */
    bool json;
};

/** Runs every labelled picture through both, and reports accuracy, agreement, speed and sizes as text or JSON. Caller frees *text with
 * sluice_free. */
sluice_status sluice_detect(const struct sluice_detect_options *options, char **text, struct sluice_error *err);

#ifdef __cplusplus
}
#endif
#endif
