// A row's product with the query is exact: for plane p of weight 2^p, S_p is the sum of the query's
// values where the plane has a one; <code, values> = 2 sum 2^p S_p - (2^bits - 1) sum values.
#include <math.h>

#include "loci_codes.h"
#include "loci_integer_kernels.h"
#include "loci_levels.h"

#pragma STDC FP_CONTRACT OFF

enum { factors_offset = 8, factor_bytes = sizeof(loci_code_factors), sign_offset = 20 };

typedef loci_code_scan_query scan_query;

/// Long rows that are fetched ahead: enough for a load from memory to arrive in time. Of short ones
/// those that are scanned next, together.
enum { rows_ahead = 16, bytes_ahead = 4096 };

/// Whether rows are so much longer than what most scans look at that some of their bytes are not
/// fetched.
LOCI_INLINE int is_long(size_t stride, size_t looked_at) { return stride > looked_at + 128; }

/// Where rows are longer than what most scans look at, hardware does not foresee the next one.
LOCI_INLINE void fetch_ahead(const uint8_t *row, size_t stride, size_t looked_at) {
  const uint8_t *next = row + rows_ahead * stride;
  for (size_t b = 0; b < looked_at; b += 64) __builtin_prefetch(next + b);
}

LOCI_INLINE float estimate_of(loci_code_factors factors, int32_t ones, int bits,
                              const scan_query *query) {
  const int32_t product = 2 * ones - ((1 << bits) - 1) * query->sum;
  return factors.addend + query->addend + factors.rescale * (query->step * (float)product);
}

LOCI_INLINE loci_code_factors factors_at(const uint8_t *from) {
  loci_code_factors factors;
  memcpy(&factors, from, sizeof factors);
  return factors;
}

/// Writes a candidate if it may lie at or below the threshold; 1 if so.
LOCI_INLINE size_t offer(const uint8_t *row, loci_code_factors factors, float estimate,
                         float spread, float threshold, loci_code_candidate *to) {
  const float error = factors.error * spread;
  float lower = estimate - error, upper = estimate + error;
  if (!(fabsf(lower) < INFINITY) || !(fabsf(upper) < INFINITY)) {
    lower = -INFINITY;
    upper = INFINITY;
  } else if (lower > threshold) {
    return 0;
  }
  memcpy(&to->cell, row, 4);
  memcpy(&to->tag, row + 4, 4);
  to->estimate = estimate;
  to->lower = lower;
  to->upper = upper;
  return 1;
}

/// Whether the sign plane's bound rules a row out; what is not finite is not ruled out.
LOCI_INLINE int is_out(loci_code_factors factors, int32_t ones, const scan_query *query) {
  const float estimate = estimate_of(factors, ones, 1, query);
  const float error = factors.error * query->sign_spread;
  return fabsf(estimate) < INFINITY && error < INFINITY && estimate - error > query->threshold;
}

// Portable: the eight planes of the query's two's complement, the first one negative.

LOCI_INLINE int32_t ones_scalar(const uint8_t *plane, const scan_query *query) {
  int32_t sum = 0;
  for (int j = 0; j < 8; ++j) {
    const uint64_t *other = query->planes + (size_t)j * query->words;
    int32_t bits = 0;
    for (size_t k = 0; k < query->words; ++k) {
      bits += __builtin_popcountll(loci_word(plane + 8 * k) & other[k]);
    }
    sum += j == 0 ? -128 * bits : bits << (7 - j);
  }
  return sum;
}

static size_t scan_scalar(const uint8_t *rows, size_t stride, size_t count,
                          const scan_query *query, loci_code_candidate *found) {
  const int bits = query->bits;
  const size_t plane = query->words * 8;
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *row = rows + i * stride;
    int32_t ones = ones_scalar(row + sign_offset, query);
    loci_code_factors factors = factors_at(row + factors_offset);
    if (bits > 1) {
      if (is_out(factors, ones, query)) continue;
      const uint8_t *rest = row + sign_offset + plane;
      factors = factors_at(rest);
      rest += factor_bytes;
      for (int p = 1; p < bits; ++p, rest += plane) ones = 2 * ones + ones_scalar(rest, query);
    }
    kept += offer(row, factors, estimate_of(factors, ones, bits, query), query->spread,
                  query->threshold, found + kept);
  }
  return kept;
}

