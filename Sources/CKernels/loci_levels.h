// What the integer kernels share: how a function is compiled for a level, and sums of lanes.
#ifndef LOCI_LEVELS_H
#define LOCI_LEVELS_H
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define LOCI_X86 1
#define LOCI_AVX2 __attribute__((target("avx2,popcnt,bmi,bmi2")))
#define LOCI_AVX512                                                                              \
  __attribute__((target("avx2,popcnt,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,"    \
                        "avx512vpopcntdq")))
#else
#define LOCI_X86 0
#endif

#define LOCI_INLINE static inline __attribute__((always_inline))

LOCI_INLINE uint64_t loci_word(const void *from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

#if LOCI_X86
/// Lane i of the result is the sum of all lanes of `rows[i]`.
LOCI_AVX512 LOCI_INLINE __m512i loci_sums_of_sixteen(const __m512i *rows) {
  __m512i pairs[8], fours[4], eights[2];
  for (int i = 0; i < 8; ++i) {
    pairs[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]),
                                _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]));
  }
  for (int i = 0; i < 4; ++i) {
    fours[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]),
                                _mm512_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
  }
  for (int i = 0; i < 2; ++i) {
    eights[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(fours[2 * i], fours[2 * i + 1], 0x88),
                                 _mm512_shuffle_i32x4(fours[2 * i], fours[2 * i + 1], 0xDD));
  }
  return _mm512_add_epi32(_mm512_shuffle_i32x4(eights[0], eights[1], 0x88),
                          _mm512_shuffle_i32x4(eights[0], eights[1], 0xDD));
}
#endif

#endif
