// Only additions, subtractions and multiplications in a fixed order, never fused: every level gives
// the same bits.
#include "loci_codes.h"
#include "loci_integer_kernels.h"
#include "loci_levels.h"
#include "loci_vectors.h"

#pragma STDC FP_CONTRACT OFF

#define SWAP1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#define SWAP2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SWAP4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define SWAP8(x) __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)

/// Distances 1, 2, 4 and 8 of the Hadamard transform, within vectors of 16.
LOCI_INLINE void hadamard_within(float *data, size_t count) {
  const float16 sign1 = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
  const float16 sign2 = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
  const float16 sign4 = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1};
  const float16 sign8 = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
  for (size_t i = 0; i < count; i += 16) {
    float16 x = LOAD(data + i);
    x = SWAP1(x) + x * sign1;
    x = SWAP2(x) + x * sign2;
    x = SWAP4(x) + x * sign4;
    x = SWAP8(x) + x * sign8;
    STORE(data + i, x);
  }
}

/// The transform of `count` elements, a power of two from 64 on; two distances in one pass.
LOCI_INLINE void hadamard(float *data, size_t count) {
  hadamard_within(data, count);
  size_t distance = 16;
  for (; 4 * distance <= count; distance *= 4) {
    for (size_t start = 0; start < count; start += 4 * distance) {
      for (size_t i = start; i < start + distance; i += 16) {
        const float16 a = LOAD(data + i), b = LOAD(data + i + distance);
        const float16 c = LOAD(data + i + 2 * distance), d = LOAD(data + i + 3 * distance);
        const float16 e = a + b, f = a - b, g = c + d, h = c - d;
        STORE(data + i, e + g);
        STORE(data + i + distance, f + h);
        STORE(data + i + 2 * distance, e - g);
        STORE(data + i + 3 * distance, f - h);
      }
    }
  }
  if (distance < count) {
    for (size_t i = 0; i < distance; i += 16) {
      const float16 a = LOAD(data + i), b = LOAD(data + i + distance);
      STORE(data + i, a + b);
      STORE(data + i + distance, a - b);
    }
  }
}

LOCI_INLINE void rotate(const float *vector, size_t dimension, const float *factors,
                        size_t padded, float *rotated) {
  size_t part = 64;
  while (2 * part <= padded) part *= 2;
  for (size_t i = 0; i < dimension; ++i) rotated[i] = vector[i];
  for (size_t i = dimension; i < padded; ++i) rotated[i] = 0;
  for (int round = 0; round < 4; ++round, factors += padded) {
    for (size_t i = 0; i < padded; i += 16) {
      STORE(rotated + i, LOAD(rotated + i) * LOAD(factors + i));
    }
    hadamard(round % 2 == 0 ? rotated : rotated + padded - part, part);
    if (part == padded) continue;
    for (size_t i = 0; i < padded / 2; i += 16) {
      const float16 a = LOAD(rotated + i), b = LOAD(rotated + i + padded / 2);
      STORE(rotated + i, a + b);
      STORE(rotated + i + padded / 2, a - b);
    }
  }
}

static void rotate_scalar(const float *vector, size_t dimension, const float *factors,
                          size_t padded, float *rotated) {
  rotate(vector, dimension, factors, padded, rotated);
}

#if LOCI_X86
LOCI_AVX2 static void rotate_avx2(const float *vector, size_t dimension, const float *factors,
                                  size_t padded, float *rotated) {
  rotate(vector, dimension, factors, padded, rotated);
}

LOCI_AVX512 static void rotate_avx512(const float *vector, size_t dimension, const float *factors,
                                      size_t padded, float *rotated) {
  rotate(vector, dimension, factors, padded, rotated);
}
#endif

void loci_rotate(int level, const float *vector, size_t dimension, const float *factors,
                 size_t padded, float *rotated) {
  switch (level) {
#if LOCI_X86
    case LOCI_LEVEL_AVX512:
      rotate_avx512(vector, dimension, factors, padded, rotated);
      return;
    case LOCI_LEVEL_AVX2:
      rotate_avx2(vector, dimension, factors, padded, rotated);
      return;
#endif
    default:
      rotate_scalar(vector, dimension, factors, padded, rotated);
  }
}
