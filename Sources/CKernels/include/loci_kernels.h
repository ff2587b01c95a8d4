// Vector kernels over Highway (https://github.com/google/highway), compiled for every instruction
// set it knows and chosen at run time. Pointers to floats need not be aligned. Sums are taken in
// lanes, so results differ from a sequential sum in the last bits and between instruction sets;
// on one machine a row's score does not depend on the rows around it.
#ifndef LOCI_KERNELS_H
#define LOCI_KERNELS_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

/// Squared Euclidean distance of each of `rows_count` rows to `query`, into `scores`. Row i starts
/// at `rows + i * row_stride_floats`; `row_stride_floats >= dimension`.
void loci_score_l2sq_f32(const float *query, const float *rows, size_t row_stride_floats,
                         size_t rows_count, size_t dimension, float *scores);

/// Inner product of each row with `query`, into `scores`.
void loci_score_dot_f32(const float *query, const float *rows, size_t row_stride_floats,
                        size_t rows_count, size_t dimension, float *scores);

/// Number of the row with the smallest squared Euclidean distance, the first of equals; rows are
/// contiguous. The distance goes to `squared_distance`. A NaN is never nearest. Returns
/// `rows_count` when no row has a distance below infinity.
size_t loci_nearest_l2sq_f32(const float *query, const float *rows, size_t rows_count,
                             size_t dimension, float *squared_distance);

float loci_dot_f32(const float *a, const float *b, size_t count);

/// Divides by the Euclidean norm and returns it. A vector whose norm is 0 or not finite stays as
/// it is. Norms whose square overflows or vanishes in float32 are computed in double precision.
float loci_normalize_f32(float *vector, size_t count);

/// 1 when no element is NaN or infinite, else 0.
int loci_all_finite_f32(const float *values, size_t count);

/// accumulator[i] += row[i].
void loci_add_f32(float *accumulator, const float *row, size_t count);

/// vector[i] *= factor.
void loci_scale_f32(float *vector, float factor, size_t count);

/// Name of the instruction set in use, such as "AVX3"; never NULL.
const char *loci_kernel_target(void);

#ifdef __cplusplus
}
#endif
#endif
