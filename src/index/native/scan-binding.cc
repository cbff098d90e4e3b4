// The scan for JavaScript: see vector-addon.ts, which has its types.
#include "scan-binding.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "best.h"
#include "pool-binding.h"

namespace lectern {

namespace {

constexpr size_t kStrideUnit = 64;
/** A slot is a 32-bit number. */
constexpr size_t kMostSlots = 2147483647;

const char* nameOf(Simd one) {
  switch (one) {
    case Simd::avx2:
      return "avx2";
    case Simd::avx512:
      return "avx512";
    case Simd::dot:
      return "dot";
    default:
      return "plain";
  }
}

/** What this processor runs, the best first. */
napi_value levels(Arguments& args) {
  napi_value list = nullptr;
  napi_create_array(args.env(), &list);
  uint32_t count = 0;
  for (Simd one : {Simd::dot, Simd::avx512, Simd::avx2, Simd::plain}) {
    if (!runs(one)) continue;
    napi_value name = nullptr;
    napi_create_string_utf8(args.env(), nameOf(one), NAPI_AUTO_LENGTH, &name);
    napi_set_element(args.env(), list, count++, name);
  }
  return list;
}

/** For tests: the level that all scans of the process use from here on. */
napi_value useLevel(Arguments& args) {
  char name[16] = {};
  size_t length = 0;
  const bool isText = args.at(0) != nullptr &&
                      napi_get_value_string_utf8(args.env(), args.at(0), name, sizeof(name), &length) == napi_ok;
  for (Simd one : {Simd::dot, Simd::avx512, Simd::avx2, Simd::plain}) {
    if (!isText || std::string(name) != nameOf(one) || !runs(one)) continue;
    useSimd(one);
    return nullptr;
  }
  args.fail("no such level on this processor");
  return nullptr;
}

struct Query {
  Span<int16_t> values;
  float step = 0;
};

Query queryAt(Arguments& args, size_t index, size_t stride) {
  const Query query{args.array<int16_t>(index, "query"), static_cast<float>(args.number(index + 1, "step"))};
  if (args.failed()) return query;
  args.expect(stride > 0 && stride % kStrideUnit == 0, "stride must be a multiple of 64");
  args.expect(query.values.size == stride, "query must be as long as a row");
  if (args.failed()) return query;
  for (size_t i = 0; i < stride; i++)
    args.expect(query.values.data[i] >= -kMostSteps && query.values.data[i] <= kMostSteps, "query has too large steps");
  return query;
}

/** How many whole rows there are. */
size_t rowsIn(Span<int8_t> codes, Span<float> scales, size_t stride) {
  const size_t rows = codes.size / stride;
  return rows < scales.size ? rows : scales.size;
}

/** scan(codes, scales, stride, count, query, step, out): scores of the first `count` rows. */
napi_value scan(Arguments& args) {
  const auto codes = args.array<int8_t>(0, "codes");
  const auto scales = args.array<float>(1, "scales");
  const size_t stride = args.whole(2, "stride");
  const size_t count = args.whole(3, "count");
  const Query query = queryAt(args, 4, stride);
  const auto out = args.array<float>(6, "out");
  if (args.failed()) return nullptr;
  args.expect(count <= rowsIn(codes, scales, stride), "count is more than there are rows");
  args.expect(count <= out.size, "out is too short");
  if (args.failed()) return nullptr;
  const ScanQuery prepared(query.values.data, stride, query.step);
  const Rows all{codes.data, scales.data, stride};
  dotRows(usedSimd())(all, nullptr, 0, count, prepared, out.data);
  return nullptr;
}

/** Listed rows to be scored. */
struct GatherAsk {
  Rows rows{};
  std::vector<int32_t> slots;
  Query query;
  Span<float> out;
};

GatherAsk gatherAskOf(Arguments& args) {
  GatherAsk ask;
  const auto codes = args.array<int8_t>(0, "codes");
  const auto scales = args.array<float>(1, "scales");
  const size_t stride = args.whole(2, "stride");
  const auto slots = args.array<int32_t>(3, "slots");
  ask.query = queryAt(args, 4, stride);
  ask.out = args.array<float>(6, "out");
  if (args.failed()) return ask;
  args.expect(slots.size <= ask.out.size, "out is too short");
  const size_t rows = rowsIn(codes, scales, stride);
  // Copied before they are looked at, so that what was checked is what is read.
  ask.slots.assign(slots.data, slots.data + slots.size);
  for (const int32_t slot : ask.slots)
    args.expect(slot >= 0 && static_cast<size_t>(slot) < rows, "a slot is out of range");
  ask.rows = {codes.data, scales.data, stride};
  return ask;
}

class GatherJob : public Job {
 public:
  explicit GatherJob(GatherAsk ask)
      : ask_(std::move(ask)), query_(ask_.query.values.data, ask_.query.values.size, ask_.query.step) {}

