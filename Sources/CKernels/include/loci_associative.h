// Kernels of associative memories, compiled for every instruction set and chosen at run time like
// those in loci_kernels.h. Everything over integers is exact, so the same on all of them.
#ifndef LOCI_ASSOCIATIVE_H
#define LOCI_ASSOCIATIVE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// accumulator[i] += sum over rows of weights[row] * rows[row][i]. Sums are taken in float32 over
/// blocks of 64 rows, and those are added up in double precision. Rows need not be aligned.
void loci_add_weighted_f32(const float *rows, size_t row_stride_floats, size_t rows_count,
                           size_t dimension, const float *weights, double *accumulator);

/// Word `word` of the address of hard location `location`: the 64-bit stream of SplitMix64
/// (Steele, Lea and Flood, 2014), started at the SplitMix64 mix of seed and location.
uint64_t loci_location_word(uint64_t seed, uint64_t location, uint64_t word);

/// Of the `count` hard locations from `first` on those whose address differs from `address` in at
/// most `radius` of its first `bits` bits, ascending, into `active`, which has room for `count`.
/// Returns how many. Of `address`, bits from `bits` on are not looked at.
size_t loci_active_locations(uint64_t seed, uint64_t first, size_t count, const uint64_t *address,
                             size_t bits, uint32_t radius, uint64_t *active);

/// counters[i] += bit i of `pattern` ? 1 : -1, kept within +-127.
void loci_counters_write(const uint64_t *pattern, size_t bits, int8_t *counters);

/// sums[i] += counters[i].
void loci_counters_sum(const int8_t *counters, size_t bits, int32_t *sums);

#ifdef __cplusplus
}
#endif
#endif
