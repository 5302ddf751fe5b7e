/* fuzz_wire.c: any bytes as a protobuf message of unknown kind: every field, each length-delimited one also as a message.
 * Fields read and written again must be the same fields. */
#include <string.h>

#include "fuzz.h"
#include "base/reader.h"
#include "base/strings.h"

static void write_field(struct sl_buffer *b, const struct sl_field *f)
{
    sl_put_varint(b, (uint64_t)f->number << 3 | f->wire);
    switch (f->wire) {
    case SL_WIRE_VARINT:
        sl_put_varint(b, f->value);
        break;
    case SL_WIRE_I64:
        sl_put_u64(b, f->value);
        break;
    case SL_WIRE_I32:
        sl_put_u32(b, (uint32_t)f->value);
        break;
    case SL_WIRE_LEN:
        sl_put_varint(b, f->bytes.size);
        sl_put(b, f->bytes.data, f->bytes.size);
        break;
    default:
        MUST(!"a wire type that is not one");
    }
}

static void check_again(const struct sl_buffer *b, size_t n)
{
    struct sl_reader r = sl_reader_of(b->data, b->size);
    struct sl_field f;
    struct sl_buffer again = {0};
    size_t count = 0;
    for (; sl_next_field(&r, &f); count++)
        write_field(&again, &f);
    MUST(!r.bad && count == n && again.size == b->size);
    MUST(b->size == 0 || memcmp(again.data, b->data, b->size) == 0);
    sl_buffer_free(&again);
}

static void walk(struct sl_view v, int depth, size_t *budget)
{
    struct sl_reader r = sl_reader_of(v.data, v.size);
    struct sl_field f;
    struct sl_buffer b = {0};
    size_t n = 0;
    for (; *budget > 0 && sl_next_field(&r, &f); n++) {
        --*budget;
        MUST(f.number > 0 && f.offset < v.size && sl_count_varints(f.bytes) <= f.bytes.size);
        write_field(&b, &f);
        if (f.wire == SL_WIRE_LEN && depth < SL_WIRE_MAX_DEPTH)
            walk(f.bytes, depth + 1, budget);
    }
    MUST(sl_offset(&r) + sl_left(&r) == v.size);
    check_again(&b, n);
    sl_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t budget = 20000;
    walk((struct sl_view){data, size}, 0, &budget);
    return 0;
}
