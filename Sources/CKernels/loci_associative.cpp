// One body, compiled once per instruction set by foreach_target.h; HWY_DYNAMIC_DISPATCH picks one.
#include "loci_associative.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "loci_associative.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef LOCI_ASSOCIATIVE_SCALAR
#define LOCI_ASSOCIATIVE_SCALAR
namespace loci {
constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;
constexpr uint64_t kFirstFactor = 0xBF58476D1CE4E5B9ull;
constexpr uint64_t kSecondFactor = 0x94D049BB133111EBull;

inline uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * kFirstFactor;
  z = (z ^ (z >> 27)) * kSecondFactor;
  return z ^ (z >> 31);
}

inline uint64_t LocationState(uint64_t seed, uint64_t location) {
  return Mix(Mix(seed) + (location + 1) * kGolden);
}
}  // namespace loci
#endif

HWY_BEFORE_NAMESPACE();
namespace loci {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Addresses are made and compared word by word for a block of locations at once, so that no address
/// is ever in memory. Plain loops over the block: compilers turn them into vectors for each target.
size_t ActiveLocations(uint64_t seed, uint64_t first, size_t count, const uint64_t *address,
                       size_t bits, uint32_t radius, uint64_t *active) {
  constexpr size_t block = 16;
  const size_t words = (bits + 63) / 64;
  const uint64_t last_mask = bits % 64 == 0 ? ~0ull : (1ull << (bits % 64)) - 1;
  const uint64_t start = Mix(seed);
  uint64_t states[block], distances[block];
  size_t found = 0;
  for (size_t done = 0; done < count; done += block) {
    for (size_t i = 0; i < block; ++i) {
      states[i] = Mix(start + (first + done + i + 1) * kGolden);
      distances[i] = 0;
    }
    for (size_t word = 0; word < words; ++word) {
      const uint64_t mask = word + 1 == words ? last_mask : ~0ull;
      const uint64_t wanted = address[word];
      for (size_t i = 0; i < block; ++i) {
        uint64_t z = states[i] += kGolden;
        z = (z ^ (z >> 30)) * kFirstFactor;
        z = (z ^ (z >> 27)) * kSecondFactor;
        z ^= z >> 31;
        distances[i] += uint64_t(__builtin_popcountll((z ^ wanted) & mask));
      }
    }
    // Beyond the last location the block is computed and left out.
    const size_t here = std::min(block, count - done);
    for (size_t i = 0; i < here; ++i) {
      if (distances[i] <= radius) active[found++] = first + done + i;
    }
  }
  return found;
}

using FloatLanes = hn::ScalableTag<float>;

void AddScaled(const float *row, float factor, size_t dimension, float *sum) {
  const FloatLanes lanes;
  const size_t width = hn::Lanes(lanes);
  const auto factors = hn::Set(lanes, factor);
  size_t i = 0;
  for (; i + width <= dimension; i += width) {
    const auto value = hn::MulAdd(hn::LoadU(lanes, row + i), factors, hn::LoadU(lanes, sum + i));
    hn::StoreU(value, lanes, sum + i);
  }
  for (; i < dimension; ++i) {
    float value;
    std::memcpy(&value, row + i, sizeof value);
    sum[i] += value * factor;
  }
}

/// In strips of columns, so that the sums of a strip stay in the first cache.
void AddWeighted(const float *rows, size_t stride, size_t count, size_t dimension,
                 const float *weights, double *accumulator) {
  constexpr size_t strip = 1024, block = 64;
  float sums[strip];
  for (size_t column = 0; column < dimension; column += strip) {
    const size_t columns = std::min(strip, dimension - column);
    for (size_t start = 0; start < count; start += block) {
      const size_t end = std::min(count, start + block);
      bool any = false;
      for (size_t row = start; row < end; ++row) any |= weights[row] != 0.0f;
      if (!any) continue;
      std::memset(sums, 0, columns * sizeof(float));
      for (size_t row = start; row < end; ++row) {
        if (weights[row] == 0.0f) continue;
        AddScaled(rows + row * stride + column, weights[row], columns, sums);
      }
      for (size_t i = 0; i < columns; ++i) accumulator[column + i] += double(sums[i]);
    }
  }
}

void CountersWrite(const uint64_t *pattern, size_t bits, int8_t *counters) {
  for (size_t i = 0; i < bits; ++i) {
    const int step = (pattern[i / 64] >> (i % 64)) & 1 ? 1 : -1;
    const int value = counters[i] + step;
    counters[i] = int8_t(value > 127 ? 127 : value < -127 ? -127 : value);
  }
}

void CountersSum(const int8_t *counters, size_t bits, int32_t *sums) {
  for (size_t i = 0; i < bits; ++i) sums[i] += counters[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace loci
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loci {
HWY_EXPORT(ActiveLocations);
HWY_EXPORT(AddWeighted);
HWY_EXPORT(CountersWrite);
HWY_EXPORT(CountersSum);
}  // namespace loci

extern "C" {

void loci_add_weighted_f32(const float *rows, size_t row_stride_floats, size_t rows_count,
                           size_t dimension, const float *weights, double *accumulator) {
  using namespace loci;
  HWY_DYNAMIC_DISPATCH(AddWeighted)
  (rows, row_stride_floats, rows_count, dimension, weights, accumulator);
}

uint64_t loci_location_word(uint64_t seed, uint64_t location, uint64_t word) {
  return loci::Mix(loci::LocationState(seed, location) + (word + 1) * loci::kGolden);
}

size_t loci_active_locations(uint64_t seed, uint64_t first, size_t count, const uint64_t *address,
                             size_t bits, uint32_t radius, uint64_t *active) {
  using namespace loci;
  return HWY_DYNAMIC_DISPATCH(ActiveLocations)(seed, first, count, address, bits, radius, active);
}

void loci_counters_write(const uint64_t *pattern, size_t bits, int8_t *counters) {
  using namespace loci;
  HWY_DYNAMIC_DISPATCH(CountersWrite)(pattern, bits, counters);
}

void loci_counters_sum(const int8_t *counters, size_t bits, int32_t *sums) {
  using namespace loci;
  HWY_DYNAMIC_DISPATCH(CountersSum)(counters, bits, sums);
}

}  // extern "C"
#endif  // HWY_ONCE
