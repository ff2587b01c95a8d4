// Exact integer kernels. Every instruction level gives the same integers; `level` is one of
// LOCI_LEVEL_*, at most what loci_level_best() returns.
#ifndef LOCI_INTEGER_KERNELS_H
#define LOCI_INTEGER_KERNELS_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum {
  /// Portable C.
  LOCI_LEVEL_SCALAR = 0,
  LOCI_LEVEL_AVX2 = 1,
  /// AVX-512 with BW, DQ, VL, VNNI and VPOPCNTDQ.
  LOCI_LEVEL_AVX512 = 2,
};

/// The highest level that this machine has.
int loci_level_best(void);

/// products[i] = sum of query[k] * row_i[k]. Row i starts at `rows + i * stride`;
/// `stride >= dimension`, `dimension <= 65536`.
void loci_dot_i8(int level, const int8_t *query, const int8_t *rows, size_t stride, size_t count,
                 size_t dimension, int32_t *products);

/// Bipolar-integer product (arXiv 2409.17870) of `count` rows of `row_bits` planes with one vector
/// of `vector_bits` planes, 1 to 8 each. A value is the sum of (2 b_i - 1) 2^i over its planes; a
/// plane is `words` 64-bit words, element k in bit k % 64 of word k / 64, the bits beyond `length`
/// zero; planes follow each other, the most significant first. Row i starts at
/// `rows + i * stride_bytes`, any alignment. products[i] is exact for words <= 2^20.
void loci_bipolar_product(int level, const uint8_t *rows, size_t stride_bytes, size_t count,
                          int row_bits, const uint64_t *vector, int vector_bits, size_t words,
                          size_t length, int64_t *products);

#ifdef __cplusplus
}
#endif
#endif
