// The best chunks by BM25, a window of ordinals after the other. What cannot be among the best is left out by bounds:
// lists whose bounds together are not above the worst of the best so far are looked at only for chunks that another list
// names (MaxScore: Turtle & Flood 1995, "Query evaluation: strategies and optimizations"), and so are whole stretches
// (block maxima: Ding & Suel 2011). Sums are made in 32-bit floats first; of a chunk that may be among the best then
// exactly, in the order of the terms.
#include <algorithm>
#include <functional>
#include <stdexcept>

#include "postings-shares.h"
#include "simd.h"

namespace lectern {

namespace {

/** Ordinals that are looked at together: their sums fit the nearest cache. */
constexpr uint32_t kWindow = 4096;
constexpr uint32_t kStretch = 64;
/** Of a sum of 64 terms in 32-bit floats, and of the shares in it. */
constexpr double kRounding = 2e-5;
/** The chunks of so few postings are put in order; those of more are found by their sums. */
constexpr size_t kFewPostings = 128;
/** Looking a chunk up in a list costs as much as adding so many of its postings. */
constexpr size_t kLookUp = 48;
/** Postings that are looked at for a first bar. */
constexpr size_t kMostTried = 4096;

/** Bit i says whether value i of 32 is above `least`. */
LECTERN_INLINE uint32_t aboveMask(const float* values, float least) {
  uint32_t mask = 0;
#if defined(LECTERN_X86)
  const __m128 bar = _mm_set1_ps(least);
  for (uint32_t i = 0; i < 32; i += 4)
    mask |= static_cast<uint32_t>(_mm_movemask_ps(_mm_cmpgt_ps(_mm_loadu_ps(values + i), bar))) << i;
#else
  for (uint32_t i = 0; i < 32; i++) mask |= static_cast<uint32_t>(values[i] > least) << i;
#endif
  return mask;
}

class BestChunks {
 public:
  BestChunks(const std::vector<Run>& runs, const ChunkLengths& chunks, const AllowedChunks& allowed, size_t limit)
      : runs_(runs), chunks_(chunks), allowed_(allowed), limit_(limit), sums_(kWindow) {
    for (const Run& run : runs) cursors_.push_back({&run});
  }

  std::vector<ScoredChunk> run() {
    findBar();
    for (size_t lo = 0; lo < chunks_.count; lo += kWindow) {
      lo_ = static_cast<uint32_t>(lo);
      hi_ = static_cast<uint32_t>(std::min<size_t>(lo + kWindow, chunks_.count));
      window();
    }
    return exactly();
  }

 private:
  /** A run with postings in the window. */
  struct Present {
    Cursor* cursor;
    /** What it adds at most to a chunk of the window. */
    double bound;
    /** Postings, about. */
    size_t count;
  };
  struct Candidate {
    uint32_t ordinal;
    float sum;
  };
  /** Of the window, ascending. */
  struct Candidates {
    Candidate& operator[](size_t at) { return all[at]; }
    void clear() { size = 0; }
    /** There is never more than one of an ordinal, nor one outside of the window. */
    void expectRoom(size_t count) const {
      if (size + count > kWindow) throw std::invalid_argument("postings are not in order");
    }
    void add(uint32_t ordinal, float sum) { addIf(true, ordinal, sum); }
    /** Without a branch, which would be guessed wrong half the time. */
    void addIf(bool isWanted, uint32_t ordinal, float sum) {
      all[size] = {ordinal, sum};
      size += isWanted ? 1 : 0;
    }

    std::vector<Candidate> all = std::vector<Candidate>(kWindow + 1);
    size_t size = 0;
  };

