// The best rows of a scan, and nothing written of the others.
#pragma once

#include <vector>

#include "dot.h"
#include "sketch.h"

namespace lectern {

/** A stretch of the slots: `count` of them, the first of which is `base`. */
struct Part {
  Rows rows;
  Sketches sketches;
  size_t count;
  /** The first so many have sketches: whole blocks. */
  size_t sketched;
  size_t base;
};

/** Which owners count: slot s belongs to `owners[s]`, which is in the set if its bit is. */
struct Filter {
  const int32_t* owners = nullptr;
  const uint32_t* words = nullptr;
  size_t wordCount = 0;

  bool has(size_t slot) const {
    if (owners == nullptr) return true;
    const auto owner = static_cast<uint32_t>(owners[slot]);
    return owner / 32 < wordCount && ((words[owner / 32] >> (owner % 32)) & 1) != 0;
  }
};

/** A stretch of a part; `from` begins a block, and so does `to` unless it is the end. `columns` are those of its sketches. */
Part stretchOf(const Part& part, size_t from, size_t to, size_t columns);

/** One of `pieces` cuts of all slots, nearly of one size. */
std::vector<Part> pieceOf(const std::vector<Part>& parts, size_t piece, size_t pieces, size_t columns);

struct Hit {
  float score;
  int32_t slot;
};

/** Higher scores first, then earlier slots. */
inline bool isBetter(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.slot < b.slot);
}

/** The `limit` best of several lists, best first. */
std::vector<Hit> bestOfAll(const std::vector<std::vector<Hit>>& lists, size_t limit);

class BestScan {
 public:
  /** Without a query for them, sketches are not looked at. */
  BestScan(Simd level, const ScanQuery& query, const SketchQuery* sketchQuery, const Filter& filter);

  /** The `limit` best of all slots with a score above `bottom`, best first. Parts come in ascending order. */
  std::vector<Hit> run(const std::vector<Part>& parts, size_t limit, float bottom);

 private:
  struct Kept;
  size_t sketchedOf(const Part& part) const { return sketchQuery_ == nullptr ? 0 : part.sketched; }
  template <typename Visit>
  void eachPart(const std::vector<Part>& parts, const Visit& visit) const;
  void estimate(const Part& part, float* estimates, float* tops) const;
  void tryPromising(const std::vector<Part>& parts, Kept& kept);
  template <typename Threshold>
  void collect(const Part& part, size_t at, Kept& kept, const Threshold& thresholdOf);
  void scanRows(const Part& part, size_t from, size_t to, Kept& kept) const;
  void offerRows(const Part& part, const int32_t* slots, size_t count, Kept& kept) const;

  DotRows dot_;
  EstimateBlock estimate_;
  const ScanQuery& query_;
  const SketchQuery* sketchQuery_;
  const Filter& filter_;
  /** By sketched slot, and the largest by block; parts one after another. */
  std::vector<float>& estimates_;
  std::vector<float>& tops_;
  /** By block: bit i says that its slot i was offered, or is not wanted. */
  std::vector<uint16_t> tried_;
};

}  // namespace lectern
