#include "sketch.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace lectern {

namespace {

constexpr int kRounds = 4;

/** Walsh-Hadamard: sums and differences of everything with everything, in place, of unit scale. */
LECTERN_INLINE void hadamard(float* x, size_t size) {
  for (size_t half = 1; half < size; half *= 2) {
    for (size_t at = 0; at < size; at += 2 * half) {
      for (size_t i = at; i < at + half; i++) {
        const float a = x[i];
        const float b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
    }
  }
  const float scale = 1 / std::sqrt(static_cast<float>(size));
  for (size_t i = 0; i < size; i++) x[i] *= scale;
}

/** SplitMix64 (Sebastiano Vigna, public domain). */
uint64_t nextRandom(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Rotation::Rotation(size_t dimensions) : size_(columnsOf(dimensions) * 16), power_(1), signs_(size_ * kRounds) {
  while (power_ * 2 <= size_) power_ *= 2;
  uint64_t state = 1;
  for (float& sign : signs_) sign = (nextRandom(state) >> 63) != 0 ? 1.0F : -1.0F;
}

/** Where the size is no power of two, the transform takes the first components and the last by turns. */
void Rotation::turn(float* vector) const {
  for (int round = 0; round < kRounds; round++) {
    const float* signs = signs_.data() + static_cast<size_t>(round) * size_;
    for (size_t i = 0; i < size_; i++) vector[i] *= signs[i];
    hadamard(vector + (round % 2 == 0 ? 0 : size_ - power_), power_);
  }
}

const Rotation& rotationOf(size_t dimensions) {
  thread_local std::unique_ptr<Rotation> kept;
  thread_local size_t keptDimensions = 0;
  if (kept == nullptr || keptDimensions != dimensions) {
    kept = std::make_unique<Rotation>(dimensions);
    keptDimensions = dimensions;
  }
  return *kept;
}

void sketch(const Sketches& sketches, size_t slot, const int8_t* code, float scale, size_t dimensions) {
  thread_local std::vector<float> turned;
  const Rotation& rotation = rotationOf(dimensions);
  const size_t size = rotation.size();
  turned.assign(size, 0.0F);
  float squares = 0;
  for (size_t i = 0; i < dimensions; i++) {
    turned[i] = static_cast<float>(code[i]) * scale;
    squares += turned[i] * turned[i];
  }
  rotation.turn(turned.data());
  const float length = std::sqrt(squares);
  // The best step for normally distributed components, as those of a turned vector are.
  const float bound = length / std::sqrt(static_cast<float>(size));
  float along = 0;
  float codeSquares = 0;
  uint32_t* words = sketches.words + slot / kBlock * (size / 16) * kBlock + slot % kBlock;
  for (size_t column = 0; column < size / 16; column++) {
    uint32_t word = 0;
    for (size_t i = 0; i < 16; i++) {
      const float value = turned[column * 16 + i];
      const uint32_t two = (value > 0 ? 2U : 1U) + (value > bound ? 1U : 0U) - (value < -bound ? 1U : 0U);
      word |= two << ((i & 3) * 8 + (i >> 2) * 2);
      const float b = static_cast<float>(two) * 2 - 3;
      along += b * value;
      codeSquares += b * b;
    }
    words[column * kBlock] = word;
  }
  const bool isZero = !(along > 0) || !std::isfinite(along) || !std::isfinite(squares);
  sketches.factors[slot] = isZero ? 0 : squares / along;
  if (isZero) return;
  const float cosine = std::min(1.0F, along / (std::sqrt(codeSquares) * length));
  const float error = length * std::sqrt(1 - cosine * cosine) / cosine / std::sqrt(static_cast<float>(size) - 1);
  float& largest = sketches.errors[slot / kBlock];
  largest = std::max(largest, error);
}

SketchQuery::SketchQuery(const float* unit, size_t dimensions) : columns(columnsOf(dimensions)), values(columns * 16) {
  const Rotation& rotation = rotationOf(dimensions);
  std::vector<float> turned(rotation.size(), 0.0F);
  std::copy(unit, unit + dimensions, turned.begin());
  rotation.turn(turned.data());
  float largest = 0;
  for (const float value : turned) largest = std::max(largest, std::fabs(value));
  const float step = largest / 127;
  int32_t sum = 0;
  for (size_t i = 0; i < turned.size(); i++) {
    values[i] = step > 0 ? static_cast<int8_t>(std::lrint(turned[i] / step)) : static_cast<int8_t>(0);
    sum += values[i];
  }
  slope = 2 * step;
  intercept = -3 * step * static_cast<float>(sum);
  // Rounding is noise within half a step; no b is larger than 3.
  intercept += kErrorDeviations * 3 * step * std::sqrt(static_cast<float>(turned.size()) / 12);
}

}  // namespace lectern
