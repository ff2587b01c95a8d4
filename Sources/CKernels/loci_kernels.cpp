// One body, compiled once per instruction set by foreach_target.h; HWY_DYNAMIC_DISPATCH picks one.
#include "loci_kernels.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "loci_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace loci {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatLanes = hn::ScalableTag<float>;
using FloatVector = hn::Vec<FloatLanes>;

HWY_INLINE float LoadFloat(const float *from) {
  float value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

struct SquaredDistance {
  static HWY_INLINE FloatVector Accumulate(FloatVector query, FloatVector row, FloatVector sum) {
    const auto difference = hn::Sub(query, row);
    return hn::MulAdd(difference, difference, sum);
  }
  static HWY_INLINE float Term(float query, float row) {
    const float difference = query - row;
    return difference * difference;
  }
};

struct InnerProduct {
  static HWY_INLINE FloatVector Accumulate(FloatVector query, FloatVector row, FloatVector sum) {
    return hn::MulAdd(query, row, sum);
  }
  static HWY_INLINE float Term(float query, float row) { return query * row; }
};

/// Dimensions below one vector's lanes.
template <class Kernel>
HWY_INLINE float ScoreShort(const float *query, const float *row, size_t dimension) {
  float sum = 0.0f;
  for (size_t i = 0; i < dimension; ++i) {
    sum += Kernel::Term(LoadFloat(query + i), LoadFloat(row + i));
  }
  return sum;
}

/// One row in two sums of alternating vectors. What is left at the end is read again from
/// `dimension - lanes` on, with the lanes that were counted already set to zero.
template <class Kernel>
HWY_INLINE float ScoreOne(const float *query, const float *row, size_t dimension) {
  const FloatLanes lanes;
  const size_t width = hn::Lanes(lanes);
  if (dimension < width) return ScoreShort<Kernel>(query, row, dimension);
  auto even = hn::Zero(lanes), odd = hn::Zero(lanes);
  size_t i = 0;
  for (; i + 2 * width <= dimension; i += 2 * width) {
    even = Kernel::Accumulate(hn::LoadU(lanes, query + i), hn::LoadU(lanes, row + i), even);
    odd = Kernel::Accumulate(hn::LoadU(lanes, query + i + width),
                             hn::LoadU(lanes, row + i + width), odd);
  }
  if (i + width <= dimension) {
    even = Kernel::Accumulate(hn::LoadU(lanes, query + i), hn::LoadU(lanes, row + i), even);
    i += width;
  }
  if (i < dimension) {
    const auto counted = hn::FirstN(lanes, width - (dimension - i));
    const size_t last = dimension - width;
    odd = Kernel::Accumulate(hn::IfThenZeroElse(counted, hn::LoadU(lanes, query + last)),
                             hn::IfThenZeroElse(counted, hn::LoadU(lanes, row + last)), odd);
  }
  return hn::GetLane(hn::SumOfLanes(lanes, hn::Add(even, odd)));
}

/// Four rows in one pass over the query, each summed exactly as `ScoreOne` sums it.
template <class Kernel>
HWY_INLINE void ScoreFour(const float *query, const float *row0, size_t stride, size_t dimension,
                          float *scores) {
  const FloatLanes lanes;
  const size_t width = hn::Lanes(lanes);
  const float *row1 = row0 + stride, *row2 = row1 + stride, *row3 = row2 + stride;
  auto even0 = hn::Zero(lanes), even1 = even0, even2 = even0, even3 = even0;
  auto odd0 = even0, odd1 = even0, odd2 = even0, odd3 = even0;
  size_t i = 0;
  for (; i + 2 * width <= dimension; i += 2 * width) {
    const auto query_even = hn::LoadU(lanes, query + i);
    const auto query_odd = hn::LoadU(lanes, query + i + width);
    even0 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row0 + i), even0);
    even1 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row1 + i), even1);
    even2 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row2 + i), even2);
    even3 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row3 + i), even3);
    odd0 = Kernel::Accumulate(query_odd, hn::LoadU(lanes, row0 + i + width), odd0);
    odd1 = Kernel::Accumulate(query_odd, hn::LoadU(lanes, row1 + i + width), odd1);
    odd2 = Kernel::Accumulate(query_odd, hn::LoadU(lanes, row2 + i + width), odd2);
    odd3 = Kernel::Accumulate(query_odd, hn::LoadU(lanes, row3 + i + width), odd3);
  }
  if (i + width <= dimension) {
    const auto query_even = hn::LoadU(lanes, query + i);
    even0 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row0 + i), even0);
    even1 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row1 + i), even1);
    even2 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row2 + i), even2);
    even3 = Kernel::Accumulate(query_even, hn::LoadU(lanes, row3 + i), even3);
    i += width;
  }
  if (i < dimension) {
    const auto counted = hn::FirstN(lanes, width - (dimension - i));
    const size_t last = dimension - width;
    const auto rest = hn::IfThenZeroElse(counted, hn::LoadU(lanes, query + last));
    const auto load = [&](const float *row) HWY_ATTR {
      return hn::IfThenZeroElse(counted, hn::LoadU(lanes, row + last));
    };
    odd0 = Kernel::Accumulate(rest, load(row0), odd0);
    odd1 = Kernel::Accumulate(rest, load(row1), odd1);
    odd2 = Kernel::Accumulate(rest, load(row2), odd2);
    odd3 = Kernel::Accumulate(rest, load(row3), odd3);
  }
  scores[0] = hn::GetLane(hn::SumOfLanes(lanes, hn::Add(even0, odd0)));
  scores[1] = hn::GetLane(hn::SumOfLanes(lanes, hn::Add(even1, odd1)));
  scores[2] = hn::GetLane(hn::SumOfLanes(lanes, hn::Add(even2, odd2)));
  scores[3] = hn::GetLane(hn::SumOfLanes(lanes, hn::Add(even3, odd3)));
}

