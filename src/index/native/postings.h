// Posting lists as postings.ts lays them out, cut into stretches that each have an upper bound of what a chunk in them
// can score. Nothing is trusted: a list that leads outside of what it was given throws std::invalid_argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lectern {

inline uint32_t ordinalIn(int32_t posting) { return static_cast<uint32_t>(posting) >> 8; }
inline uint32_t frequencyIn(int32_t posting) { return static_cast<uint32_t>(posting) & 255; }

/** The pages that blocks lie in; blocks never straddle them. */
class PostingPages {
 public:
  /** The next pages: whole ones, what is left over is not looked at. */
  void add(const int32_t* numbers, size_t count);
  /** The block of this size at an address, which is its offset + 1. */
  const int32_t* block(int32_t address, size_t size) const;
  size_t numbers() const;

 private:
  std::vector<const int32_t*> pages_;
};

/** Chunks by ordinal, and how their lengths count: see `Norms` of bm25.ts. */
struct ChunkLengths {
  const float* lengths = nullptr;
  size_t count = 0;
  double fixed = 0;
  double perLength = 0;
  double average = 1;

  /** Rounded as an array of 32-bit floats would. */
  double norm(uint32_t ordinal) const { return static_cast<float>(fixed + perLength * static_cast<double>(lengths[ordinal])); }

  double contribution(double weight, int32_t posting) const {
    const auto frequency = static_cast<double>(frequencyIn(posting));
    return (weight * frequency) / (frequency + norm(ordinalIn(posting)));
  }
};

struct TermList {
  int32_t head = 0;
  size_t count = 0;
  bool isAscending = true;
  double weight = 0;
};

/** Up to 64 postings in ascending order. */
struct Stretch {
  const int32_t* postings;
  uint32_t count;
  /** Ordinal of the last. */
  uint32_t last;
  /** No posting contributes more than this share of the weight. */
  float bound;
};

/** An ascending part of a term's list, nearly always all of it. A chunk is in one run of a term only. */
struct Run {
  size_t term = 0;
  double weight = 0;
  std::vector<Stretch> stretches;
  /** What stretches lie in that lie in no block. */
  std::vector<int32_t> own;
};

/** A place in a run: postings before it are of chunks that were passed. */
struct Cursor {
  const Run* run = nullptr;
  size_t stretch = 0;
  uint32_t at = 0;

  /** Moves on to the first chunk not before `ordinal`; false where there is none. Never goes back. */
  bool seek(uint32_t ordinal);
  int32_t posting() const { return run->stretches[stretch].postings[at]; }
};

/** Runs of the terms, those of a term side by side, in the order of the terms. */
std::vector<Run> runsOf(const PostingPages& pages, const std::vector<TermList>& lists, const ChunkLengths& chunks);

/** Which chunks count. */
struct AllowedChunks {
  const uint32_t* words = nullptr;
  size_t wordCount = 0;

  bool isAll() const { return words == nullptr; }
  uint32_t word(size_t at) const { return at < wordCount ? words[at] : 0; }
  bool has(uint32_t ordinal) const { return isAll() || ((word(ordinal / 32) >> (ordinal % 32)) & 1) != 0; }
};

struct ScoredChunk {
  float score;
  uint32_t ordinal;
};

/** Higher scores first, then lower ordinals. */
struct IsBefore {
  bool operator()(const ScoredChunk& a, const ScoredChunk& b) const {
    return a.score > b.score || (a.score == b.score && a.ordinal < b.ordinal);
  }
};

/** The `limit` best chunks that score above zero, best first. A score is a sum of 32-bit floats in the order of terms. */
std::vector<ScoredChunk> bestChunks(const std::vector<Run>& runs, const ChunkLengths& chunks,
                                    const AllowedChunks& allowed, size_t limit);

/** Scores of the given chunks, in their order. */
void scoresOf(const std::vector<Run>& runs, const ChunkLengths& chunks, const int32_t* ordinals, size_t count,
              float* scores);

}  // namespace lectern
