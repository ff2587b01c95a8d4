// XXH3-64 (https://xxhash.com), compiled from Debian's header; one symbol, no link dependency.
#ifndef LOCI_XXHASH_H
#define LOCI_XXHASH_H
#include <stddef.h>
#include <stdint.h>
/// XXH3-64 of `count` bytes at `bytes`, with `seed`. `bytes` may be NULL when `count` is 0.
uint64_t loci_xxh3_64(const void *bytes, size_t count, uint64_t seed);
#endif
