// Keyword scores for JavaScript: see vector-addon.ts, which has their types.
#include "postings-binding.h"

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "pool-binding.h"
#include "postings.h"

namespace lectern {

namespace {

/** A posting has 24 bits for the chunk. */
constexpr double kMostChunks = 16777216;
constexpr size_t kNumbersOfList = 3;

/** Everything is read from the array before any slab is looked at: reading an element may run JavaScript. */
std::vector<napi_value> elementsAt(Arguments& args, size_t index, const char* name) {
  std::vector<napi_value> elements;
  bool isArray = false;
  uint32_t count = 0;
  if (args.at(index) == nullptr || napi_is_array(args.env(), args.at(index), &isArray) != napi_ok || !isArray ||
      napi_get_array_length(args.env(), args.at(index), &count) != napi_ok) {
    args.fail(std::string(name) + " must be an array");
    return elements;
  }
  for (uint32_t i = 0; i < count && !args.failed(); i++) {
    napi_value element = nullptr;
    args.expect(napi_get_element(args.env(), args.at(index), i, &element) == napi_ok, "an element cannot be read");
    elements.push_back(element);
  }
  return elements;
}

/** The arguments that all functions begin with. */
struct Question {
  PostingPages pages;
  std::vector<TermList> lists;
  ChunkLengths chunks;
  /** What the pages lie in. */
  std::vector<napi_value> slabs;
};

Question questionOf(Arguments& args) {
  Question question;
  question.slabs = elementsAt(args, 0, "slabs");
  for (napi_value slab : question.slabs) {
    const auto numbers = args.arrayOf<int32_t>(slab, "a slab");
    question.pages.add(numbers.data, numbers.size);
  }
  const auto lists = args.array<int32_t>(1, "lists");
  const auto weights = args.array<double>(2, "weights");
  const auto lengths = args.array<float>(3, "lengths");
  const size_t count = args.whole(4, "count", kMostChunks);
  const auto norms = args.array<double>(5, "norms");
  if (args.failed()) return question;
  args.expect(lists.size == weights.size * kNumbersOfList, "lists must have three numbers a weight");
  args.expect(count <= lengths.size, "lengths is too short");
  args.expect(norms.size == 3, "norms must be three numbers");
  if (args.failed()) return question;
  for (size_t i = 0; i < norms.size; i++)
    args.expect(norms.data[i] > 0 && std::isfinite(norms.data[i]), "norms must be above zero");
  for (size_t i = 0; i < weights.size; i++) {
    const int32_t* list = lists.data + i * kNumbersOfList;
    args.expect(weights.data[i] >= 0 && std::isfinite(weights.data[i]), "a weight must not be below zero");
    args.expect(list[1] >= 0, "a list must not have fewer postings than none");
    if (args.failed()) return question;
    question.lists.push_back({list[0], static_cast<size_t>(list[1]), list[2] != 0, weights.data[i]});
  }
  question.chunks = {lengths.data, count, norms.data[0], norms.data[1], norms.data[2]};
  return question;
}

/** Who scores best, and what single chunks score. */
struct BestAsk {
  Question question;
  AllowedChunks allowed;
  Span<int32_t> ids;
  Span<float> scores;
  Span<int32_t> also;
  Span<float> alsoScores;
};

BestAsk bestAskOf(Arguments& args) {
  BestAsk ask;
  ask.question = questionOf(args);
  if (!args.isNull(6)) {
    const auto words = args.array<int32_t>(6, "allowed");
    // A set of none has words too, or it would be one of all.
    static const uint32_t none = 0;
    ask.allowed = {words.size == 0 ? &none : reinterpret_cast<const uint32_t*>(words.data), words.size};
  }
  ask.ids = args.array<int32_t>(7, "ids");
  ask.scores = args.array<float>(8, "scores");
  ask.also = args.array<int32_t>(9, "also");
  ask.alsoScores = args.array<float>(10, "alsoScores");
  args.expect(ask.ids.size == ask.scores.size, "ids and scores must be of one length");
  args.expect(ask.also.size == ask.alsoScores.size, "also and alsoScores must be of one length");
  return ask;
}

class BestJob : public Job {
 public:
  explicit BestJob(BestAsk ask) : ask_(std::move(ask)) {}

  void run(size_t, size_t) override {
    const Question& question = ask_.question;
    const std::vector<Run> runs = runsOf(question.pages, question.lists, question.chunks);
    best_ = bestChunks(runs, question.chunks, ask_.allowed, ask_.ids.size);
    scoresOf(runs, question.chunks, ask_.also.data, ask_.also.size, ask_.alsoScores.data);
  }

  napi_value answer(napi_env env) override {
    for (size_t i = 0; i < best_.size(); i++) {
      ask_.ids.data[i] = static_cast<int32_t>(best_[i].ordinal);
      ask_.scores.data[i] = best_[i].score;
    }
    napi_value count = nullptr;
    napi_create_uint32(env, static_cast<uint32_t>(best_.size()), &count);
    return count;
  }

 private:
  BestAsk ask_;
  std::vector<ScoredChunk> best_;
};

/**
 * keywordBest(slabs, lists, weights, lengths, count, norms, allowed, ids, scores, also, alsoScores): answers how many were
 * found.
 */
napi_value keywordBest(Arguments& args) {
  BestAsk ask = bestAskOf(args);
  if (args.failed()) return nullptr;
  BestJob job(std::move(ask));
  try {
    job.run(0, 1);
  } catch (const std::invalid_argument& error) {
    args.fail(error.what());
    return nullptr;
  }
  return job.answer(args.env());
}

/** keywordBestLater(…): a promise of the same, which a thread of the pool works out. */
napi_value keywordBestLater(Arguments& args) {
  BestAsk ask = bestAskOf(args);
  if (args.failed()) return nullptr;
  const napi_value pinned = pinnedArguments(args, ask.question.slabs);
  return dispatch(args, std::make_shared<BestJob>(std::move(ask)), pinned);
}

/** keywordScores(slabs, lists, weights, lengths, count, norms, ids, scores) */
napi_value keywordScores(Arguments& args) {
  const Question question = questionOf(args);
  const auto ids = args.array<int32_t>(6, "ids");
  const auto scores = args.array<float>(7, "scores");
  args.expect(ids.size <= scores.size, "scores is too short");
  if (args.failed()) return nullptr;
  try {
    const std::vector<Run> runs = runsOf(question.pages, question.lists, question.chunks);
    scoresOf(runs, question.chunks, ids.data, ids.size, scores.data);
  } catch (const std::invalid_argument& error) {
    args.fail(error.what());
  }
  return nullptr;
}

}  // namespace

void definePostings(napi_env env, napi_value exports) {
  define(env, exports, "keywordBest", guarded<keywordBest>);
  define(env, exports, "keywordBestLater", guarded<keywordBestLater>);
  define(env, exports, "keywordScores", guarded<keywordScores>);
}

}  // namespace lectern
