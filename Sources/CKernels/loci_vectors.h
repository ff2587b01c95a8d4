// Sixteen floats at a time in portable vectors, so that one body serves every level.
#ifndef LOCI_VECTORS_H
#define LOCI_VECTORS_H
#include <stdint.h>

typedef float float16 __attribute__((vector_size(64)));
typedef int32_t int16lanes __attribute__((vector_size(64)));
typedef uint8_t byte16 __attribute__((vector_size(16)));
typedef struct {
  float16 lanes;
} __attribute__((packed, aligned(4), may_alias)) unaligned16;
typedef struct {
  byte16 lanes;
} __attribute__((packed, aligned(1), may_alias)) unaligned_bytes16;

#define LOAD(from) (((const unaligned16 *)(from))->lanes)
#define STORE(to, value) (((unaligned16 *)(to))->lanes = (value))
#define STORE_BYTES(to, value) (((unaligned_bytes16 *)(to))->lanes = (value))

#endif
