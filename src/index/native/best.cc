// First the sketches of all slots give estimates. The rows of the most promising are scored, which gives a score that
// enough slots reach: a bar. Then the rows of all others whose estimates say that they may be above the bar are scored.
#include "best.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lectern {

namespace {

/** So many blocks, and at least one in `kMostStride`, are looked at to see where the most promising begin. */
constexpr size_t kSampleBlocks = 64;
constexpr size_t kMostStride = 32;
/** About so many times as many as are wanted are tried for the bar; where too few of them were there, more by each step. */
constexpr size_t kTries = 2;
constexpr size_t kMoreTries = 4;
/** Rows that are scored together. */
constexpr size_t kRows = 64;
/** What the squared length of a rounded unit vector may be. */
constexpr float kMostSquares = 1.02F;
/** Of sums of 32-bit floats. */
constexpr float kArithmetic = 1e-4F;
constexpr float kNever = -std::numeric_limits<float>::infinity();

LECTERN_INLINE void prefetchRow(const int8_t* row, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at);
}

/** What is no number would have no place in an order. */
float ordered(float value) { return value >= kNever ? value : kNever; }

/** How far below its score the estimate of a slot with a score above `bar` may lie, for each unit of its error. */
float widthAt(float bar) {
  const float squares = bar > 0 ? std::max(0.0F, kMostSquares - bar * bar) : kMostSquares;
  return kErrorDeviations * std::sqrt(squares);
}

std::vector<float>& scratch(size_t which) {
  thread_local std::vector<float> kept[2];
  return kept[which];
}

/** Bit i says that estimate i of a block is not below the threshold. */
LECTERN_INLINE uint32_t notBelow(const float* estimates, float threshold) {
  uint32_t mask = 0;
#if defined(LECTERN_X86)
  const __m128 bar = _mm_set1_ps(threshold);
  for (uint32_t i = 0; i < kBlock; i += 4)
    mask |= static_cast<uint32_t>(_mm_movemask_ps(_mm_cmpnlt_ps(_mm_loadu_ps(estimates + i), bar))) << i;
#else
  for (uint32_t i = 0; i < kBlock; i++) mask |= static_cast<uint32_t>(!(estimates[i] < threshold)) << i;
#endif
  return mask;
}

}  // namespace

Part stretchOf(const Part& part, size_t from, size_t to, size_t columns) {
  Part stretch = part;
  stretch.rows.codes += from * part.rows.stride;
  stretch.rows.scales += from;
  stretch.count = to - from;
  stretch.base += from;
  stretch.sketched = std::min(std::max(part.sketched, from), to) - from;
  if (stretch.sketched == 0) return stretch;
  stretch.sketches.words += from * columns;
  stretch.sketches.factors += from;
  stretch.sketches.errors += from / kBlock;
  return stretch;
}

std::vector<Part> pieceOf(const std::vector<Part>& parts, size_t piece, size_t pieces, size_t columns) {
  size_t blocks = 0;
  for (const Part& part : parts) blocks += (part.count + kBlock - 1) / kBlock;
  const size_t first = blocks * piece / pieces * kBlock;
  const size_t end = blocks * (piece + 1) / pieces * kBlock;
  std::vector<Part> found;
  size_t before = 0;
  for (const Part& part : parts) {
    const size_t room = (part.count + kBlock - 1) / kBlock * kBlock;
    const size_t from = std::min(std::max(first, before) - before, part.count);
    const size_t to = std::min(std::max(end, before) - before, part.count);
    if (from < to) found.push_back(stretchOf(part, from, to, columns));
    before += room;
  }
  return found;
}

std::vector<Hit> bestOfAll(const std::vector<std::vector<Hit>>& lists, size_t limit) {
  std::vector<Hit> all;
  for (const std::vector<Hit>& list : lists) all.insert(all.end(), list.begin(), list.end());
  std::sort(all.begin(), all.end(), isBetter);
  if (all.size() > limit) all.resize(limit);
  return all;
}

/** The best so far, and some that are not: when there are twice as many as are wanted, those are left out. */
struct BestScan::Kept {
  Kept(size_t most, float from) : limit(most), bar(from), width(widthAt(from)) { hits.reserve(most * 2); }

  /** What is below the bar need not be offered. Which are the best does not depend on the order in which slots come. */
  void offer(float score, size_t slot) {
    hits.push_back({score, static_cast<int32_t>(slot)});
    if (hits.size() >= limit * 2) settle();
  }

  void settle() {
    if (hits.size() < limit) return;
    const auto worst = hits.begin() + static_cast<std::ptrdiff_t>(limit - 1);
    std::nth_element(hits.begin(), worst, hits.end(), isBetter);
    hits.resize(limit);
    if (hits.back().score <= bar) return;
    bar = hits.back().score;
    width = widthAt(bar);
  }

  std::vector<Hit> sorted() {
    settle();
    std::sort(hits.begin(), hits.end(), isBetter);
    return std::move(hits);
  }

  float thresholdOf(float error) const { return bar - width * error - kArithmetic; }

  size_t limit;
  float bar;
  float width;
  std::vector<Hit> hits;
};

BestScan::BestScan(Simd level, const ScanQuery& query, const SketchQuery* sketchQuery, const Filter& filter)
    : dot_(dotRows(level)),
      estimate_(estimateBlock(level)),
      query_(query),
      sketchQuery_(sketchQuery),
      filter_(filter),
      estimates_(scratch(0)),
      tops_(scratch(1)) {}

