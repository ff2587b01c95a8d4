// Vectors as int8 differences from a centre, and the search among them: codes of hard locations.
// Levels are those of loci_integer_kernels.h; all of them give the same bits.
#ifndef LOCI_DIFFERENCES_H
#define LOCI_DIFFERENCES_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// codes[k] = nearest((vector[k] - centre[k]) / scale), scale = max |vector - centre| / 127, with
/// `short_scale` rounded up to what the upper half of a float32 can say. `error` gets the Euclidean
/// norm of what rounding has changed. A scale whose inverse is not finite is 0, and so are all
/// codes.
void loci_difference_encode(int level, const float *vector, const float *centre, size_t dimension,
                            int short_scale, int8_t *codes, float *scale, float *error);

/// What holds for all rows of one scan.
typedef struct {
  const int8_t *query;
  size_t dimension;
  float base, factor, length_unit;
  /// Rows with a larger estimate are left out.
  float cut;
} loci_difference_query;

/// Of `count` contiguous rows, finds those whose estimate is not above the cut, in order: their
/// numbers go to `slots`, the estimates to `estimates`, which have room for `count`; returns how
/// many. The upper half of factors[i] is that of the row's scale, a float32; the lower half its
/// length in units. The estimate is
/// base + factor * scale * <query, row> + (length * length_unit * scale)^2.
size_t loci_difference_scan(int level, const loci_difference_query *query, const int8_t *rows,
                            const uint32_t *factors, size_t count, uint32_t *slots,
                            float *estimates);

#ifdef __cplusplus
}
#endif
#endif
