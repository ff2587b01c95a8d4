// Rotation of vectors, and codes of rotated residuals: one bipolar integer of 1 to 8 bits for each
// coordinate, with what an unbiased estimate of a distance and its error bound need (RaBitQ, Gao
// and Long, SIGMOD 2024; several bits: SIGMOD 2025). Levels are those of loci_integer_kernels.h;
// all of them give the same bits. `padded` is a multiple of 64.
#ifndef LOCI_CODES_H
#define LOCI_CODES_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// Four rounds of: multiply by the round's `padded` factors, Hadamard-transform the first (even
/// rounds) or the last (odd rounds) 2^k elements, 2^k <= padded; then, unless padded is 2^k, add
/// and subtract the halves. The factors carry random signs and the scale that makes a round
/// orthogonal. `rotated` gets `padded` floats; the input is padded with zeros.
void loci_rotate(int level, const float *vector, size_t dimension, const float *factors,
                 size_t padded, float *rotated);

/// What one row stores for an estimate: addend + rescale * <code, query>, +- error * distance.
typedef struct {
  float addend, rescale, error;
} loci_code_factors;

/// Writes the planes of vector - centroid, most significant first, and the factors of the sign
/// plane (`factors[0]`) and of the whole code (`factors[1]`; equal for one bit). An element's code
/// is the bipolar integer nearest to it at a step of `|residual| / (fineness * sqrt(padded))`, from
/// three bits on at the best of nine steps around that.
/// `is_dot`: the estimate is of minus the inner product, else of the squared distance.
void loci_code_encode(int level, const float *vector, const float *centroid, size_t padded,
                      int bits, float fineness, int is_dot, uint8_t *planes,
                      loci_code_factors *factors);

/// Quantises a rotated query: values[k] = nearest(query[k] / step), step = max |query| / 127; the
/// eight planes of the values' two's complement, most significant first, `padded / 64` words each;
/// their sum; and the Euclidean norm of the rounding errors.
void loci_code_query(int level, const float *query, size_t padded, int8_t *values,
                     uint64_t *planes, int32_t *sum, float *step, float *error);

/// A quantised query and what holds for all rows of one scan.
typedef struct {
  const int8_t *values;
  const uint64_t *planes;
  size_t words;
  int32_t sum;
  int bits;
  float step;
  /// The part of the estimates that only the centroid and the query decide.
  float addend;
  /// Factors of the rows' errors, for the sign plane and for the whole code.
  float sign_spread, spread;
  /// Rows whose lower bound is above it are left out.
  float threshold;
} loci_code_scan_query;

typedef struct {
  uint32_t cell, tag;
  float estimate, lower, upper;
} loci_code_candidate;

/// Appends the rows that may lie at or below the threshold to `found`, which has room for `count`,
/// and returns how many. A row is: cell, tag, factors of the sign plane, the sign plane; if bits > 1,
/// factors of the whole code, the other planes. With several bits the sign plane decides first, then
/// the whole code. A row whose estimate is not finite is always found, with bounds of -infinity and
/// infinity.
size_t loci_code_scan(int level, const uint8_t *rows, size_t stride, size_t count,
                      const loci_code_scan_query *query, loci_code_candidate *found);

/// Brings rows of a page that will be scanned next towards the processor: the first 4 KiB of them
/// or, where rows are longer, `looked_at` bytes of as many as a scan fetches ahead.
void loci_code_fetch(const uint8_t *rows, size_t stride, size_t count, size_t looked_at);

/// Brings the row of each candidate's cell, in a table of `rows` rows of `stride` bytes, towards
/// the processor. Cells beyond the table are left out.
void loci_candidate_fetch(const loci_code_candidate *found, size_t count, const uint8_t *table,
                          size_t stride, size_t rows);

/// Brings the first bytes of something that will be read soon towards the processor.
void loci_fetch(const uint8_t *bytes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
