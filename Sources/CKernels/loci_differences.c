// Floating point is never fused and summed in a fixed order: every level gives the same bits.
#include "loci_differences.h"

#include <math.h>
#include <string.h>

#include "loci_integer_kernels.h"
#include "loci_levels.h"
#include "loci_vectors.h"

#pragma STDC FP_CONTRACT OFF

typedef uint32_t uint16lanes __attribute__((vector_size(64)));

/// Adding this to a small float32 leaves the nearest whole number in its low bits.
static const float rounder = 12582912.0f;

/// Sixteen differences from `k` on; those beyond the dimension are zero.
LOCI_INLINE void subtract(const float *vector, const float *centre, size_t k, size_t dimension,
                          float16 *difference) {
  if (k + 16 <= dimension) {
    *difference = LOAD(vector + k) - LOAD(centre + k);
    return;
  }
  float lanes[16] = {0};
  for (size_t i = 0; k + i < dimension; ++i) lanes[i] = vector[k + i] - centre[k + i];
  *difference = LOAD(lanes);
}

/// The square root of the sum of sixteen.
LOCI_INLINE float norm_of(float *lanes) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return sqrtf(lanes[0]);
}

#define ENCODE_ARGUMENTS                                                                         \
  const float *vector, const float *centre, size_t dimension, int short_scale, int8_t *codes,    \
      float *scale, float *error

LOCI_INLINE void encode(ENCODE_ARGUMENTS) {
  // Magnitudes compare like their bits.
  int16lanes largest = {0};
  for (size_t k = 0; k < dimension; k += 16) {
    float16 difference;
    subtract(vector, centre, k, dimension, &difference);
    const int16lanes bits = (int16lanes)difference & 0x7FFFFFFF;
    const int16lanes is_larger = bits > largest;
    largest = (bits & is_larger) | (largest & ~is_larger);
  }
  uint32_t most = (uint32_t)__builtin_reduce_max(largest);
  float step;
  memcpy(&step, &most, sizeof step);
  step /= 127;
  if (short_scale) {
    memcpy(&most, &step, sizeof most);
    most = (most + 0xFFFF) & 0xFFFF0000;
    memcpy(&step, &most, sizeof step);
  }
  float inverse = 1 / step;
  if (!isfinite(inverse)) step = inverse = 0;
  float16 errors = {0};
  for (size_t k = 0; k < dimension; k += 16) {
    float16 rest;
    subtract(vector, centre, k, dimension, &rest);
    // Without a scale nothing is multiplied: what is infinite times zero is no number.
    const float16 shifted = step == 0 ? (float16){0} + rounder : rest * inverse + rounder;
    rest -= (shifted - rounder) * step;
    errors += rest * rest;
    const byte16 whole = __builtin_convertvector((int16lanes)shifted & 0xFF, byte16);
    if (k + 16 <= dimension) {
      STORE_BYTES(codes + k, whole);
    } else {
      memcpy(codes + k, &whole, dimension - k);
    }
  }
  *scale = step;
  float lanes[16];
  STORE(lanes, errors);
  *error = norm_of(lanes);
}

#define SCAN_ARGUMENTS                                                                           \
  const loci_difference_query *query, const int8_t *rows, const uint32_t *factors, size_t count, \
      uint32_t *slots, float *estimates

/// Products of so many rows are held at a time.
enum { BLOCK = 256 };

LOCI_INLINE size_t scan(int level, SCAN_ARGUMENTS) {
  int32_t products[BLOCK];
  size_t found = 0;
  for (size_t start = 0; start < count; start += BLOCK) {
    const size_t block = count - start < BLOCK ? count - start : BLOCK;
    loci_dot_i8(level, query->query, rows + start * query->dimension, query->dimension, block,
                query->dimension, products);
    for (size_t first = 0; first < block; first += 16) {
      const size_t lanes = block - first < 16 ? block - first : 16;
      uint16lanes factor = {0};
      int16lanes product = {0};
      if (lanes == 16) {
        memcpy(&factor, factors + start + first, sizeof factor);
        memcpy(&product, products + first, sizeof product);
      } else {
        memcpy(&factor, factors + start + first, lanes * sizeof *factors);
        memcpy(&product, products + first, lanes * sizeof *products);
      }
      const float16 scale = (float16)(factor & 0xFFFF0000);
      const float16 length =
          __builtin_convertvector((int16lanes)(factor & 0xFFFF), float16) * query->length_unit *
          scale;
      const float16 estimate =
          query->base + query->factor * scale * __builtin_convertvector(product, float16) +
          length * length;
      // What is no number is not above the cut.
      const int16lanes is_found = ~(estimate > query->cut);
      if (!__builtin_reduce_or(is_found)) continue;
      float values[16];
      STORE(values, estimate);
      for (size_t i = 0; i < lanes; ++i) {
        if (values[i] > query->cut) continue;
        slots[found] = (uint32_t)(start + first + i);
        estimates[found] = values[i];
        ++found;
      }
    }
  }
  return found;
}

static void encode_scalar(ENCODE_ARGUMENTS) {
  encode(vector, centre, dimension, short_scale, codes, scale, error);
}
static size_t scan_scalar(SCAN_ARGUMENTS) {
  return scan(LOCI_LEVEL_SCALAR, query, rows, factors, count, slots, estimates);
}
#if LOCI_X86
LOCI_AVX2 static void encode_avx2(ENCODE_ARGUMENTS) {
  encode(vector, centre, dimension, short_scale, codes, scale, error);
}
LOCI_AVX2 static size_t scan_avx2(SCAN_ARGUMENTS) {
  return scan(LOCI_LEVEL_AVX2, query, rows, factors, count, slots, estimates);
}
LOCI_AVX512 static void encode_avx512(ENCODE_ARGUMENTS) {
  encode(vector, centre, dimension, short_scale, codes, scale, error);
}
LOCI_AVX512 static size_t scan_avx512(SCAN_ARGUMENTS) {
  return scan(LOCI_LEVEL_AVX512, query, rows, factors, count, slots, estimates);
}
#endif

void loci_difference_encode(int level, ENCODE_ARGUMENTS) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      encode_avx512(vector, centre, dimension, short_scale, codes, scale, error);
      return;
    case LOCI_LEVEL_AVX2:
      encode_avx2(vector, centre, dimension, short_scale, codes, scale, error);
      return;
#endif
    default:
      encode_scalar(vector, centre, dimension, short_scale, codes, scale, error);
  }
}

size_t loci_difference_scan(int level, SCAN_ARGUMENTS) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      return scan_avx512(query, rows, factors, count, slots, estimates);
    case LOCI_LEVEL_AVX2:
      return scan_avx2(query, rows, factors, count, slots, estimates);
#endif
    default:
      return scan_scalar(query, rows, factors, count, slots, estimates);
  }
}
