// Two bits a component beside the 8-bit codes: a quarter of their bytes, which says of nearly all vectors that they
// cannot be among the best.
//
// A vector x is turned by a fixed random rotation. Of each component the sketch keeps b in {-3, -1, 1, 3}, and of the
// vector `factor` = |x|^2 / <b, x>. Then factor * <b, q> estimates <x, q> for a query q that was turned too: what is
// left of b beside x points in a direction that the rotation made random, so the error has a standard deviation of at most
// `error` * sqrt(1 - <x, q>^2) for unit vectors, and falls off as a normal distribution does (RaBitQ, Gao and Long 2024,
// whose argument holds for any b that depends on the turned vector alone).
//
// Sixteen vectors make a block: for each sixteen components (a column) one 32-bit word a vector, side by side. Byte t of
// a word has in bits 2s and 2s + 1 the code (b + 3) / 2 of component 4s + t.
#pragma once

#include <vector>

#include "simd.h"

namespace lectern {

constexpr size_t kBlock = 16;
/** Standard deviations that an estimate is allowed to be off: exceeded once in a thousand million. */
constexpr float kErrorDeviations = 6;

/** Components of a turned vector: whole columns. */
constexpr size_t columnsOf(size_t dimensions) { return (dimensions + 15) / 16; }

/** Turns vectors of up to `dimensions` components; the same on every machine and at every start. */
class Rotation {
 public:
  explicit Rotation(size_t dimensions);
  /** Of `columns * 16` components, zeros behind the last one. */
  void turn(float* vector) const;
  size_t size() const { return size_; }

 private:
  size_t size_;
  size_t power_;
  std::vector<float> signs_;
};

/** The rotation of so many dimensions, kept for the thread. */
const Rotation& rotationOf(size_t dimensions);

struct Sketches {
  uint32_t* words;
  /** A slot's. */
  float* factors;
  /** A block's: the largest of its slots. */
  float* errors;
};

/** Writes the sketch of a slot from its code. */
void sketch(const Sketches& sketches, size_t slot, const int8_t* code, float scale, size_t dimensions);

/** A turned query in 8-bit steps. */
class SketchQuery {
 public:
  SketchQuery(const float* unit, size_t dimensions);

  size_t columns;
  std::vector<int8_t> values;
  /** <b, q> is at most slope * (sum of codes times values) + intercept: what the steps may have taken is in it. */
  float slope;
  float intercept;
};

/** Estimates for the sixteen slots of a block; answers the largest. */
using EstimateBlock = float (*)(const uint32_t* words, const float* factors, const SketchQuery& query,
                                float* estimates);

EstimateBlock estimateBlock(Simd level);

}  // namespace lectern
