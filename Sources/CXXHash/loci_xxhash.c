#define XXH_INLINE_ALL
#include <xxhash.h>

#include "loci_xxhash.h"

uint64_t loci_xxh3_64(const void *bytes, size_t count, uint64_t seed) {
    return XXH3_64bits_withSeed(count ? bytes : "", count, seed);
}