  size_t pieces(size_t idle) override { return std::max<size_t>(1, std::min(idle, ask_.slots.size() / kLeastSlots)); }

  void run(size_t piece, size_t pieces) override {
    const size_t from = ask_.slots.size() * piece / pieces;
    const size_t to = ask_.slots.size() * (piece + 1) / pieces;
    dotRows(usedSimd())(ask_.rows, ask_.slots.data() + from, 0, to - from, query_, ask_.out.data + from);
  }

  napi_value answer(napi_env) override { return nullptr; }

 private:
  static constexpr size_t kLeastSlots = 4096;

  GatherAsk ask_;
  ScanQuery query_;
};

/** gather(codes, scales, stride, slots, query, step, out): scores of the listed rows, in their order. */
napi_value gather(Arguments& args) {
  GatherAsk ask = gatherAskOf(args);
  if (!args.failed()) GatherJob(std::move(ask)).run(0, 1);
  return nullptr;
}

/** gatherLater(…): a promise of the same. */
napi_value gatherLater(Arguments& args) {
  GatherAsk ask = gatherAskOf(args);
  if (args.failed()) return nullptr;
  return dispatch(args, std::make_shared<GatherJob>(std::move(ask)), pinnedArguments(args));
}

/** sketch(codes, scales, stride, dimensions, first, count, words, factors, errors) */
napi_value sketchRows(Arguments& args) {
  const auto codes = args.array<int8_t>(0, "codes");
  const auto scales = args.array<float>(1, "scales");
  const size_t stride = args.whole(2, "stride");
  const size_t dimensions = args.whole(3, "dimensions");
  const size_t first = args.whole(4, "first");
  const size_t count = args.whole(5, "count");
  const auto words = args.array<uint32_t>(6, "words");
  const auto factors = args.array<float>(7, "factors");
  const auto errors = args.array<float>(8, "errors");
  if (args.failed()) return nullptr;
  args.expect(stride > 0 && stride % kStrideUnit == 0 && dimensions > 0 && dimensions <= stride,
              "stride must be a multiple of 64 and not less than the dimensions");
  if (args.failed()) return nullptr;
  const size_t blocks = (first + count + kBlock - 1) / kBlock;
  args.expect(first + count <= rowsIn(codes, scales, stride), "count is more than there are rows");
  args.expect(blocks * kBlock * columnsOf(dimensions) <= words.size, "words is too short");
  args.expect(blocks * kBlock <= factors.size && blocks <= errors.size, "factors or errors is too short");
  if (args.failed()) return nullptr;
  for (size_t slot = first; slot < first + count; slot++)
    sketch({words.data, factors.data, errors.data}, slot, codes.data + slot * stride, scales.data[slot], dimensions);
  return nullptr;
}

/** The properties of a part as JavaScript has them. */
enum Property { kCodes, kScales, kWords, kFactors, kErrors, kCount, kSketched, kBase, kProperties };
using PartValues = std::array<napi_value, kProperties>;

/** Everything is read from the objects before any array is looked at: reading a property may run JavaScript. */
std::vector<PartValues> partValuesAt(Arguments& args, size_t index) {
  constexpr const char* names[kProperties] = {"codes", "scales", "words", "factors", "errors", "count", "sketched", "base"};
  std::vector<PartValues> parts;
  bool isArray = false;
  uint32_t count = 0;
  if (args.at(index) == nullptr || napi_is_array(args.env(), args.at(index), &isArray) != napi_ok || !isArray ||
      napi_get_array_length(args.env(), args.at(index), &count) != napi_ok) {
    args.fail("parts must be an array");
    return parts;
  }
  for (uint32_t i = 0; i < count && !args.failed(); i++) {
    napi_value element = nullptr;
    args.expect(napi_get_element(args.env(), args.at(index), i, &element) == napi_ok, "parts cannot be read");
    PartValues part{};
    for (size_t at = 0; at < kProperties; at++) part[at] = args.property(element, names[at]);
    parts.push_back(part);
  }
  return parts;
}

Part partOf(Arguments& args, const PartValues& values, size_t stride, size_t columns) {
  const auto codes = args.arrayOf<int8_t>(values[kCodes], "codes");
  const auto scales = args.arrayOf<float>(values[kScales], "scales");
  const auto words = args.arrayOf<uint32_t>(values[kWords], "words");
  const auto factors = args.arrayOf<float>(values[kFactors], "factors");
  const auto errors = args.arrayOf<float>(values[kErrors], "errors");
  const size_t count = args.wholeOf(values[kCount], "count");
  const size_t sketched = args.wholeOf(values[kSketched], "sketched");
  const size_t base = args.wholeOf(values[kBase], "base");
  if (args.failed()) return {};
  args.expect(count <= rowsIn(codes, scales, stride), "count is more than there are rows");
  args.expect(sketched % kBlock == 0 && sketched <= count, "sketched must be whole blocks");
  args.expect(sketched * columns <= words.size && sketched <= factors.size && sketched / kBlock <= errors.size,
              "words, factors or errors is too short");
  args.expect(base + count <= kMostSlots, "base is too large");
  return {{codes.data, scales.data, stride}, {words.data, factors.data, errors.data}, count, sketched, base};
}

/** What is asked of the best of a scan, checked. */
struct BestAsk {
  std::vector<Part> parts;
  Span<float> unit;
  Query query;
  Filter filter;
  float bottom = 0;
  Span<int32_t> slots;
  Span<float> scores;
  /** The arrays of the parts. */
  std::vector<napi_value> arrays;
};

BestAsk bestAskOf(Arguments& args) {
  BestAsk ask;
  const std::vector<PartValues> partValues = partValuesAt(args, 0);
  ask.unit = args.array<float>(1, "unit");
  const auto values = args.array<int16_t>(2, "query");
  ask.query = queryAt(args, 2, values.size);
  if (args.failed()) return ask;
  for (size_t i = 0; i < ask.unit.size; i++) args.expect(std::isfinite(ask.unit.data[i]), "unit must be finite");
  args.expect(ask.unit.size <= values.size, "unit must not be longer than a row");
  size_t owned = kMostSlots;
  if (!args.isNull(4)) {
    const auto owners = args.array<int32_t>(4, "owners");
    const auto allowed = args.array<int32_t>(5, "allowed");
    ask.filter = {owners.data, reinterpret_cast<const uint32_t*>(allowed.data), allowed.size};
    owned = owners.size;
  }
  ask.bottom = static_cast<float>(args.number(6, "bottom"));
  ask.slots = args.array<int32_t>(7, "slots");
  ask.scores = args.array<float>(8, "scores");
  args.expect(ask.slots.size == ask.scores.size, "slots and scores must be of one length");
  if (args.failed()) return ask;
  size_t next = 0;
  for (const PartValues& one : partValues) {
    const Part part = partOf(args, one, values.size, columnsOf(ask.unit.size));
    args.expect(part.base >= next, "parts must be in ascending order");
    next = part.base + part.count;
    args.expect(next <= owned, "owners is too short");
    ask.parts.push_back(part);
    ask.arrays.insert(ask.arrays.end(), one.begin(), one.begin() + kCount);
  }
  return ask;
}

napi_value countOf(napi_env env, size_t count) {
  napi_value value = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(count), &value);
  return value;
}

/** Answers how many there are. */
napi_value told(napi_env env, const std::vector<Hit>& hits, const BestAsk& ask) {
  for (size_t i = 0; i < hits.size(); i++) {
    ask.slots.data[i] = hits[i].slot;
    ask.scores.data[i] = hits[i].score;
  }
  return countOf(env, hits.size());
}

/** A scan for the best that can be cut. */
class BestJob : public Job {
 public:
  explicit BestJob(BestAsk ask)
      : ask_(std::move(ask)), query_(ask_.query.values.data, ask_.query.values.size, ask_.query.step) {}