template <class Kernel>
HWY_INLINE void ScoreRows(const float *query, const float *rows, size_t stride, size_t count,
                          size_t dimension, float *scores) {
  size_t row = 0;
  if (dimension >= hn::Lanes(FloatLanes())) {
    for (; row + 4 <= count; row += 4) {
      ScoreFour<Kernel>(query, rows + row * stride, stride, dimension, scores + row);
    }
  }
  for (; row < count; ++row) {
    scores[row] = ScoreOne<Kernel>(query, rows + row * stride, dimension);
  }
}

void ScoreSquaredDistance(const float *query, const float *rows, size_t stride, size_t count,
                          size_t dimension, float *scores) {
  ScoreRows<SquaredDistance>(query, rows, stride, count, dimension, scores);
}

void ScoreInnerProduct(const float *query, const float *rows, size_t stride, size_t count,
                       size_t dimension, float *scores) {
  ScoreRows<InnerProduct>(query, rows, stride, count, dimension, scores);
}

float Dot(const float *a, const float *b, size_t count) {
  return ScoreOne<InnerProduct>(a, b, count);
}

/// The largest magnitude, compared as bits: everything not finite lies at or above infinity.
int AllFinite(const float *values, size_t count) {
  const FloatLanes lanes;
  const hn::RebindToSigned<FloatLanes> bits;
  const size_t width = hn::Lanes(lanes);
  const int32_t infinity = 0x7F800000;
  const auto magnitude = hn::Set(bits, 0x7FFFFFFF);
  auto largest = hn::Zero(bits);
  size_t i = 0;
  for (; i + width <= count; i += width) {
    const auto value = hn::BitCast(bits, hn::LoadU(lanes, values + i));
    largest = hn::Max(largest, hn::And(value, magnitude));
  }
  if (hn::GetLane(hn::MaxOfLanes(bits, largest)) >= infinity) return 0;
  for (; i < count; ++i) {
    int32_t value;
    std::memcpy(&value, values + i, sizeof value);
    if ((value & 0x7FFFFFFF) >= infinity) return 0;
  }
  return 1;
}

void AddRow(float *accumulator, const float *row, size_t count) {
  const FloatLanes lanes;
  const size_t width = hn::Lanes(lanes);
  size_t i = 0;
  for (; i + width <= count; i += width) {
    const auto sum = hn::Add(hn::LoadU(lanes, accumulator + i), hn::LoadU(lanes, row + i));
    hn::StoreU(sum, lanes, accumulator + i);
  }
  for (; i < count; ++i) accumulator[i] += LoadFloat(row + i);
}