  void window() {
    double total = gather();
    if (!(total > bar_)) return;
    const size_t allowed = allowed_.isAll() ? hi_ - lo_ : allowedHere();
    if (allowed == 0) return;
    std::sort(present_.begin(), present_.end(), [](const Present& a, const Present& b) { return a.bound > b.bound; });
    total *= 1 + kRounding;
    // Of the last lists alone no chunk is above the bar.
    size_t leading = present_.size();
    double rest = 0;
    while (leading > 1 && rest + present_[leading - 1].bound <= bar_) rest += present_[--leading].bound;
    size_t postings = 0;
    for (size_t i = 0; i < leading; i++) postings += present_[i].count;
    candidates_.clear();
    size_t done = 0;
    bool isSummed = false;
    if (allowed * present_.size() * kLookUp < postings) {
      listAllowed();
    } else if (leading == 1) {
      listOne(present_[0], total - present_[0].bound);
      keepAllowed();
      done = 1;
    } else if (postings <= kFewPostings) {
      listFew(leading);
    } else {
      spread();
      for (; done < leading; done++) addUp(present_[done], total - present_[done].bound);
      isSummed = true;
    }
    rest = total;
    for (size_t i = 0; i < done; i++) rest -= present_[i].bound;
    if (isSummed) listSums(rest);
    raiseBar();
    for (; done < present_.size() && candidates_.size > 0; done++) {
      rest -= present_[done].bound;
      if (candidates_.size * kLookUp < present_[done].count) {
        lookUp(*present_[done].cursor, rest);
        isSummed = false;
        continue;
      }
      if (!isSummed) spread();
      isSummed = true;
      addUp(present_[done], total - present_[done].bound);
      keepSums(rest);
    }
    for (size_t i = 0; i < candidates_.size; i++)
      if (candidates_[i].sum * (1 + kRounding) > bar_) best_.push_back(candidates_[i]);
    if (best_.size() >= limit_ * 2) keepBest();
  }

  /** Finds the runs with postings in the window; answers what a chunk can score at most. */
  double gather() {
    present_.clear();
    double total = 0;
    for (Cursor& cursor : cursors_) {
      if (!cursor.seek(lo_) || ordinalIn(cursor.posting()) >= hi_) continue;
      float most = 0;
      size_t count = 0;
      const std::vector<Stretch>& stretches = cursor.run->stretches;
      for (size_t i = cursor.stretch; i < stretches.size(); i++) {
        most = std::max(most, stretches[i].bound);
        count += stretches[i].count;
        if (stretches[i].last >= hi_ - 1) break;
      }
      present_.push_back({&cursor, cursor.run->weight * most * (1 + kRounding), count});
      total += present_.back().bound;
    }
    return total;
  }

  size_t allowedHere() const {
    size_t count = 0;
    for (size_t word = lo_ / 32; word < (hi_ + 31) / 32; word++)
      count += static_cast<size_t>(__builtin_popcount(allowed_.word(word)));
    return count;
  }

  void listAllowed() {
    for (size_t at = lo_ / 32; at < (hi_ + 31) / 32; at++) {
      for (uint32_t word = allowed_.word(at); word != 0; word &= word - 1) {
        const auto ordinal = static_cast<uint32_t>(at * 32) + static_cast<uint32_t>(__builtin_ctz(word));
        if (ordinal < hi_) candidates_.add(ordinal, 0);
      }
    }
  }

  /** Calls `visit(postings, count, shares)` for the stretches of the window that add more than `least` somewhere. */
  template <typename Visit>
  void forEachStretch(const Cursor& cursor, double least, const Visit& visit) const {
    const ShareQuery query(chunks_, cursor.run->weight);
    const float bound = static_cast<float>(least / std::max(cursor.run->weight, 1e-30) / (1 + kRounding));
    float shares[kStretch];
    Cursor at = cursor;
    const std::vector<Stretch>& stretches = cursor.run->stretches;
    for (; at.stretch < stretches.size(); at.stretch++, at.at = 0) {
      const Stretch& stretch = stretches[at.stretch];
      const bool isLast = stretch.last >= hi_ - 1;
      if (stretch.bound > bound) {
        const uint32_t from = at.at;
        uint32_t end = stretch.count;
        if (isLast && stretch.last >= hi_) {
          at.seek(hi_);
          end = at.at;
        }
        if (!stretchShares(stretch.postings + from, end - from, lo_, hi_, query, shares))
          throw std::invalid_argument("postings are not in order");
        visit(stretch.postings + from, end - from, shares);
      }
      if (isLast) return;
    }
  }