#if LOCI_X86
/// Bits become bytes of ones by a shuffle and a comparison; they select the query's bytes.
LOCI_AVX2 LOCI_INLINE int32_t ones_avx2(const uint8_t *plane, const scan_query *query) {
  const __m256i places = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  const __m256i byte = _mm256_set1_epi8(1), pair = _mm256_set1_epi16(1);
  __m256i sum = _mm256_setzero_si256();
  for (size_t k = 0; k < 2 * query->words; ++k) {
    int32_t half;
    memcpy(&half, plane + 4 * k, sizeof half);
    const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(half), places);
    const __m256i chosen = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    const __m256i values = _mm256_loadu_si256((const __m256i *)(query->values + 32 * k));
    const __m256i pairs = _mm256_maddubs_epi16(byte, _mm256_and_si256(values, chosen));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, pair));
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

LOCI_AVX2 static size_t scan_avx2(const uint8_t *rows, size_t stride, size_t count,
                                  const scan_query *query, loci_code_candidate *found) {
  const int bits = query->bits;
  const size_t plane = query->words * 8;
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *row = rows + i * stride;
    int32_t ones = ones_avx2(row + sign_offset, query);
    loci_code_factors factors = factors_at(row + factors_offset);
    if (bits > 1) {
      if (is_out(factors, ones, query)) continue;
      const uint8_t *rest = row + sign_offset + plane;
      factors = factors_at(rest);
      rest += factor_bytes;
      for (int p = 1; p < bits; ++p, rest += plane) ones = 2 * ones + ones_avx2(rest, query);
    }
    kept += offer(row, factors, estimate_of(factors, ones, bits, query), query->spread,
                  query->threshold, found + kept);
  }
  return kept;
}

/// Adds the query's values that the plane chooses, four neighbours to a lane.
LOCI_AVX512 LOCI_INLINE __m512i add_plane(__m512i sum, const uint8_t *plane, const int8_t *values,
                                          size_t words) {
  const __m512i one = _mm512_set1_epi8(1);
  __m512i other = _mm512_setzero_si512();
  size_t k = 0;
  for (; k + 2 <= words; k += 2) {
    const __m512i a = _mm512_maskz_loadu_epi8(loci_word(plane + 8 * k), values + 64 * k);
    const __m512i b =
        _mm512_maskz_loadu_epi8(loci_word(plane + 8 * k + 8), values + 64 * k + 64);
    sum = _mm512_dpbusd_epi32(sum, one, a);
    other = _mm512_dpbusd_epi32(other, one, b);
  }
  if (k < words) {
    const __m512i a = _mm512_maskz_loadu_epi8(loci_word(plane + 8 * k), values + 64 * k);
    sum = _mm512_dpbusd_epi32(sum, one, a);
  }
  return _mm512_add_epi32(sum, other);
}

/// Which of sixteen rows, of those in `lanes`, their sign planes do not rule out: as `is_out` has
/// it, or of one bit `offer`.
LOCI_AVX512 LOCI_INLINE __mmask16 find_avx512(const uint8_t *rows, size_t stride, __mmask16 lanes,
                                              __m512i ones, const scan_query *query) {
  const __m512i places = _mm512_mullo_epi32(
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
      _mm512_set1_epi32((int)stride));
  const __m512 none = _mm512_setzero_ps(), infinity = _mm512_set1_ps(INFINITY);
  const uint8_t *from = rows + factors_offset;
  const __m512 addend = _mm512_mask_i32gather_ps(none, lanes, places, from, 1);
  const __m512 rescale = _mm512_mask_i32gather_ps(none, lanes, places, from + 4, 1);
  const __m512 factor = _mm512_mask_i32gather_ps(none, lanes, places, from + 8, 1);
  const __m512 product = _mm512_cvtepi32_ps(
      _mm512_sub_epi32(_mm512_slli_epi32(ones, 1), _mm512_set1_epi32(query->sum)));
  const __m512 estimate =
      _mm512_add_ps(_mm512_add_ps(addend, _mm512_set1_ps(query->addend)),
                    _mm512_mul_ps(rescale, _mm512_mul_ps(_mm512_set1_ps(query->step), product)));
  const int is_whole = query->bits == 1;
  const __m512 error =
      _mm512_mul_ps(factor, _mm512_set1_ps(is_whole ? query->spread : query->sign_spread));
  const __m512 lower = _mm512_sub_ps(estimate, error);
  const __m512 low = is_whole ? lower : estimate;
  const __m512 high = is_whole ? _mm512_add_ps(estimate, error) : error;
  const __mmask16 is_finite =
      _mm512_cmp_ps_mask(_mm512_abs_ps(low), infinity, _CMP_LT_OQ) &
      _mm512_cmp_ps_mask(is_whole ? _mm512_abs_ps(high) : high, infinity, _CMP_LT_OQ);
  const __mmask16 is_above =
      _mm512_cmp_ps_mask(lower, _mm512_set1_ps(query->threshold), _CMP_GT_OQ);
  return lanes & (__mmask16)~(is_finite & is_above);
}