void Scale(float *vector, float factor, size_t count) {
  const FloatLanes lanes;
  const size_t width = hn::Lanes(lanes);
  const auto factors = hn::Set(lanes, factor);
  size_t i = 0;
  for (; i + width <= count; i += width) {
    hn::StoreU(hn::Mul(hn::LoadU(lanes, vector + i), factors), lanes, vector + i);
  }
  for (; i < count; ++i) vector[i] *= factor;
}

const char *TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace loci
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loci {
HWY_EXPORT(ScoreSquaredDistance);
HWY_EXPORT(ScoreInnerProduct);
HWY_EXPORT(Dot);
HWY_EXPORT(AllFinite);
HWY_EXPORT(AddRow);
HWY_EXPORT(Scale);
HWY_EXPORT(TargetName);

static void Score(const float *query, const float *rows, size_t stride, size_t count,
                  size_t dimension, float *scores) {
  HWY_DYNAMIC_DISPATCH(ScoreSquaredDistance)(query, rows, stride, count, dimension, scores);
}
}  // namespace loci

extern "C" {

void loci_score_l2sq_f32(const float *query, const float *rows, size_t row_stride_floats,
                         size_t rows_count, size_t dimension, float *scores) {
  loci::Score(query, rows, row_stride_floats, rows_count, dimension, scores);
}

void loci_score_dot_f32(const float *query, const float *rows, size_t row_stride_floats,
                        size_t rows_count, size_t dimension, float *scores) {
  using namespace loci;
  HWY_DYNAMIC_DISPATCH(ScoreInnerProduct)
  (query, rows, row_stride_floats, rows_count, dimension, scores);
}

size_t loci_nearest_l2sq_f32(const float *query, const float *rows, size_t rows_count,
                             size_t dimension, float *squared_distance) {
  constexpr size_t block = 256;
  float scores[block];
  float best = std::numeric_limits<float>::infinity();
  size_t nearest = rows_count;
  for (size_t start = 0; start < rows_count; start += block) {
    const size_t count = rows_count - start < block ? rows_count - start : block;
    loci::Score(query, rows + start * dimension, dimension, count, dimension, scores);
    for (size_t i = 0; i < count; ++i) {
      if (scores[i] < best) {
        best = scores[i];
        nearest = start + i;
      }
    }
  }
  *squared_distance = best;
  return nearest;
}

float loci_dot_f32(const float *a, const float *b, size_t count) {
  using namespace loci;
  return HWY_DYNAMIC_DISPATCH(Dot)(a, b, count);
}

float loci_normalize_f32(float *vector, size_t count) {
  const float square = loci_dot_f32(vector, vector, count);
  if (square >= 1e-30f && square <= 1e30f) {
    const float norm = std::sqrt(square);
    loci_scale_f32(vector, 1.0f / norm, count);
    return norm;
  }
  double precise = 0.0;
  for (size_t i = 0; i < count; ++i) precise += double(vector[i]) * double(vector[i]);
  const double norm = std::sqrt(precise);
  if (norm == 0.0 || !std::isfinite(norm)) return float(norm);
  for (size_t i = 0; i < count; ++i) vector[i] = float(double(vector[i]) / norm);
  return float(norm);
}

int loci_all_finite_f32(const float *values, size_t count) {
  using namespace loci;
  return HWY_DYNAMIC_DISPATCH(AllFinite)(values, count);
}

void loci_add_f32(float *accumulator, const float *row, size_t count) {
  using namespace loci;
  HWY_DYNAMIC_DISPATCH(AddRow)(accumulator, row, count);
}

void loci_scale_f32(float *vector, float factor, size_t count) {
  using namespace loci;
  HWY_DYNAMIC_DISPATCH(Scale)(vector, factor, count);
}

const char *loci_kernel_target(void) {
  using namespace loci;
  return HWY_DYNAMIC_DISPATCH(TargetName)();
}

}  // extern "C"
#endif  // HWY_ONCE
