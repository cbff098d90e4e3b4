#include "postings.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace lectern {

namespace {

constexpr size_t kPageNumbers = 32768;
constexpr size_t kSmallestBlock = 4;
constexpr size_t kLargestBlock = 2048;
/** Postings of a stretch, and the numbers that a block of the largest size begins with. */
constexpr size_t kStretch = 64;
constexpr size_t kAverage = 1;
constexpr size_t kLasts = 2;
constexpr size_t kBounds = 33;
/** A list of more runs is put in order first. */
constexpr size_t kMostRuns = 16;
/** Of a few roundings to 32-bit floats. */
constexpr double kRounding = 1e-6;

float floatOf(int32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/** A bound that is none, because what it was made of is not what it should be, bounds nothing. */
float boundOf(double least) {
  const double bound = 1 / (1 + least * (1 - kRounding));
  return bound > 0 && bound < 1 ? static_cast<float>(bound * (1 + kRounding)) : 1.0F;
}

class RunBuilder {
 public:
  RunBuilder(const PostingPages& pages, const ChunkLengths& chunks, std::vector<Run>& runs)
      : pages_(pages), chunks_(chunks), runs_(runs) {}

  void add(size_t term, const TermList& list) {
    const size_t before = runs_.size();
    addRuns(term, list);
    if (runs_.size() > before + kMostRuns) putInOrder(before);
  }

 private:
  void addRuns(size_t term, const TermList& list) {
    begin(term, list.weight);
    runs_.back().stretches.reserve(list.count / kStretch + 8);
    int32_t address = list.head;
    size_t left = list.count;
    for (size_t size = kSmallestBlock; left > 0; size = std::min(size * 2, kLargestBlock)) {
      const int32_t* block = pages_.block(address, size);
      const size_t first = size == kLargestBlock ? kStretch : 1;
      const size_t here = std::min(size - first, left);
      addBlock(block, first, here, list.isAscending);
      left -= here;
      // The last block may get another one behind it while this is read.
      if (left > 0) address = block[0];
    }
  }

  /** Makes one run of those from `first` on. */
  void putInOrder(size_t first) {
    std::vector<int32_t> all;
    for (size_t i = first; i < runs_.size(); i++)
      for (const Stretch& stretch : runs_[i].stretches)
        all.insert(all.end(), stretch.postings, stretch.postings + stretch.count);
    std::stable_sort(all.begin(), all.end(), [](int32_t a, int32_t b) { return ordinalIn(a) < ordinalIn(b); });
    const auto [term, weight] = std::pair(runs_[first].term, runs_[first].weight);
    runs_.resize(first);
    begin(term, weight);
    runs_.back().own = std::move(all);
    const int32_t* postings = runs_.back().own.data();
    const size_t count = runs_.back().own.size();
    for (size_t from = 0; from < count; from += kStretch) addScanned(postings + from, std::min(kStretch, count - from));
  }

  void begin(size_t term, double weight) {
    runs_.emplace_back();
    runs_.back().term = term;
    runs_.back().weight = weight;
    last_ = -1;
  }

  void addBlock(const int32_t* block, size_t first, size_t count, bool isAscending) {
    for (size_t done = 0; done < count; done += kStretch) {
      const int32_t* postings = block + first + done;
      const size_t here = std::min(kStretch, count - done);
      if (first == kStretch && here == kStretch && addSealed(block, done / kStretch, postings, isAscending)) continue;
      addScanned(postings, here);
    }
  }

  /** A full stretch by what its block says of it; false where that is not enough. */
  bool addSealed(const int32_t* block, size_t stretch, const int32_t* postings, bool isAscending) {
    const int32_t said = block[kLasts + stretch];
    const uint32_t last = ordinalIn(said);
    const uint32_t most = frequencyIn(said);
    if (most == 0 || last >= chunks_.count) return false;
    if (isAscending ? last <= last_ : ordinalIn(postings[0]) <= last_) return false;
    // 1 / impact is linear in 1 / average for each posting, so the least of them is at least on the line between what it
    // is by the block's average and what it would be by an endless one.
    const double least = floatOf(block[kBounds + stretch]);
    const double share = floatOf(block[kAverage]) / chunks_.average;
    const double endless = chunks_.fixed / most;
    put(postings, kStretch, last, boundOf(share < 1 ? endless + (least - endless) * share : least));
    return true;
  }

  void addScanned(const int32_t* postings, size_t count) {
    for (size_t from = 0; from < count;) {
      if (ordinalIn(postings[from]) <= last_) begin(runs_.back().term, runs_.back().weight);
      int64_t before = last_;
      double least = INFINITY;
      size_t to = from;
      for (; to < count; to++) {
        const uint32_t ordinal = ordinalIn(postings[to]);
        if (ordinal >= chunks_.count) throw std::invalid_argument("a posting is of a chunk that is not there");
        if (ordinal <= before) break;
        before = ordinal;
        least = std::min(least, chunks_.norm(ordinal) / frequencyIn(postings[to]));
      }
      put(postings + from, to - from, static_cast<uint32_t>(before), boundOf(least));
      from = to;
    }
  }

  void put(const int32_t* postings, size_t count, uint32_t last, float bound) {
    runs_.back().stretches.push_back({postings, static_cast<uint32_t>(count), last, bound});
    last_ = last;
  }

  const PostingPages& pages_;
  const ChunkLengths& chunks_;
  std::vector<Run>& runs_;
  /** Ordinal of the last posting of the run, -1 before the first. */
  int64_t last_ = -1;
};

}  // namespace

void PostingPages::add(const int32_t* numbers, size_t count) {
  for (size_t from = 0; from + kPageNumbers <= count; from += kPageNumbers) pages_.push_back(numbers + from);
}

const int32_t* PostingPages::block(int32_t address, size_t size) const {
  const auto offset = static_cast<uint32_t>(address) - 1;
  const size_t page = offset / kPageNumbers;
  const size_t start = offset % kPageNumbers;
  if (page >= pages_.size() || start + size > kPageNumbers)
    throw std::invalid_argument("a list leads outside of its pages");
  return pages_[page] + start;
}

size_t PostingPages::numbers() const { return pages_.size() * kPageNumbers; }

bool Cursor::seek(uint32_t ordinal) {
  const std::vector<Stretch>& stretches = run->stretches;
  while (stretch < stretches.size() && stretches[stretch].last < ordinal) {
    stretch++;
    at = 0;
  }
  if (stretch == stretches.size()) return false;
  const Stretch& here = stretches[stretch];
  // Halved without a branch; the last of the stretch is not before the ordinal.
  const int32_t* base = here.postings + at;
  for (uint32_t left = here.count - at; left > 1;) {
    const uint32_t half = left / 2;
    base += ordinalIn(base[half - 1]) < ordinal ? half : 0;
    left -= half;
  }
  at = static_cast<uint32_t>(base - here.postings);
  return true;
}

std::vector<Run> runsOf(const PostingPages& pages, const std::vector<TermList>& lists, const ChunkLengths& chunks) {
  std::vector<Run> runs;
  RunBuilder builder(pages, chunks, runs);
  for (size_t term = 0; term < lists.size(); term++) {
    if (lists[term].count > pages.numbers()) throw std::invalid_argument("a list has more postings than there are");
    if (lists[term].count > 0) builder.add(term, lists[term]);
  }
  return runs;
}

void scoresOf(const std::vector<Run>& runs, const ChunkLengths& chunks, const int32_t* ordinals, size_t count,
              float* scores) {
  std::vector<Cursor> cursors;
  for (const Run& run : runs) cursors.push_back({&run});
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ordinals[a] < ordinals[b]; });
  for (const size_t place : order) {
    const auto ordinal = static_cast<uint32_t>(ordinals[place]);
    float score = 0;
    for (Cursor& cursor : cursors) {
      if (ordinal >= chunks.count || !cursor.seek(ordinal) || ordinalIn(cursor.posting()) != ordinal) continue;
      score = static_cast<float>(static_cast<double>(score) + chunks.contribution(cursor.run->weight, cursor.posting()));
    }
    scores[place] = score;
  }
}

}  // namespace lectern
