// First the sketches of all slots give estimates. The rows of the most promising are scored, which gives a score that
// enough slots reach: a bar. Then the rows of all others whose estimates say that they may be above the bar are scored.
#include "best.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lectern {

namespace {

/** One block in so many is looked at to see where the most promising begin. */
constexpr size_t kSampleStride = 8;
/** So many times as many as are wanted are tried for the bar, at most twice that. */
constexpr size_t kTries = 3;
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

/** A heap of the best so far whose root is the worst of them. */
struct BestScan::Kept {
  Kept(size_t most, float from) : limit(most), bar(from), width(widthAt(from)) {}

  /** Slots that reach the bar are kept while there is room; after that those above it, or equal and earlier. */
  void offer(float score, size_t slot) {
    const Hit hit{score, static_cast<int32_t>(slot)};
    if (hits.size() == limit) {
      if (!isBetter(hit, hits.front())) return;
      std::pop_heap(hits.begin(), hits.end(), isBetter);
      hits.pop_back();
    }
    hits.push_back(hit);
    std::push_heap(hits.begin(), hits.end(), isBetter);
    if (hits.size() < limit || hits.front().score <= bar) return;
    bar = hits.front().score;
    width = widthAt(bar);
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
  for (const Part& part : parts) sketched += sketchQuery_ == nullptr ? 0 : part.sketched;
  if (estimates_.size() < sketched) estimates_.resize(sketched);
  if (tops_.size() < sketched / kBlock) tops_.resize(sketched / kBlock);
  size_t at = 0;
  for (const Part& part : parts) {
    if (sketchQuery_ == nullptr) break;
    estimate(part, estimates_.data() + at, tops_.data() + at / kBlock);
    at += part.sketched;
  }
  // What has exactly the score of the bottom is not wanted.
  Kept kept(limit, std::max(std::nextafter(bottom, -kNever), provenBar(parts, limit, bottom)));
  at = 0;
  for (const Part& part : parts) {
    collect(part, estimates_.data() + at, tops_.data() + at / kBlock, kept);
    at += sketchQuery_ == nullptr ? 0 : part.sketched;
  }
  std::sort(kept.hits.begin(), kept.hits.end(), isBetter);
  return kept.hits;
}

void BestScan::estimate(const Part& part, float* estimates, float* tops) const {
  const size_t words = sketchQuery_->columns * kBlock;
  for (size_t block = 0; block < part.sketched / kBlock; block++)
    tops[block] = estimate_(part.sketches.words + block * words, part.sketches.factors + block * kBlock, *sketchQuery_,
                            estimates + block * kBlock);
}

/** A score that `limit` slots reach for certain, or `bottom`. */
float BestScan::provenBar(const std::vector<Part>& parts, size_t limit, float bottom) const {
  std::vector<Hit> found;
  promising(parts, limit, found);
  if (found.size() < limit) return bottom;
  const size_t tries = std::min(found.size(), limit * kTries * 2);
  if (tries < found.size())
    std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(tries), found.end(), isBetter);
  std::vector<float> scores(tries);
  for (size_t i = 0; i < tries; i++) {
    const auto slot = static_cast<size_t>(found[i].slot);
    const auto part = std::find_if(parts.rbegin(), parts.rend(), [&](const Part& one) { return one.base <= slot; });
    const auto local = static_cast<int32_t>(slot - part->base);
    dot_(part->rows, &local, 0, 1, query_, &scores[i]);
    scores[i] = ordered(scores[i]);
  }
  const auto last = scores.begin() + static_cast<std::ptrdiff_t>(limit - 1);
  std::nth_element(scores.begin(), last, scores.end(), std::greater<float>());
  return *last;
}

/** Slots with the highest estimates, about `kTries` times as many as wanted; none where there are few. */
void BestScan::promising(const std::vector<Part>& parts, size_t limit, std::vector<Hit>& found) const {
  const auto topOf = [&](size_t at, size_t slot) {
    if (filter_.owners == nullptr) return tops_[at / kBlock];
    float top = kNever;
    for (size_t i = 0; i < kBlock; i++)
      if (filter_.has(slot + i)) top = std::max(top, estimates_[at + i]);
    return top;
  };
  const auto eachBlock = [&](size_t stride, const auto& visit) {
    size_t first = 0;
    for (const Part& part : parts) {
      if (sketchQuery_ == nullptr) return;
      for (size_t i = 0; i < part.sketched; i += stride * kBlock) visit(first + i, part.base + i);
      first += part.sketched;
    }
  };
  std::vector<float> sample;
  eachBlock(kSampleStride, [&](size_t at, size_t slot) { sample.push_back(ordered(topOf(at, slot))); });
  const size_t rank = limit * kTries / kSampleStride;
  if (rank >= sample.size()) return;
  const auto wanted = sample.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(sample.begin(), wanted, sample.end(), std::greater<float>());
  const float threshold = *wanted;
  eachBlock(1, [&](size_t at, size_t slot) {
    if (tops_[at / kBlock] < threshold) return;
    for (size_t i = 0; i < kBlock; i++) {
      const Hit hit{estimates_[at + i], static_cast<int32_t>(slot + i)};
      if (hit.score >= threshold && filter_.has(slot + i)) found.push_back(hit);
    }
  });
}

void BestScan::collect(const Part& part, const float* estimates, const float* tops, Kept& kept) const {
  const size_t sketched = sketchQuery_ == nullptr ? 0 : part.sketched;
  int32_t pending[kRows + kBlock];
  size_t waiting = 0;
  for (size_t first = 0; first < sketched; first += kBlock) {
    const float threshold = kept.thresholdOf(part.sketches.errors[first / kBlock]);
    if (tops[first / kBlock] < threshold) continue;
    for (size_t slot = first; slot < first + kBlock; slot++) {
      if (estimates[slot] < threshold || !filter_.has(part.base + slot)) continue;
      prefetchRow(part.rows.codes + slot * part.rows.stride, part.rows.stride);
      pending[waiting++] = static_cast<int32_t>(slot);
    }
    if (waiting < kRows) continue;
    offerRows(part, pending, waiting, kept);
    waiting = 0;
  }
  offerRows(part, pending, waiting, kept);
  scanRows(part, sketched, part.count, kept);
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
