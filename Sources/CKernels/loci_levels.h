// What the integer kernels share: how a function is compiled for a level.
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

#endif