  size_t pieces(size_t idle) override {
    size_t slots = 0;
    for (const Part& part : ask_.parts) slots += part.count;
    found_.resize(std::max<size_t>(1, std::min(idle, slots / kLeastSlots)));
    return found_.size();
  }

  void run(size_t piece, size_t pieces) override {
    const size_t columns = columnsOf(ask_.unit.size);
    std::unique_ptr<SketchQuery> sketchQuery;
    if (columns > 0) sketchQuery = std::make_unique<SketchQuery>(ask_.unit.data, ask_.unit.size);
    BestScan scan(usedSimd(), query_, sketchQuery.get(), ask_.filter);
    found_[piece] = scan.run(pieceOf(ask_.parts, piece, pieces, columns), ask_.slots.size, ask_.bottom);
  }

  void join() override {
    if (found_.size() > 1) found_ = {bestOfAll(found_, ask_.slots.size)};
  }

  napi_value answer(napi_env env) override { return told(env, found_.front(), ask_); }

 private:
  /** With fewer in a piece, another thread costs more than it spares. */
  static constexpr size_t kLeastSlots = 16384;

  BestAsk ask_;
  ScanQuery query_;
  std::vector<std::vector<Hit>> found_;
};

/**
 * best(parts, unit, query, step, owners, allowed, bottom, slots, scores): fills `slots` and `scores` with the best above
 * `bottom`, best first, and answers how many there are. A `unit` of no components leaves sketches alone.
 */
napi_value best(Arguments& args) {
  BestAsk ask = bestAskOf(args);
  if (args.failed()) return nullptr;
  BestJob job(std::move(ask));
  job.pieces(1);
  job.run(0, 1);
  return job.answer(args.env());
}

/** bestLater(…): a promise of the same, which threads of the pool work out. */
napi_value bestLater(Arguments& args) {
  BestAsk ask = bestAskOf(args);
  if (args.failed()) return nullptr;
  // What was read from the parts is pinned, whatever the objects come to have.
  const napi_value pinned = pinnedArguments(args, ask.arrays);
  return dispatch(args, std::make_shared<BestJob>(std::move(ask)), pinned);
}

}  // namespace

void defineScan(napi_env env, napi_value exports) {
  define(env, exports, "levels", guarded<levels>);
  define(env, exports, "useLevel", guarded<useLevel>);
  define(env, exports, "scan", guarded<scan>);
  define(env, exports, "gather", guarded<gather>);
  define(env, exports, "gatherLater", guarded<gatherLater>);
  define(env, exports, "sketch", guarded<sketchRows>);
  define(env, exports, "best", guarded<best>);
  define(env, exports, "bestLater", guarded<bestLater>);
}

}  // namespace lectern