std::vector<Hit> BestScan::run(const std::vector<Part>& parts, size_t limit, float bottom) {
  if (limit == 0) return {};
  size_t sketched = 0;
  for (const Part& part : parts) sketched += sketchedOf(part);
  if (estimates_.size() < sketched) estimates_.resize(sketched);
  if (tops_.size() < sketched / kBlock) tops_.resize(sketched / kBlock);
  tried_.assign(sketched / kBlock, 0);
  eachPart(parts, [&](const Part& part, size_t at) {
    if (sketchQuery_ != nullptr) estimate(part, estimates_.data() + at, tops_.data() + at / kBlock);
  });
  // What has exactly the score of the bottom is not wanted.
  Kept kept(limit, std::nextafter(bottom, -kNever));
  tryPromising(parts, kept);
  eachPart(parts, [&](const Part& part, size_t at) {
    collect(part, at, kept, [&](size_t block) { return kept.thresholdOf(part.sketches.errors[block]); });
    scanRows(part, sketchedOf(part), part.count, kept);
  });
  return kept.sorted();
}

/** Calls `visit(part, at)`, where the first slot of the part has the estimate `at`. */
template <typename Visit>
void BestScan::eachPart(const std::vector<Part>& parts, const Visit& visit) const {
  size_t at = 0;
  for (const Part& part : parts) {
    visit(part, at);
    at += sketchedOf(part);
  }
}

void BestScan::estimate(const Part& part, float* estimates, float* tops) const {
  const size_t words = sketchQuery_->columns * kBlock;
  for (size_t block = 0; block < part.sketched / kBlock; block++)
    tops[block] = estimate_(part.sketches.words + block * words, part.sketches.factors + block * kBlock, *sketchQuery_,
                            estimates + block * kBlock);
}

/** Offers some slots with the highest estimates, so many that the bar rises to a score that as many as are wanted reach. */
void BestScan::tryPromising(const std::vector<Part>& parts, Kept& kept) {
  const size_t stride = std::min(std::max<size_t>(1, tops_.size() / kSampleBlocks), kMostStride);
  std::vector<float> sample;
  eachPart(parts, [&](const Part& part, size_t at) {
    for (size_t first = 0; first < sketchedOf(part); first += stride * kBlock)
      for (size_t i = first; i < first + kBlock; i++)
        if (filter_.has(part.base + i)) sample.push_back(ordered(estimates_[at + i]));
  });
  for (size_t rank = kept.limit * kTries / stride; rank < sample.size(); rank = (rank + 1) * kMoreTries) {
    const auto wanted = sample.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(sample.begin(), wanted, sample.end(), std::greater<float>());
    const float threshold = *wanted;
    eachPart(parts, [&](const Part& part, size_t at) { collect(part, at, kept, [&](size_t) { return threshold; }); });
    kept.settle();
    if (kept.hits.size() >= kept.limit) return;
  }
}

/** Offers the slots of a part that were not offered yet and whose estimates are not below the threshold of their block. */
template <typename Threshold>
void BestScan::collect(const Part& part, size_t at, Kept& kept, const Threshold& thresholdOf) {
  const float* estimates = estimates_.data() + at;
  const float* tops = tops_.data() + at / kBlock;
  uint16_t* tried = tried_.data() + at / kBlock;
  int32_t pending[kRows + kBlock];
  size_t waiting = 0;
  for (size_t block = 0; block < sketchedOf(part) / kBlock; block++) {
    const float threshold = thresholdOf(block);
    if (tops[block] < threshold) continue;
    uint32_t wanted = notBelow(estimates + block * kBlock, threshold) & ~static_cast<uint32_t>(tried[block]);
    tried[block] = static_cast<uint16_t>(tried[block] | wanted);
    for (; wanted != 0; wanted &= wanted - 1) {
      const size_t slot = block * kBlock + static_cast<size_t>(__builtin_ctz(wanted));
      if (!filter_.has(part.base + slot)) continue;
      prefetchRow(part.rows.codes + slot * part.rows.stride, part.rows.stride);
      pending[waiting++] = static_cast<int32_t>(slot);
    }
    if (waiting < kRows) continue;
    offerRows(part, pending, waiting, kept);
    waiting = 0;
  }
  offerRows(part, pending, waiting, kept);
}

void BestScan::scanRows(const Part& part, size_t from, size_t to, Kept& kept) const {
  float scores[kRows];
  for (size_t first = from; first < to; first += kRows) {
    const size_t count = std::min(kRows, to - first);
    dot_(part.rows, nullptr, first, count, query_, scores);
    for (size_t i = 0; i < count; i++)
      if (scores[i] >= kept.bar && filter_.has(part.base + first + i)) kept.offer(scores[i], part.base + first + i);
  }
}

void BestScan::offerRows(const Part& part, const int32_t* slots, size_t count, Kept& kept) const {
  float scores[kRows + kBlock];
  dot_(part.rows, slots, 0, count, query_, scores);
  for (size_t i = 0; i < count; i++)
    if (scores[i] >= kept.bar) kept.offer(scores[i], part.base + static_cast<size_t>(slots[i]));
}

}  // namespace lectern