  /** Chunks of the one list without which nothing is above the bar. */
  void listOne(const Present& present, double others) {
    const auto least = static_cast<float>(bar_ - others);
    forEachStretch(*present.cursor, bar_ - others, [&](const int32_t* postings, uint32_t count, const float* shares) {
      candidates_.expectRoom(count);
      for (uint32_t i = 0; i < count; i++) candidates_.addIf(shares[i] > least, ordinalIn(postings[i]), shares[i]);
    });
  }

  void keepAllowed() {
    if (allowed_.isAll()) return;
    size_t kept = 0;
    for (size_t i = 0; i < candidates_.size; i++) {
      const Candidate one = candidates_[i];
      candidates_[kept] = one;
      kept += allowed_.has(one.ordinal) ? 1 : 0;
    }
    candidates_.size = kept;
  }

  /** Chunks of the first lists, with nothing added up yet. */
  void listFew(size_t leading) {
    std::vector<uint32_t>& few = few_;
    few.clear();
    for (size_t i = 0; i < leading; i++) {
      forEachStretch(*present_[i].cursor, 0, [&](const int32_t* postings, uint32_t count, const float*) {
        for (uint32_t at = 0; at < count; at++)
          if (allowed_.has(ordinalIn(postings[at]))) few.push_back(ordinalIn(postings[at]));
      });
    }
    std::sort(few.begin(), few.end());
    few.erase(std::unique(few.begin(), few.end()), few.end());
    for (const uint32_t ordinal : few) candidates_.add(ordinal, 0);
  }

  /** No chunk of a stretch that is left out is above the bar with everything that the others add. */
  void addUp(const Present& present, double others) {
    float* sums = sums_.data() - lo_;
    forEachStretch(*present.cursor, bar_ - others, [&](const int32_t* postings, uint32_t count, const float* shares) {
      for (uint32_t i = 0; i < count; i++) sums[ordinalIn(postings[i])] += shares[i];
    });
  }

  /** The sums of the candidates; of others only what is added from here on, which is less than they have. */
  void spread() {
    std::fill(sums_.begin(), sums_.end(), 0.0F);
    for (size_t i = 0; i < candidates_.size; i++) sums_[candidates_[i].ordinal - lo_] = candidates_[i].sum;
  }

  /** Chunks that are above the bar with what the lists that are left add at most. */
  void listSums(double rest) {
    candidates_.clear();
    const auto least = static_cast<float>(std::max(0.0, (bar_ - rest) * (1 - kRounding)));
    for (uint32_t first = 0; first < hi_ - lo_; first += 32) {
      uint32_t above = aboveMask(sums_.data() + first, least);
      if (!allowed_.isAll()) above &= allowed_.word((lo_ + first) / 32);
      for (; above != 0; above &= above - 1) {
        const uint32_t i = first + static_cast<uint32_t>(__builtin_ctz(above));
        candidates_.add(lo_ + i, sums_[i]);
      }
    }
  }

  /** Leaves out the candidates that cannot be above the bar any more by their sums. */
  void keepSums(double rest) {
    size_t kept = 0;
    for (size_t i = 0; i < candidates_.size; i++) {
      const uint32_t ordinal = candidates_[i].ordinal;
      const float sum = sums_[ordinal - lo_];
      candidates_[kept] = {ordinal, sum};
      kept += sum * (1 + kRounding) + rest > bar_ ? 1 : 0;
    }
    candidates_.size = kept;
  }

  /** Adds what a list has of the candidates, and leaves out those that cannot be above the bar any more. */
  void lookUp(Cursor cursor, double rest) {
    const double weight = cursor.run->weight;
    size_t kept = 0;
    bool isThere = true;
    for (size_t i = 0; i < candidates_.size; i++) {
      Candidate one = candidates_[i];
      isThere = isThere && cursor.seek(one.ordinal);
      if (isThere && ordinalIn(cursor.posting()) == one.ordinal)
        one.sum += static_cast<float>(chunks_.contribution(weight, cursor.posting()));
      if (one.sum * (1 + kRounding) + rest > bar_) candidates_[kept++] = one;
    }
    candidates_.size = kept;
  }

