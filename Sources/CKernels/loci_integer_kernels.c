#include "loci_integer_kernels.h"

#include "loci_levels.h"

int loci_level_best(void) {
#if LOCI_X86
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") ||
      !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2")) {
    return LOCI_LEVEL_SCALAR;
  }
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq")
             ? LOCI_LEVEL_AVX512
             : LOCI_LEVEL_AVX2;
#else
  return LOCI_LEVEL_SCALAR;
#endif
}

// int8 rows

static void dot_scalar(const int8_t *query, const int8_t *rows, size_t stride, size_t count,
                       size_t dimension, int32_t *products) {
  for (size_t row = 0; row < count; ++row) {
    int32_t sum = 0;
    for (size_t k = 0; k < dimension; ++k) sum += query[k] * rows[row * stride + k];
    products[row] = sum;
  }
}

#if LOCI_X86
LOCI_AVX2 LOCI_INLINE int32_t sum_avx2(__m256i lanes) {
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

LOCI_AVX2 static void dot_avx2(const int8_t *query, const int8_t *rows, size_t stride,
                               size_t count, size_t dimension, int32_t *products) {
  for (size_t row = 0; row < count; ++row) {
    const int8_t *values = rows + row * stride;
    __m256i sum = _mm256_setzero_si256();
    size_t k = 0;
    for (; k + 16 <= dimension; k += 16) {
      const __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(query + k)));
      const __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(values + k)));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
    }
    int32_t total = sum_avx2(sum);
    for (; k < dimension; ++k) total += query[k] * values[k];
    products[row] = total;
  }
}

LOCI_AVX512 LOCI_INLINE __mmask64 first64(size_t count) {
  return count >= 64 ? ~0ull : (1ull << count) - 1;
}

/// Products with `count` rows in lanes, 1 to 4 of them.
LOCI_AVX512 LOCI_INLINE void dot_lanes_avx512(const int8_t *query, const int8_t *rows,
                                              size_t stride, int count, size_t dimension,
                                              __m512i *sums) {
  const __m512i offset = _mm512_set1_epi8((char)0x80);
  const size_t whole = dimension / 64 * 64;
  for (int i = 0; i < count; ++i) sums[i] = _mm512_setzero_si512();
  for (size_t k = 0; k < whole; k += 64) {
    const __m512i part = _mm512_loadu_si512(query + k);
    for (int i = 0; i < count; ++i) {
      const int8_t *values = rows + (size_t)i * stride + k;
      _mm_prefetch((const char *)((uintptr_t)values + 2048), _MM_HINT_T0);
      const __m512i value = _mm512_loadu_si512(values);
      sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_xor_si512(value, offset), part);
    }
  }
  if (whole == dimension) return;
  const __mmask64 rest = first64(dimension - whole);
  const __m512i part = _mm512_maskz_loadu_epi8(rest, query + whole);
  for (int i = 0; i < count; ++i) {
    const __m512i value = _mm512_maskz_loadu_epi8(rest, rows + (size_t)i * stride + whole);
    sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_xor_si512(value, offset), part);
  }
}

/// The instruction multiplies unsigned by signed bytes: rows go in with 128 added, and 128 times
/// the query's sum is taken off again.
LOCI_AVX512 static void dot_avx512(const int8_t *query, const int8_t *rows, size_t stride,
                                   size_t count, size_t dimension, int32_t *products) {
  int32_t query_sum = 0;
  for (size_t k = 0; k < dimension; ++k) query_sum += query[k];
  const __m512i excess = _mm512_set1_epi32(128 * query_sum);
  size_t row = 0;
  for (; row + 16 <= count; row += 16) {
    __m512i sums[16];
    for (size_t i = 0; i < 16; i += 4) {
      dot_lanes_avx512(query, rows + (row + i) * stride, stride, 4, dimension, sums + i);
    }
    _mm512_storeu_si512(products + row, _mm512_sub_epi32(loci_sums_of_sixteen(sums), excess));
  }
  for (; row < count; ++row) {
    __m512i sum;
    dot_lanes_avx512(query, rows + row * stride, stride, 1, dimension, &sum);
    products[row] = _mm512_reduce_add_epi32(sum) - 128 * query_sum;
  }
}
#endif

