/* int_heap.h: a binary heap of ints, least first, in an array of the caller's that has room for all. */
#ifndef SL_IR_INT_HEAP_H
#define SL_IR_INT_HEAP_H

struct sl_int_heap {
    int *item, n;
};

static inline void sl_heap_push(struct sl_int_heap *h, int v)
{
    int i = h->n++;
    for (; i > 0 && h->item[(i - 1) / 2] > v; i = (i - 1) / 2)
        h->item[i] = h->item[(i - 1) / 2];
    h->item[i] = v;
}

static inline int sl_heap_pop(struct sl_int_heap *h)
{
    int least = h->item[0], v = h->item[--h->n], i = 0;
    for (int child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->item[child + 1] < h->item[child])
            child++;
        if (h->item[child] >= v)
            break;
        h->item[i] = h->item[child];
    }
    h->item[i] = v;
    return least;
}

#endif
