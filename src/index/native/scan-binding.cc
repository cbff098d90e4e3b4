// The scan for JavaScript: see vector-addon.ts, which has its types.
#include "scan-binding.h"

#include <array>
#include <vector>

#include "arguments.h"
#include "best.h"

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

/** gather(codes, scales, stride, slots, query, step, out): scores of the listed rows, in their order. */
napi_value gather(Arguments& args) {
  const auto codes = args.array<int8_t>(0, "codes");
  const auto scales = args.array<float>(1, "scales");
  const size_t stride = args.whole(2, "stride");
  const auto slots = args.array<int32_t>(3, "slots");
  const Query query = queryAt(args, 4, stride);
  const auto out = args.array<float>(6, "out");
  if (args.failed()) return nullptr;
  args.expect(slots.size <= out.size, "out is too short");
  const size_t rows = rowsIn(codes, scales, stride);
  // Copied before they are looked at, so that what was checked is what is read.
  const std::vector<int32_t> list(slots.data, slots.data + slots.size);
  for (const int32_t slot : list) args.expect(slot >= 0 && static_cast<size_t>(slot) < rows, "a slot is out of range");
  if (args.failed()) return nullptr;
  const ScanQuery prepared(query.values.data, stride, query.step);
  const Rows all{codes.data, scales.data, stride};
  dotRows(usedSimd())(all, list.data(), 0, list.size(), prepared, out.data);
  return nullptr;
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

/**
 * best(parts, unit, query, step, owners, allowed, bottom, slots, scores): fills `slots` and `scores` with the best above
 * `bottom`, best first, and answers how many there are. A `unit` of no components leaves sketches alone.
 */
napi_value best(Arguments& args) {
  const std::vector<PartValues> partValues = partValuesAt(args, 0);
  const auto unit = args.array<float>(1, "unit");
  const auto values = args.array<int16_t>(2, "query");
  const Query query = queryAt(args, 2, values.size);
  if (args.failed()) return nullptr;
  for (size_t i = 0; i < unit.size; i++) args.expect(std::isfinite(unit.data[i]), "unit must be finite");
  args.expect(unit.size <= query.values.size, "unit must not be longer than a row");
  Filter filter;
  size_t owned = kMostSlots;
  if (!args.isNull(4)) {
    const auto owners = args.array<int32_t>(4, "owners");
    const auto allowed = args.array<int32_t>(5, "allowed");
    filter = {owners.data, reinterpret_cast<const uint32_t*>(allowed.data), allowed.size};
    owned = owners.size;
  }
  const double bottom = args.number(6, "bottom");
  const auto slots = args.array<int32_t>(7, "slots");
  const auto scores = args.array<float>(8, "scores");
  args.expect(slots.size == scores.size, "slots and scores must be of one length");
  if (args.failed()) return nullptr;
  std::vector<Part> parts;
  size_t next = 0;
  for (const PartValues& one : partValues) {
    const Part part = partOf(args, one, query.values.size, columnsOf(unit.size));
    args.expect(part.base >= next, "parts must be in ascending order");
    next = part.base + part.count;
    args.expect(next <= owned, "owners is too short");
    parts.push_back(part);
  }
  if (args.failed()) return nullptr;
  const ScanQuery prepared(query.values.data, query.values.size, query.step);
  std::vector<Hit> hits;
  if (unit.size > 0) {
    const SketchQuery sketchQuery(unit.data, unit.size);
    hits = BestScan(usedSimd(), prepared, &sketchQuery, filter).run(parts, slots.size, static_cast<float>(bottom));
  } else {
    hits = BestScan(usedSimd(), prepared, nullptr, filter).run(parts, slots.size, static_cast<float>(bottom));
  }
  for (size_t i = 0; i < hits.size(); i++) {
    slots.data[i] = hits[i].slot;
    scores.data[i] = hits[i].score;
  }
  napi_value count = nullptr;
  napi_create_uint32(args.env(), static_cast<uint32_t>(hits.size()), &count);
  return count;
}

}  // namespace

void defineScan(napi_env env, napi_value exports) {
  define(env, exports, "levels", guarded<levels>);
  define(env, exports, "useLevel", guarded<useLevel>);
  define(env, exports, "scan", guarded<scan>);
  define(env, exports, "gather", guarded<gather>);
  define(env, exports, "sketch", guarded<sketchRows>);
  define(env, exports, "best", guarded<best>);
}

}  // namespace lectern
