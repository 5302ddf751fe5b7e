/* window_view.h: a pool's sizes, read the same way by the verifier and by the step that prepares it. */
#ifndef SL_DEVICE_WINDOW_VIEW_H
#define SL_DEVICE_WINDOW_VIEW_H

#include "hef/program.h"

struct sl_window_view {
    int64_t n, in_h, in_w, c, out_h, out_w;
};

/* Of tensors of rank 2 to 4. */
void sl_window_read(const struct sl_program *p, const struct sl_insn *i, struct sl_window_view *v);

#endif
