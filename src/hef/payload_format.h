/* payload_format.h: the numbers of the payload's bytes that its writer and its reader share (docs/formats.md). */
#ifndef SL_HEF_PAYLOAD_FORMAT_H
#define SL_HEF_PAYLOAD_FORMAT_H

#define SL_PAYLOAD_MAGIC "SLUICENN"
enum {
    SL_PAYLOAD_MAGIC_BYTES = 8,
    SL_PAYLOAD_HEADER_BYTES = 64,
    SL_PAYLOAD_ENTRY_BYTES = 16,   /* of the directory: offset, bytes */
    SL_PROGRAM_MAGIC = 0x474f5250, /* "PROG" */
    SL_PROGRAM_HEADER_BYTES = 16,
    SL_SECTION_ENTRY_BYTES = 24, /* kind, count, offset, bytes */
};

/* In file order. */
enum sl_section {
    SL_SECTION_STRINGS,
    SL_SECTION_TENSORS,
    SL_SECTION_CONSTS,
    SL_SECTION_INSNS,
    SL_SECTION_INPUTS,
    SL_SECTION_OUTPUTS,
    SL_SECTION_CONTEXTS,
    SL_SECTION_STATES,
    SL_SECTION_SCALARS,
    SL_SECTION_ALTERNATIVES,
    SL_SECTION_COUNT
};

/* Least bytes of a record: a count is compared with the section's bytes by these before anything is allocated. */
enum {
    SL_TENSOR_BYTES = 28,
    SL_CONST_BYTES = 32,
    SL_INSN_BYTES = 16,
    SL_PORT_BYTES = 24,
    SL_CONTEXT_BYTES = 8,
    SL_STATE_BYTES = 20,
    SL_SCALAR_BYTES = 16,
    SL_ALTERNATIVE_BYTES = 12,
};

#endif
