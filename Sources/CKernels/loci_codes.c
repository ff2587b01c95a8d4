// Floating point is never fused and summed in a fixed order: every level gives the same bits.
#include "loci_codes.h"

#include <math.h>

#include "loci_integer_kernels.h"
#include "loci_levels.h"
#include "loci_vectors.h"

#pragma STDC FP_CONTRACT OFF

/// Bit `plane` of each of 64 bytes.
LOCI_INLINE uint64_t plane_of(const uint8_t *bytes, int plane) {
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) {
    const uint64_t lowest = (loci_word(bytes + 8 * i) >> plane) & 0x0101010101010101u;
    bits |= ((lowest * 0x0102040810204080u) >> 56) << (8 * i);
  }
  return bits;
}

LOCI_INLINE float sum_of(const float *lanes) {
  float sums[8];
  for (int i = 0; i < 8; ++i) sums[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) sums[i] += sums[i + 4];
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

/// Estimates from <code, residual> and its companions; see `loci_code_factors`.
static loci_code_factors factors_of(double square, double code_residual, double code_centroid,
                                    double code_square, double residual_centroid, size_t padded,
                                    int is_dot) {
  loci_code_factors factors = {is_dot ? (float)-residual_centroid : (float)square, 0, 0};
  // Nothing can be said: no scan may rule the row out.
  if (!isfinite(square)) return (loci_code_factors){INFINITY, 0, 0};
  if (!(square > 0) || !(code_residual > 0)) return factors;
  const double ratio = square / code_residual;
  const double scale = is_dot ? 1 : 2;
  const double inverse = square * code_square / (code_residual * code_residual);
  const double slack = inverse > 1 ? inverse - 1 : 0;
  factors.addend = (float)((is_dot ? -residual_centroid : square) + scale * ratio * code_centroid);
  factors.rescale = (float)(-scale * ratio);
  factors.error = (float)(scale * sqrt(square * slack / (double)(padded - 1)));
  return factors;
}

/// Sixteen codes: the residual in steps, from the lowest code on.
#define CODES(residual, inverse, half, most)                                                     \
  __builtin_convertvector(                                                                       \
      __builtin_elementwise_min(                                                                 \
          __builtin_elementwise_max((residual) * (inverse) + (half), (float16){0}),              \
          (float16){0} + (most)),                                                                \
      int16lanes)

/// Of nine steps around the one for normally distributed coordinates, the inverse of that which
/// gives code and residual the largest cosine.
LOCI_INLINE float best_inverse(const float *vector, const float *centroid, size_t padded, int bits,
                               float typical) {
  const float half = (float)(1 << (bits - 1)), most = 2 * half - 0.5f;
  float best = typical, highest = 0;
  for (int trial = 0; trial < 9; ++trial) {
    const float inverse = typical * (0.85f + 0.05625f * (float)trial);
    float16 products = {0}, squares = {0};
    for (size_t k = 0; k < padded; k += 16) {
      const float16 residual = LOAD(vector + k) - LOAD(centroid + k);
      const int16lanes code = CODES(residual, inverse, half, most);
      const float16 value = __builtin_convertvector(2 * code + 1 - (1 << bits), float16);
      products += value * residual;
      squares += value * value;
    }
    float lanes[2][16];
    STORE(lanes[0], products);
    STORE(lanes[1], squares);
    const float product = sum_of(lanes[0]) * typical;
    const float cosine = product * product / sum_of(lanes[1]);
    if (cosine > highest) {
      highest = cosine;
      best = inverse;
    }
  }
  return best;
}

LOCI_INLINE void encode(const float *vector, const float *centroid, size_t padded, int bits,
                        float fineness, int is_dot, uint8_t *planes, loci_code_factors *factors) {
  float16 squares = {0}, products = {0};
  for (size_t k = 0; k < padded; k += 16) {
    const float16 base = LOAD(centroid + k);
    const float16 residual = LOAD(vector + k) - base;
    squares += residual * residual;
    products += residual * base;
  }
  float lanes[5][16];
  STORE(lanes[0], squares);
  const double square = sum_of(lanes[0]);
  STORE(lanes[0], products);
  const double residual_centroid = sum_of(lanes[0]);
  const float half = (float)(1 << (bits - 1));
  const float most = 2 * half - 0.5f;
  float inverse =
      square > 0 && isfinite(square) ? (float)(fineness * sqrt((double)padded / square)) : 0;
  // With fewer bits there is nothing to gain.
  if (bits > 2) inverse = best_inverse(vector, centroid, padded, bits, inverse);
  float16 code_residual = {0}, code_centroid = {0}, code_square = {0};
  float16 sign_residual = {0}, sign_centroid = {0};
  for (size_t word = 0; word < padded / 64; ++word) {
    uint8_t codes[64];
    for (size_t k = 0; k < 64; k += 16) {
      const float16 base = LOAD(centroid + 64 * word + k);
      const float16 residual = LOAD(vector + 64 * word + k) - base;
      const int16lanes code = CODES(residual, inverse, half, most);
      STORE_BYTES(codes + k, __builtin_convertvector(code, byte16));
      const float16 value = __builtin_convertvector(2 * code + 1 - (1 << bits), float16);
      const int16lanes top = code >> (bits - 1);
      const float16 sign = __builtin_convertvector(2 * top - 1, float16);
      code_residual += value * residual;
      code_centroid += value * base;
      code_square += value * value;
      sign_residual += sign * residual;
      sign_centroid += sign * base;
    }
    for (int plane = 0; plane < bits; ++plane) {
      const uint64_t bit = plane_of(codes, bits - 1 - plane);
      memcpy(planes + ((size_t)plane * (padded / 64) + word) * 8, &bit, sizeof bit);
    }
  }
  STORE(lanes[0], sign_residual);
  STORE(lanes[1], sign_centroid);
  STORE(lanes[2], code_residual);
  STORE(lanes[3], code_centroid);
  STORE(lanes[4], code_square);
  factors[0] = factors_of(square, sum_of(lanes[0]), sum_of(lanes[1]), (double)padded,
                          residual_centroid, padded, is_dot);
  factors[1] = factors_of(square, sum_of(lanes[2]), sum_of(lanes[3]), sum_of(lanes[4]),
                          residual_centroid, padded, is_dot);
}

LOCI_INLINE void quantise(const float *query, size_t padded, int8_t *values, uint64_t *planes,
                          int32_t *sum, float *step, float *error) {
  float16 largest = {0};
  for (size_t k = 0; k < padded; k += 16) {
    largest = __builtin_elementwise_max(largest, __builtin_elementwise_abs(LOAD(query + k)));
  }
  float lanes[16], highest = 0;
  STORE(lanes, largest);
  for (int i = 0; i < 16; ++i) highest = lanes[i] > highest ? lanes[i] : highest;
  *step = highest / 127;
  const float inverse = *step > 0 && isfinite(127 / highest) ? 127 / highest : 0;
  // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
  const float rounding = 12582912.0f;
  float16 errors = {0};
  int16lanes total = {0};
  for (size_t k = 0; k < padded; k += 16) {
    const float16 value = LOAD(query + k);
    const float16 rounded = (value * inverse + rounding) - rounding;
    const float16 difference = value - rounded * *step;
    errors += difference * difference;
    const int16lanes whole = __builtin_convertvector(rounded, int16lanes);
    total += whole;
    STORE_BYTES(values + k, __builtin_convertvector(whole, byte16));
  }
  int32_t totals[16];
  memcpy(totals, &total, sizeof totals);
  *sum = 0;
  for (int i = 0; i < 16; ++i) *sum += totals[i];
  STORE(lanes, errors);
  *error = sqrtf(sum_of(lanes));
  for (size_t word = 0; word < padded / 64; ++word) {
    for (int plane = 0; plane < 8; ++plane) {
      planes[(size_t)plane * (padded / 64) + word] =
          plane_of((const uint8_t *)values + 64 * word, 7 - plane);
    }
  }
}

#define ENCODE_ARGUMENTS                                                                         \
  const float *vector, const float *centroid, size_t padded, int bits, float fineness,           \
      int is_dot, uint8_t *planes, loci_code_factors *factors
#define QUERY_ARGUMENTS                                                                          \
  const float *query, size_t padded, int8_t *values, uint64_t *planes, int32_t *sum,             \
      float *step, float *error

static void encode_scalar(ENCODE_ARGUMENTS) {
  encode(vector, centroid, padded, bits, fineness, is_dot, planes, factors);
}
static void quantise_scalar(QUERY_ARGUMENTS) {
  quantise(query, padded, values, planes, sum, step, error);
}
#if LOCI_X86
LOCI_AVX2 static void encode_avx2(ENCODE_ARGUMENTS) {
  encode(vector, centroid, padded, bits, fineness, is_dot, planes, factors);
}
LOCI_AVX2 static void quantise_avx2(QUERY_ARGUMENTS) {
  quantise(query, padded, values, planes, sum, step, error);
}
LOCI_AVX512 static void encode_avx512(ENCODE_ARGUMENTS) {
  encode(vector, centroid, padded, bits, fineness, is_dot, planes, factors);
}
LOCI_AVX512 static void quantise_avx512(QUERY_ARGUMENTS) {
  quantise(query, padded, values, planes, sum, step, error);
}
#endif

void loci_code_encode(int level, ENCODE_ARGUMENTS) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      encode_avx512(vector, centroid, padded, bits, fineness, is_dot, planes, factors);
      return;
    case LOCI_LEVEL_AVX2:
      encode_avx2(vector, centroid, padded, bits, fineness, is_dot, planes, factors);
      return;
#endif
    default:
      encode_scalar(vector, centroid, padded, bits, fineness, is_dot, planes, factors);
  }
}

void loci_code_query(int level, QUERY_ARGUMENTS) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      quantise_avx512(query, padded, values, planes, sum, step, error);
      return;
    case LOCI_LEVEL_AVX2:
      quantise_avx2(query, padded, values, planes, sum, step, error);
      return;
#endif
    default:
      quantise_scalar(query, padded, values, planes, sum, step, error);
  }
}
