/* A histogram of latencies in microseconds. 64 buckets per power of two keep the error of a quantile under 1.6 %. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { SUB_BITS = 6, SUB = 1 << SUB_BITS, BUCKETS = SUB * 36 };

typedef struct {
    uint64_t count, max, bucket[BUCKETS];
} Histogram;

static inline unsigned histogram_index(uint64_t us) {
    if (us < SUB) return (unsigned)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - SUB_BITS;
    unsigned index = (shift + 1) * SUB + (unsigned)((us >> shift) - SUB);
    return index < BUCKETS ? index : BUCKETS - 1;
}

static inline void histogram_add(Histogram *h, uint64_t us) {
    h->bucket[histogram_index(us)]++;
    h->count++;
    if (us > h->max) h->max = us;
}

static inline void histogram_merge(Histogram *into, const Histogram *from) {
    for (unsigned i = 0; i < BUCKETS; i++) into->bucket[i] += from->bucket[i];
    into->count += from->count;
    if (from->max > into->max) into->max = from->max;
}

/* Return the middle of the bucket that holds quantile q, in milliseconds; 0 if the histogram is empty. */
static inline double histogram_ms(const Histogram *h, double q) {
    uint64_t rank = (uint64_t)(q * (double)h->count), seen = 0;
    if (h->count == 0) return 0;
    if (rank >= h->count) rank = h->count - 1;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen <= rank) continue;
        if (i < SUB) return i / 1000.0;
        unsigned shift = i / SUB - 1;
        double low = (double)((uint64_t)(SUB + i % SUB) << shift), width = (double)(1ull << shift);
        double middle = low + (width - 1) / 2;
        return (middle < (double)h->max ? middle : (double)h->max) / 1000.0;
    }
    return (double)h->max / 1000.0;
}

#endif
