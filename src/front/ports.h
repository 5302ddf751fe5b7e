/* ports.h: where a network that is being imported starts and ends. Its ports are in the origin's order of axes. */
#ifndef SL_FRONT_PORTS_H
#define SL_FRONT_PORTS_H

#include "front/build.h"

/* An input_layer and its port. origin: the type in the file; stored: in the network. Fails on a shape that no input can have.
 */
sluice_status sl_add_input(struct sl_build *b, const char *name, enum sl_dtype origin, enum sl_dtype stored,
                           const struct sl_shape *s, struct sl_node **out);
/* An output_layer behind `from` and its port, which says nothing yet that the layer does not. */
sluice_status sl_add_output(struct sl_build *b, const char *name, struct sl_node *from, struct sl_port **out);
/* Inputs that the outputs do not depend on would be streams that nothing reads: they leave the graph, with a note. */
void sl_drop_unused_inputs(struct sl_build *b, sl_arena *scratch);

#endif