void loci_dot_i8(int level, const int8_t *query, const int8_t *rows, size_t stride, size_t count,
                 size_t dimension, int32_t *products) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      dot_avx512(query, rows, stride, count, dimension, products);
      return;
    case LOCI_LEVEL_AVX2:
      dot_avx2(query, rows, stride, count, dimension, products);
      return;
#endif
    default:
      dot_scalar(query, rows, stride, count, dimension, products);
  }
}

// Bipolar integers: K - 2 popcount(a XOR b) for every pair of planes

static void bipolar_scalar(const uint8_t *rows, size_t stride, size_t count, int row_bits,
                           const uint64_t *vector, int vector_bits, size_t words,
                           int64_t *differing) {
  for (size_t row = 0; row < count; ++row) {
    int64_t total = 0;
    for (int i = 0; i < row_bits; ++i) {
      const uint8_t *plane = rows + row * stride + (size_t)i * words * 8;
      for (int j = 0; j < vector_bits; ++j) {
        const uint64_t *other = vector + (size_t)j * words;
        int64_t bits = 0;
        for (size_t k = 0; k < words; ++k) {
          bits += __builtin_popcountll(loci_word(plane + 8 * k) ^ other[k]);
        }
        total += bits << (row_bits - 1 - i + vector_bits - 1 - j);
      }
    }
    differing[row] = total;
  }
}

#if LOCI_X86
/// Popcounts of bytes by two look-ups of four bits, summed to 64-bit lanes (Mula, 2008).
LOCI_AVX2 LOCI_INLINE __m256i popcount_avx2(__m256i bits) {
  const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                          2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i first = _mm256_shuffle_epi8(counts, _mm256_and_si256(bits, low));
  const __m256i second =
      _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(bits, 4), low));
  return _mm256_sad_epu8(_mm256_add_epi8(first, second), _mm256_setzero_si256());
}

LOCI_AVX2 static void bipolar_avx2(const uint8_t *rows, size_t stride, size_t count, int row_bits,
                                   const uint64_t *vector, int vector_bits, size_t words,
                                   int64_t *differing) {
  for (size_t row = 0; row < count; ++row) {
    int64_t total = 0;
    for (int i = 0; i < row_bits; ++i) {
      const uint8_t *plane = rows + row * stride + (size_t)i * words * 8;
      for (int j = 0; j < vector_bits; ++j) {
        const uint64_t *other = vector + (size_t)j * words;
        __m256i sum = _mm256_setzero_si256();
        size_t k = 0;
        for (; k + 4 <= words; k += 4) {
          const __m256i a = _mm256_loadu_si256((const __m256i *)(plane + 8 * k));
          const __m256i b = _mm256_loadu_si256((const __m256i *)(other + k));
          sum = _mm256_add_epi64(sum, popcount_avx2(_mm256_xor_si256(a, b)));
        }
        int64_t lanes[4];
        _mm256_storeu_si256((__m256i *)lanes, sum);
        int64_t bits = lanes[0] + lanes[1] + lanes[2] + lanes[3];
        for (; k < words; ++k) {
          bits += __builtin_popcountll(loci_word(plane + 8 * k) ^ other[k]);
        }
        total += bits << (row_bits - 1 - i + vector_bits - 1 - j);
      }
    }
    differing[row] = total;
  }
}

