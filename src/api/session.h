/* session.h: a runnable network behind include/sluice/run.h: ports, and an engine that computes one frame of stored tensors. Engines:
 * session_float.c (native, fp_optimized) and session_device.c (quantized HAR, HEF). */
#ifndef SL_API_SESSION_H
#define SL_API_SESSION_H

#include "base/arena.h"
#include "base/types.h"
#include "har/model.h"
#include "sluice/run.h"

/* One side of a port: what the engine stores, and how the original model lays it out. */
struct session_port {
    struct sluice_port info;
    enum sl_dtype dtype;       /* stored: SL_F32, or u8/u16 of the integer engines */
    struct sl_shape shape;     /* stored */
    struct sl_shape origin;
    enum sl_dtype origin_dtype; /* SL_NONE: not known */
    int perm[SL_MAX_RANK];     /* origin axis i = stored axis perm[i] */
    size_t elements;
    int n_scales;
    const float *scales;       /* per channel, or NULL */
};

/* A tensor seen by a watcher while a frame runs. */
struct session_tensor { const char *name; enum sl_dtype dtype; const struct sl_shape *shape; const void *data; float scale; int32_t zero_point; };
/* scale 0: the values are real already. */
typedef sluice_status session_watch_fn(void *data, const struct session_tensor *t, sl_err *e);

struct sluice_session {
    sl_arena *arena;
    const char *network;
    int n_in, n_out, threads;
    struct session_port *in, *out;
    const char *dump_tensors;
    const char *kernel_level;
    uint64_t memory_limit;
    uint64_t macs, packed_weight_bytes, activation_bytes;
    void *engine;
    /* inputs and outputs in stored types, 64-byte aligned buffers of one frame each. watch (may be NULL) sees every layer. */
    sluice_status (*run)(void *engine, void *const *inputs, void *const *outputs, session_watch_fn *watch, void *data, sl_err *e);
    void (*close)(void *engine);
    void **in_buffers, **out_buffers; /* owned by the session */
};

struct sluice_session *session_new(const struct sluice_session_options *o, sl_err *e);
/* Fill the port's info and sizes; allocates its frame buffer. */
sluice_status session_set_ports(struct sluice_session *s, sl_err *e);

sluice_status session_open_float(struct sluice_session *s, const struct sl_graph *g, sl_err *e);
sluice_status session_open_quantized(struct sluice_session *s, const struct sl_model *m, sl_err *e);
sluice_status session_open_hef(struct sluice_session *s, const char *path, sl_err *e);

/* The integers of the original model: signed ones stand for stored values less half the range (int8 -128 is stored 0). */
enum sl_dtype session_raw_type(const struct session_port *p, bool origin_layout);
/* Between the two, n bytes or halves of words: the top bit turns over. */
void session_turn_sign(enum sl_dtype t, const void *in, void *out, size_t n);

/* Put one frame given as float32 or stored integers, in stored or origin layout, into input i's buffer. */
void session_put_input(struct sluice_session *s, int i, const void *data, bool raw, bool origin_layout);
/* The frame of output i as asked: to `out`, elements of float or the stored type. */
void session_get_output(struct sluice_session *s, int i, void *out, const struct sluice_run_options *o);
sluice_status session_run_frame(struct sluice_session *s, session_watch_fn *watch, void *data, sl_err *e);

#endif
