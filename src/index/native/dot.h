// Dot products of one query of 16-bit steps with rows of 8-bit components.
#pragma once

#include <vector>

#include "simd.h"

namespace lectern {

/** Larger steps of a query would not fit two halves of eight bits. */
constexpr int kMostSteps = 8191;

/** Rows of `stride` bytes. Component i of row r is `codes[r * stride + i] * scales[r]`. */
struct Rows {
  const int8_t* codes;
  const float* scales;
  size_t stride;
};

/** A query of `stride` values, and the same cut in two: value = high * 128 + low. */
class ScanQuery {
 public:
  ScanQuery(const int16_t* values, size_t stride, float step);

  const int16_t* values;
  size_t stride;
  float step;
  std::vector<int8_t> high;
  std::vector<int8_t> low;
  /** 128 times the sum of the values: what it costs to take signed components for unsigned ones. */
  uint32_t offset;
};

/** out[i] = dot(rows[slots[i]], query) * scale * step; without slots of rows first, first + 1 … */
using DotRows = void (*)(const Rows& rows, const int32_t* slots, size_t first, size_t count, const ScanQuery& query,
                         float* out);

DotRows dotRows(Simd level);

}  // namespace lectern
