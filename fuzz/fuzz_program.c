/* fuzz_program.c: any bytes as a payload: a refusal, or programs that the device proves safe and runs inside its own memory. */
#include <string.h>

#include "device/device.h"
#include "fuzz.h"
#include "hef/payload.h"

static void run_one(sl_arena *a, const struct sl_program *p)
{
    /* Small limits keep a hostile but sound program from taking long: they are limits, not crashes. */
    struct sl_device_options o = {.threads = 1, .memory_limit = 8 << 20, .work_limit = 1 << 24};
    struct sl_device *d = NULL;
    sl_err e = {0};
    if (sl_device_load(p, &o, &d, &e) != SLUICE_OK) {
        MUST(e.code != SLUICE_E_INTERNAL && e.message[0]);
        return;
    }
    const void **inputs = SL_NEW_ARRAY(a, const void *, p->n_inputs);
    void **outputs = SL_NEW_ARRAY(a, void *, p->n_outputs);
    bool room = true;
    for (uint32_t k = 0; k < p->n_inputs; k++)
        room &= (inputs[k] = sl_arena_alloc_aligned64(a, sl_device_port_bytes(d, false, k))) != NULL;
    for (uint32_t k = 0; k < p->n_outputs; k++)
        room &= (outputs[k] = sl_arena_alloc_aligned64(a, sl_device_port_bytes(d, true, k))) != NULL;
    if (room)
        sl_device_run(d, inputs, outputs);
    sl_device_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_arena *a = fuzz_arena();
    sl_err e = {0};
    struct sl_program *p = NULL;
    size_t n = 0;
    if (sl_payload_read(a, (struct sl_view){data, size}, SL_PAYLOAD_ANY_HASH, &p, &n, &e) != SLUICE_OK)
        MUST(e.message[0]);
    for (size_t i = 0; i < n; i++)
        run_one(a, &p[i]);
    sl_arena_free(a);
    return 0;
}