  void raiseBar() {
    if (candidates_.size < limit_) return;
    const auto least = static_cast<float>(bar_);
    tried_.resize(candidates_.size + 1);
    size_t count = 0;
    for (size_t i = 0; i < candidates_.size; i++) {
      tried_[count] = candidates_[i].sum;
      count += candidates_[i].sum > least ? 1 : 0;
    }
    tried_.resize(count);
    raiseTo(tried_);
  }

  /** Leaves out of the best so far what as many others are above. */
  void keepBest() {
    tried_.clear();
    for (const Candidate& one : best_) tried_.push_back(one.sum);
    raiseTo(tried_);
    const auto isBelow = [&](const Candidate& one) { return !(one.sum * (1 + kRounding) > bar_); };
    best_.erase(std::remove_if(best_.begin(), best_.end(), isBelow), best_.end());
  }

  /** What as many sums as are wanted reach is below the worst of the best. */
  void raiseTo(std::vector<float>& sums) {
    if (sums.size() < limit_) return;
    const auto last = sums.begin() + static_cast<std::ptrdiff_t>(limit_ - 1);
    std::nth_element(sums.begin(), last, sums.end(), std::greater<float>());
    bar_ = std::max(bar_, *last * (1 - kRounding));
  }

  /** The best with their exact scores. */
  std::vector<ScoredChunk> exactly() const {
    std::vector<int32_t> ordinals;
    for (const Candidate& one : best_) ordinals.push_back(static_cast<int32_t>(one.ordinal));
    std::vector<float> scores(ordinals.size());
    scoresOf(runs_, chunks_, ordinals.data(), ordinals.size(), scores.data());
    std::vector<ScoredChunk> found;
    for (size_t i = 0; i < scores.size(); i++)
      if (scores[i] > 0) found.push_back({scores[i], best_[i].ordinal});
    std::sort(found.begin(), found.end(), IsBefore());
    if (found.size() > limit_) found.resize(limit_);
    return found;
  }

  /** A first bar, which enough chunks are above by one list: the heaviest that has so many. */
  void findBar() {
    const Run* heaviest = nullptr;
    for (const Run& run : runs_) {
      size_t count = 0;
      for (const Stretch& stretch : run.stretches) count += stretch.count;
      if (count >= limit_ && (heaviest == nullptr || run.weight > heaviest->weight)) heaviest = &run;
    }
    if (heaviest == nullptr) return;
    std::vector<float> tried;
    size_t looked = 0;
    for (const Stretch& stretch : heaviest->stretches) {
      for (uint32_t at = 0; at < stretch.count; at++, looked++) {
        const uint32_t ordinal = ordinalIn(stretch.postings[at]);
        if (ordinal >= chunks_.count) throw std::invalid_argument("a posting is of a chunk that is not there");
        if (allowed_.has(ordinal)) tried.push_back(static_cast<float>(chunks_.contribution(heaviest->weight, stretch.postings[at])));
      }
      if (looked >= kMostTried) break;
    }
    raiseTo(tried);
  }

  const std::vector<Run>& runs_;
  const ChunkLengths& chunks_;
  const AllowedChunks& allowed_;
  size_t limit_;
  std::vector<Cursor> cursors_;
  /** The window. */
  uint32_t lo_ = 0;
  uint32_t hi_ = 0;
  /** Only scores above it are wanted. */
  double bar_ = 0;
  std::vector<float> sums_;
  /** The largest bounds first. */
  std::vector<Present> present_;
  Candidates candidates_;
  std::vector<uint32_t> few_;
  std::vector<float> tried_;
  /** All that may be among the best by what is known so far, ascending. */
  std::vector<Candidate> best_;
};

}  // namespace

std::vector<ScoredChunk> bestChunks(const std::vector<Run>& runs, const ChunkLengths& chunks,
                                    const AllowedChunks& allowed, size_t limit) {
  if (limit == 0 || runs.empty()) return {};
  return BestChunks(runs, chunks, allowed, limit).run();
}

}  // namespace lectern
