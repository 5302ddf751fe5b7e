/* weighted_view.h: a weighted instruction's sizes, read the same way by the verifier and by the step that prepares it. */
#ifndef SL_DEVICE_WEIGHTED_VIEW_H
#define SL_DEVICE_WEIGHTED_VIEW_H

#include "hef/program.h"

struct sl_weighted_view {
    int64_t n, in_h, in_w, in_c, out_h, out_w, out_c, kh, kw, groups;
    int64_t kernel_ic, kernel_oc; /* the kernel's last two sides as stored */
    bool deconv;
};

/* Of tensors of rank 2 to 4 and a kernel of rank 2 (fc) or 4. */
void sl_weighted_read(const struct sl_program *p, const struct sl_insn *i, struct sl_weighted_view *v);

#endif