/// Bits in which one row differs from the vector, weighted, in eight parts. Eight vectors at once
/// for as long as they last, then single ones, the last one masked.
LOCI_AVX512 LOCI_INLINE __m512i row_avx512(const uint8_t *row, int row_bits, const uint64_t *vector,
                                           int vector_bits, size_t words) {
  const size_t blocks = words / 64 * 64;
  __m512i total = _mm512_setzero_si512();
  for (int i = 0; i < row_bits; ++i) {
    const uint8_t *plane = row + (size_t)i * words * 8;
    total = _mm512_slli_epi64(total, 1);
    size_t k = 0;
    for (; k < blocks; k += 64) {
      __m512i held[8];
      for (size_t v = 0; v < 8; ++v) {
        // A page ahead: a third more speed where a matrix is larger than the second-level cache.
        _mm_prefetch((const char *)((uintptr_t)plane + 8 * k + 64 * v + 4096), _MM_HINT_T0);
        held[v] = _mm512_loadu_si512(plane + 8 * k + 64 * v);
      }
      for (int j = 0; j < vector_bits; ++j) {
        const uint64_t *other = vector + (size_t)j * words + k;
        __m512i sum[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (int v = 0; v < 8; ++v) {
          const __m512i bits = _mm512_xor_si512(held[v], _mm512_loadu_si512(other + 8 * v));
          sum[v % 2] = _mm512_add_epi64(sum[v % 2], _mm512_popcnt_epi64(bits));
        }
        const __m128i weight = _mm_cvtsi32_si128(vector_bits - 1 - j);
        total = _mm512_add_epi64(total,
                                 _mm512_sll_epi64(_mm512_add_epi64(sum[0], sum[1]), weight));
      }
    }
    for (; k < words; k += 8) {
      const __mmask8 part = words - k >= 8 ? 0xFF : (__mmask8)((1u << (words - k)) - 1);
      const __m512i held = _mm512_maskz_loadu_epi64(part, plane + 8 * k);
      for (int j = 0; j < vector_bits; ++j) {
        const __m512i other = _mm512_maskz_loadu_epi64(part, vector + (size_t)j * words + k);
        const __m512i bits = _mm512_popcnt_epi64(_mm512_xor_si512(held, other));
        const __m128i weight = _mm_cvtsi32_si128(vector_bits - 1 - j);
        total = _mm512_add_epi64(total, _mm512_sll_epi64(bits, weight));
      }
    }
  }
  return total;
}

/// Lane i of the result is the sum of all lanes of `rows[i]`.
LOCI_AVX512 LOCI_INLINE __m512i sums_of_eight(const __m512i *rows) {
  __m512i pairs[4], fours[2];
  for (int i = 0; i < 4; ++i) {
    pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]),
                                _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]));
  }
  for (int i = 0; i < 2; ++i) {
    fours[i] = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[2 * i], pairs[2 * i + 1], 0x88),
                                _mm512_shuffle_i64x2(pairs[2 * i], pairs[2 * i + 1], 0xDD));
  }
  return _mm512_add_epi64(_mm512_shuffle_i64x2(fours[0], fours[1], 0x88),
                          _mm512_shuffle_i64x2(fours[0], fours[1], 0xDD));
}

LOCI_AVX512 static void bipolar_avx512(const uint8_t *rows, size_t stride, size_t count,
                                       int row_bits, const uint64_t *vector, int vector_bits,
                                       size_t words, int64_t *differing) {
  size_t row = 0;
  for (; row + 8 <= count; row += 8) {
    __m512i totals[8];
    for (size_t i = 0; i < 8; ++i) {
      totals[i] = row_avx512(rows + (row + i) * stride, row_bits, vector, vector_bits, words);
    }
    _mm512_storeu_si512(differing + row, sums_of_eight(totals));
  }
  for (; row < count; ++row) {
    differing[row] = _mm512_reduce_add_epi64(
        row_avx512(rows + row * stride, row_bits, vector, vector_bits, words));
  }
}
#endif

void loci_bipolar_product(int level, const uint8_t *rows, size_t stride_bytes, size_t count,
                          int row_bits, const uint64_t *vector, int vector_bits, size_t words,
                          size_t length, int64_t *products) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      bipolar_avx512(rows, stride_bytes, count, row_bits, vector, vector_bits, words, products);
      break;
    case LOCI_LEVEL_AVX2:
      bipolar_avx2(rows, stride_bytes, count, row_bits, vector, vector_bits, words, products);
      break;
#endif
    default:
      bipolar_scalar(rows, stride_bytes, count, row_bits, vector, vector_bits, words, products);
  }
  const int64_t agreeing =
      (int64_t)length * ((1 << row_bits) - 1) * ((1 << vector_bits) - 1);
  for (size_t row = 0; row < count; ++row) products[row] = agreeing - 2 * products[row];
}