/// Sixteen rows at a time, as most are ruled out.
LOCI_AVX512 static size_t scan_avx512(const uint8_t *rows, size_t stride, size_t count,
                                      const scan_query *query, loci_code_candidate *found) {
  const int bits = query->bits;
  const size_t words = query->words, looked_at = sign_offset + words * 8;
  const int fetches = is_long(stride, looked_at);
  size_t kept = 0;
  for (size_t start = 0; start < count; start += 16) {
    const uint8_t *first = rows + start * stride;
    const size_t block = count - start < 16 ? count - start : 16;
    __m512i sums[16];
    for (size_t i = 0; i < block; ++i) {
      const uint8_t *row = first + i * stride;
      if (fetches && start + i + rows_ahead < count) fetch_ahead(row, stride, looked_at);
      sums[i] = add_plane(_mm512_setzero_si512(), row + sign_offset, query->values, words);
    }
    for (size_t i = block; i < 16; ++i) sums[i] = _mm512_setzero_si512();
    const __m512i signs = loci_sums_of_sixteen(sums);
    int32_t ones[16];
    _mm512_storeu_si512(ones, signs);
    uint32_t left = find_avx512(first, stride, (__mmask16)((1u << block) - 1), signs, query);
    for (; left; left &= left - 1) {
      const int i = __builtin_ctz(left);
      const uint8_t *row = first + (size_t)i * stride;
      loci_code_factors factors = factors_at(row + factors_offset);
      if (bits > 1) {
        const uint8_t *rest = row + looked_at;
        factors = factors_at(rest);
        rest += factor_bytes;
        __m512i sum = sums[i];
        for (int p = 1; p < bits; ++p, rest += words * 8) {
          sum = add_plane(_mm512_slli_epi32(sum, 1), rest, query->values, words);
        }
        ones[i] = _mm512_reduce_add_epi32(sum);
      }
      kept += offer(row, factors, estimate_of(factors, ones[i], bits, query), query->spread,
                    query->threshold, found + kept);
    }
  }
  return kept;
}
#endif

void loci_code_fetch(const uint8_t *rows, size_t stride, size_t count, size_t looked_at) {
  if (!is_long(stride, looked_at)) {
    const size_t bytes = count * stride < bytes_ahead ? count * stride : bytes_ahead;
    for (size_t b = 0; b < bytes; b += 64) __builtin_prefetch(rows + b);
    return;
  }
  for (size_t i = 0; i < count && i < rows_ahead; ++i) {
    for (size_t b = 0; b < looked_at; b += 64) __builtin_prefetch(rows + i * stride + b);
  }
}

void loci_candidate_fetch(const loci_code_candidate *found, size_t count, const uint8_t *table,
                          size_t stride, size_t rows) {
  for (size_t i = 0; i < count; ++i) {
    if (found[i].cell >= rows) continue;
    const uint8_t *row = table + found[i].cell * stride;
    __builtin_prefetch(row);
    __builtin_prefetch(row + stride - 1);
  }
}

void loci_fetch(const uint8_t *bytes, size_t count) {
  for (size_t b = 0; b < count; b += 64) __builtin_prefetch(bytes + b);
}

size_t loci_code_scan(int level, const uint8_t *rows, size_t stride, size_t count,
                      const loci_code_scan_query *query, loci_code_candidate *found) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      return scan_avx512(rows, stride, count, query, found);
    case LOCI_LEVEL_AVX2:
      return scan_avx2(rows, stride, count, query, found);
#endif
    default:
      return scan_scalar(rows, stride, count, query, found);
  }
}
