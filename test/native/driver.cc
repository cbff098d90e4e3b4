// Runs the kernels and the graph against plain loops, with sizes by chance and files that were damaged, in a build with
// sanitizers: every array is on the heap and exactly as long as it says.  driver SEED SECONDS DIRECTORY [pool]
// With "pool" only what several threads do.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../../src/index/native/best.h"
#include "../../src/index/native/graph.h"
#include "../../src/index/native/mapping.h"
#include "../../src/index/native/pool.h"
#include "../../src/index/native/postings.h"

using namespace lectern;

namespace {

std::mt19937 engine;

size_t below(size_t limit) { return limit == 0 ? 0 : engine() % limit; }

float gauss() { return std::normal_distribution<float>()(engine); }

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

std::vector<Simd> levels() {
  std::vector<Simd> found;
  for (Simd one : {Simd::plain, Simd::avx2, Simd::avx512, Simd::dot})
    if (runs(one)) found.push_back(one);
  return found;
}

std::vector<float> unitVectors(size_t count, size_t dimensions) {
  std::vector<float> all(count * dimensions);
  for (size_t i = 0; i < count; i++) {
    float* vector = all.data() + i * dimensions;
    const size_t kind = below(8);
    if (kind == 0) continue;
    for (size_t d = 0; d < dimensions; d++) vector[d] = kind == 1 ? (d == i % dimensions ? 1.0F : 0.0F) : gauss();
    float squares = 0;
    for (size_t d = 0; d < dimensions; d++) squares += vector[d] * vector[d];
    for (size_t d = 0; d < dimensions && squares > 0; d++) vector[d] /= std::sqrt(squares);
  }
  return all;
}

/** What a segment has. */
struct Store {
  Store(size_t slots, size_t dims) : dimensions(dims), count(slots), stride((dims + 63) / 64 * 64) {
    const std::vector<float> vectors = unitVectors(count, dimensions);
    const size_t blocks = (count + kBlock - 1) / kBlock;
    codes.resize(count * stride);
    scales.resize(count);
    words.resize(blocks * kBlock * columnsOf(dimensions));
    factors.resize(blocks * kBlock);
    errors.resize(blocks);
    for (size_t i = 0; i < count; i++) {
      float largest = 0;
      for (size_t d = 0; d < dimensions; d++) largest = std::max(largest, std::fabs(vectors[i * dimensions + d]));
      scales[i] = largest / 127;
      for (size_t d = 0; d < dimensions && largest > 0; d++)
        codes[i * stride + d] = static_cast<int8_t>(std::lrint(vectors[i * dimensions + d] / scales[i]));
      sketch({words.data(), factors.data(), errors.data()}, i, codes.data() + i * stride, scales[i], dimensions);
    }
  }

  Part part(size_t base) {
    return {{codes.data(), scales.data(), stride},
            {words.data(), factors.data(), errors.data()},
            count,
            count - count % kBlock,
            base};
  }

  size_t dimensions;
  size_t count;
  size_t stride;
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<uint32_t> words;
  std::vector<float> factors;
  std::vector<float> errors;
};

float plainScore(const Store& store, size_t row, const ScanQuery& query) {
  int64_t sum = 0;
  for (size_t d = 0; d < store.stride; d++)
    sum += static_cast<int64_t>(store.codes[row * store.stride + d]) * query.values[d];
  return static_cast<float>(static_cast<int32_t>(sum)) * store.scales[row] * query.step;
}

void checkScan() {
  const size_t dimensions = 1 + below(below(4) == 0 ? 700 : 200);
  Store first(below(below(3) == 0 ? 3000 : 100), dimensions);
  Store second(below(200), dimensions);
  const std::vector<float> unit = unitVectors(1, dimensions);
  std::vector<int16_t> values(first.stride);
  for (size_t d = 0; d < dimensions; d++) values[d] = static_cast<int16_t>(std::lrint(unit[d] * 8191));
  const ScanQuery query(values.data(), values.size(), 1.0F / 8191);
  const SketchQuery sketchQuery(unit.data(), dimensions);
  std::vector<Hit> all;
  for (size_t i = 0; i < first.count; i++) all.push_back({plainScore(first, i, query), static_cast<int32_t>(i)});
  for (size_t i = 0; i < second.count; i++)
    all.push_back({plainScore(second, i, query), static_cast<int32_t>(first.count + i)});
  std::vector<int32_t> owners(all.size());
  for (int32_t& owner : owners) owner = static_cast<int32_t>(engine());
  std::vector<uint32_t> words(below(64));
  for (uint32_t& word : words) word = static_cast<uint32_t>(engine());
  for (int32_t& owner : owners) owner = below(3) == 0 ? owner : static_cast<int32_t>(below(words.size() * 40 + 1));
  for (Simd level : levels()) {
    std::vector<float> scores(first.count);
    const Rows rows{first.codes.data(), first.scales.data(), first.stride};
    dotRows(level)(rows, nullptr, 0, first.count, query, scores.data());
    for (size_t i = 0; i < first.count; i++) require(scores[i] == all[i].score, "a score is that of a plain loop");
    for (const bool isFiltered : {false, true}) {
      Filter filter;
      if (isFiltered) filter = {owners.data(), words.data(), words.size()};
      const float bottom = below(2) == 0 ? -INFINITY : 0.1F * gauss();
      std::vector<Hit> expected;
      for (const Hit& hit : all)
        if (hit.score > bottom && filter.has(static_cast<size_t>(hit.slot))) expected.push_back(hit);
      std::sort(expected.begin(), expected.end(), isBetter);
      const size_t limit = below(all.size() + 2);
      expected.resize(std::min(expected.size(), limit));
      const auto* sketches = below(4) == 0 ? nullptr : &sketchQuery;
      const auto found = BestScan(level, query, sketches, filter).run({first.part(0), second.part(first.count)}, limit, bottom);
      require(found.size() == expected.size(), "as many are found as there are");
      for (size_t i = 0; i < found.size(); i++)
        require(found[i].slot == expected[i].slot && found[i].score == expected[i].score, "the best are the best");
    }
  }
}

/** Numbers that nobody would write: nothing may be read or written outside, whatever comes out. */
void checkHostileScan() {
  Store store(1 + below(300), 1 + below(200));
  for (auto* list : {&store.scales, &store.factors, &store.errors})
    for (float& value : *list)
      if (below(4) == 0) value = std::vector<float>{NAN, INFINITY, -INFINITY, 3e38F, 1e-45F, -1}[below(6)];
  for (uint32_t& word : store.words) word = static_cast<uint32_t>(engine());
  for (int8_t& code : store.codes) code = static_cast<int8_t>(engine());
  std::vector<int16_t> values(store.stride);
  for (int16_t& value : values) value = static_cast<int16_t>(static_cast<int>(below(2 * kMostSteps + 1)) - kMostSteps);
  const ScanQuery query(values.data(), values.size(), std::vector<float>{NAN, INFINITY, 0, 1}[below(4)]);
  std::vector<float> unit(store.dimensions);
  for (float& value : unit) value = below(3) == 0 ? 3e38F : gauss();
  const SketchQuery sketchQuery(unit.data(), unit.size());
  const Filter filter;
  for (Simd level : levels())
    BestScan(level, query, &sketchQuery, filter).run({store.part(0)}, below(store.count + 1), gauss());
}

std::vector<char> bytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void checkDamaged(const std::string& path, size_t dimensions, size_t count) {
  const std::vector<char> right = bytesOf(path);
  const std::string broken = path + ".broken";
  for (int round = 0; round < 40; round++) {
    std::vector<char> bytes = right;
    const size_t end = round % 3 == 0 ? std::min<size_t>(96, bytes.size()) : bytes.size();
    for (size_t n = 1 + below(3); n > 0; n--) bytes[below(end)] = static_cast<char>(std::vector<int>{0, 1, 127, -1}[below(4)]);
    if (below(5) == 0) bytes.resize(below(bytes.size()));
    std::ofstream(broken, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    try {
      Graph graph(broken, dimensions, count);
      const std::vector<float> more = unitVectors(6, dimensions);
      graph.search(more.data(), 5, 30, {});
      graph.reserve(count + 6);
      graph.add(more.data(), 6, 2);
      graph.search(more.data(), 5, 30, {});
    } catch (const std::exception&) {
      // Being refused is what is hoped for.
    }
  }
}

void checkGraph(const std::string& directory) {
  const size_t dimensions = 1 + below(80);
  const size_t count = 1 + below(400);
  const std::vector<float> vectors = unitVectors(count, dimensions);
  useSimd(levels()[below(levels().size())]);
  Graph graph(GraphSettings{dimensions, below(50), 2 + below(12), 1 + below(80)});
  for (size_t at = 0; at < count;) {
    const size_t here = std::min(count - at, 1 + below(90));
    graph.reserve(at + here);
    graph.add(vectors.data() + at * dimensions, here, 1 + below(4));
    at += here;
  }
  const std::string path = directory + "/graph.hnsw";
  graph.save(path);
  Graph again(path, dimensions, count);
  std::vector<int32_t> owners(count);
  for (int32_t& owner : owners) owner = static_cast<int32_t>(below(200)) - 20;
  const std::vector<uint32_t> words = {0xf0f0f0f0U, static_cast<uint32_t>(engine())};
  for (int round = 0; round < 5; round++) {
    const std::vector<float> query = unitVectors(1, dimensions);
    const size_t k = below(count + 5);
    const auto found = graph.search(query.data(), k, below(100), {});
    const auto same = again.search(query.data(), k, std::max<size_t>(k, 1), {});
    require(found.size() <= k && same.size() <= k, "no more are found than asked for");
    for (const Neighbour& one : found) {
      require(one.label >= 0 && static_cast<size_t>(one.label) < count, "labels are those that were given");
      float sum = 0;
      for (size_t d = 0; d < dimensions; d++) sum += vectors[static_cast<size_t>(one.label) * dimensions + d] * query[d];
      require(std::fabs(sum - one.similarity) < 1e-4F, "similarities are inner products");
    }
    const LabelFilter filter{owners.data(), below(count + 1), words.data(), words.size()};
    for (const Neighbour& one : graph.search(query.data(), k, 50, filter)) {
      const auto owner = static_cast<uint32_t>(owners[static_cast<size_t>(one.label)]);
      require(static_cast<size_t>(one.label) < filter.labels && owner < 64 && ((words[owner / 32] >> (owner % 32)) & 1) != 0,
              "only labels of owners in the set are found");
    }
  }
  checkDamaged(path, dimensions, count);
}

/** A file of so many bytes, all of them 7. */
void writeSevens(const std::string& path, size_t bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const std::string sevens(bytes, '\7');
  file.write(sevens.data(), static_cast<std::streamsize>(bytes));
  require(static_cast<bool>(file.flush()), "the file is written");
}

/** Whether a mapping has only sevens, and zeros where pages are gone. */
void readAll(const Mapping* mapping) {
  const auto* bytes = static_cast<const unsigned char*>(mapping->data());
  for (size_t i = 0; i < mapping->size(); i += 1 + i % 61)
    require(bytes[i] == 7 || bytes[i] == 0, "a mapping has what was in the file, or zeros");
}

/** Files that are cut short while threads read them; entries of the list are used again. */
void checkMapping(const std::string& directory) {
  const std::string path = directory + "/mapped";
  std::vector<Mapping*> open;
  for (int round = 0; round < 8; round++) {
    const size_t bytes = 1 + below(3 << 20);
    writeSevens(path + std::to_string(round), bytes);
    Mapping* const mapping = Mapping::open(path + std::to_string(round), bytes);
    require(Mapping::at(mapping->data()) == mapping, "a mapping is found");
    require(mapping->isIntact(), "a mapping is intact at first");
    mapping->populate(below(bytes), bytes);
    require(mapping->isResident(0, bytes), "what was just written is in the page cache");
    auto* own = static_cast<unsigned char*>(mapping->data());
    own[below(bytes)] = 7;
    require(mapping->isIntact(), "what is written to a mapping is not the file's");
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; i++) readers.emplace_back([=] { for (int k = 0; k < 4; k++) readAll(mapping); });
    const bool isCut = below(2) == 0;
    if (isCut) std::ofstream(path + std::to_string(round), std::ios::trunc);
    for (std::thread& reader : readers) reader.join();
    readAll(mapping);
    require(mapping->isIntact() != isCut, "a mapping says whether its file was cut short");
    mapping->populate(0, bytes);
    if (below(2) == 0) Mapping::close(mapping);
    else open.push_back(mapping);
  }
  for (Mapping* const mapping : open) {
    const void* const data = mapping->data();
    Mapping::close(mapping);
    require(Mapping::at(data) == nullptr, "a mapping that is closed is not found");
  }
  bool isRefused = false;
  try {
    Mapping::open(path + "0", (3 << 20) + 5);
  } catch (const std::exception&) {
    isRefused = true;
  }
  require(isRefused, "a file of another length is refused");
}

/** Told of what is done. */
class Counter : public Customer {
 public:
  void done(std::shared_ptr<Work> work, std::string failure) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_.push_back({std::move(work), std::move(failure)});
    changed_.notify_all();
  }
  void await(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return ended_.size() >= count; });
  }
  std::vector<std::pair<std::shared_ptr<Work>, std::string>> taken() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::move(ended_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::shared_ptr<Work>, std::string>> ended_;
};

/** A scan in pieces, as scan-binding.cc does it; or one that fails. */
class ScanWork : public Work {
 public:
  ScanWork(std::vector<Part> parts, const ScanQuery& query, const SketchQuery& sketchQuery, size_t limit, size_t most)
      : parts_(std::move(parts)), query_(query), sketchQuery_(sketchQuery), limit_(limit), most_(most) {}

  size_t pieces(size_t idle) override {
    found_.resize(std::max<size_t>(1, std::min(idle + 1, most_)));
    return found_.size();
  }
  void run(size_t piece, size_t pieces) override {
    if (most_ == 0) throw std::runtime_error("as asked");
    const Filter everyone;
    found_[piece] = BestScan(usedSimd(), query_, &sketchQuery_, everyone)
                        .run(pieceOf(parts_, piece, pieces, sketchQuery_.columns), limit_, -INFINITY);
  }
  void join() override { best = bestOfAll(found_, limit_); }

  std::vector<Hit> best;

 private:
  std::vector<Part> parts_;
  const ScanQuery& query_;
  const SketchQuery& sketchQuery_;
  size_t limit_;
  size_t most_;
  std::vector<std::vector<Hit>> found_;
};

class WalkWork : public Work {
 public:
  WalkWork(const Graph& graph, const float* query, size_t k) : graph_(graph), query_(query), k_(k) {}
  void run(size_t, size_t) override { found = graph_.search(query_, k_, 40, {}); }
  std::vector<Neighbour> found;

 private:
  const Graph& graph_;
  const float* query_;
  size_t k_;
};

/** What threads find is what one finds, while rows are added behind those that are looked at, and threads come and go. */
void checkPool() {
  const size_t dimensions = 1 + below(150);
  Store store(64 + below(1000), dimensions);
  Store other(below(300), dimensions);
  const std::vector<float> unit = unitVectors(1, dimensions);
  std::vector<int16_t> values(store.stride);
  for (size_t d = 0; d < dimensions; d++) values[d] = static_cast<int16_t>(std::lrint(unit[d] * 8191));
  const ScanQuery query(values.data(), values.size(), 1.0F / 8191);
  const SketchQuery sketchQuery(unit.data(), dimensions);
  // The last rows come while others are searched.
  Part first = store.part(0);
  first.count = store.count - 1 - below(40);
  first.sketched = first.count - first.count % kBlock;
  const Part second = other.part(store.count);
  const size_t limit = 1 + below(60);
  const Filter everyone;
  const auto expected = BestScan(usedSimd(), query, &sketchQuery, everyone).run({first, second}, limit, -INFINITY);
  const size_t count = 1 + below(200);
  const std::vector<float> vectors = unitVectors(count, dimensions);
  Graph graph(GraphSettings{dimensions, count, 4, 20});
  graph.add(vectors.data(), count, 1);
  const auto walked = graph.search(unit.data(), 10, 40, {});

  Counter customer;
  Counter gone;
  Pool pool;
  pool.resize(below(4));
  size_t submitted = 0;
  for (int i = 0; i < 40; i++) {
    if (below(8) == 0) pool.resize(below(5));
    if (below(4) == 0) pool.submit(std::make_shared<WalkWork>(graph, unit.data(), 10), customer);
    else pool.submit(std::make_shared<ScanWork>(std::vector<Part>{first, second}, query, sketchQuery, limit, below(5)), customer);
    submitted++;
    if (below(3) == 0)
      pool.submit(std::make_shared<ScanWork>(std::vector<Part>{first, second}, query, sketchQuery, limit, 2), gone);
    const size_t row = first.count + below(store.count - first.count);
    store.codes[row * store.stride] = static_cast<int8_t>(below(100));
    store.scales[row] = 0.01F;
    sketch({store.words.data(), store.factors.data(), store.errors.data()}, row, store.codes.data() + row * store.stride,
           store.scales[row], dimensions);
  }
  pool.withdraw(gone);
  const size_t told = gone.taken().size();
  customer.await(submitted);
  require(gone.taken().empty() && told <= 40, "who withdrew hears nothing more");
  for (const auto& [work, failure] : customer.taken()) {
    if (const auto* walk = dynamic_cast<const WalkWork*>(work.get())) {
      require(failure.empty() && walk->found.size() == walked.size(), "a walk beside others finds as much");
      for (size_t i = 0; i < walked.size(); i++) require(walk->found[i].label == walked[i].label, "and the same");
    } else if (failure.empty()) {
      const auto& best = static_cast<const ScanWork*>(work.get())->best;
      require(best.size() == expected.size(), "pieces find as many as the whole");
      for (size_t i = 0; i < best.size(); i++)
        require(best[i].slot == expected[i].slot && best[i].score == expected[i].score, "and the same");
    } else {
      require(failure == "as asked", "a failure is told in its words");
    }
  }
}

/** Lists of postings as postings.ts lays them out, in a slab of whole pages on the heap. */
struct Lists {
  explicit Lists(size_t chunkCount) : chunks(chunkCount), lengths(chunkCount) {
    for (float& length : lengths) length = static_cast<float>(below(300));
  }

  void add(const std::vector<int32_t>& postings, bool isAscending, double weight) {
    TermList list{0, postings.size(), isAscending, weight};
    int32_t* link = &list.head;
    size_t linkAt = SIZE_MAX;
    for (size_t done = 0, size = 4; done < postings.size(); size = std::min<size_t>(size * 2, 2048)) {
      if (numbers.size() / 32768 != (numbers.size() + size - 1) / 32768) numbers.resize((numbers.size() / 32768 + 1) * 32768);
      const size_t at = numbers.size();
      numbers.resize(at + size);
      if (linkAt == SIZE_MAX) *link = static_cast<int32_t>(at + 1);
      else numbers[linkAt] = static_cast<int32_t>(at + 1);
      linkAt = at;
      const size_t first = size == 2048 ? 64 : 1;
      const size_t here = std::min(size - first, postings.size() - done);
      std::copy_n(postings.begin() + static_cast<std::ptrdiff_t>(done), here, numbers.begin() + static_cast<std::ptrdiff_t>(at + first));
      if (size == 2048) seal(at, here / 64);
      done += here;
    }
    lists.push_back(list);
  }

  void seal(size_t block, size_t stretches) {
    numbers[block + 1] = bitsOf(average);
    for (size_t i = 0; i < stretches; i++) {
      const int32_t* postings = numbers.data() + block + 64 * (i + 1);
      double least = INFINITY;
      uint32_t most = 0;
      for (size_t at = 0; at < 64; at++) {
        if (at > 0 && ordinalIn(postings[at]) <= ordinalIn(postings[at - 1])) most = 256;
        most = std::max(most, frequencyIn(postings[at]));
        const double norm = 0.36 + 0.54 / average * lengths[ordinalIn(postings[at])];
        least = std::min(least, norm / frequencyIn(postings[at]));
      }
      numbers[block + 2 + i] = static_cast<int32_t>((ordinalIn(postings[63]) << 8) | (most & 255));
      numbers[block + 33 + i] = bitsOf(static_cast<float>(least));
    }
  }

  static int32_t bitsOf(float value) {
    int32_t bits = 0;
    std::copy_n(reinterpret_cast<const char*>(&value), sizeof(bits), reinterpret_cast<char*>(&bits));
    return bits;
  }

  size_t chunks;
  float average = 150;
  std::vector<float> lengths;
  std::vector<int32_t> numbers;
  std::vector<TermList> lists;
};

void checkPostings(bool isHostile) {
  Lists all(1 + below(below(3) == 0 ? 30000 : 300));
  const size_t terms = 1 + below(8);
  std::vector<std::vector<int32_t>> postings(terms);
  for (std::vector<int32_t>& list : postings) {
    const size_t stride = 1 + below(below(2) == 0 ? 3 : 200);
    for (size_t ordinal = below(stride); ordinal < all.chunks; ordinal += 1 + below(stride))
      list.push_back(static_cast<int32_t>((ordinal << 8) | (1 + below(below(4) == 0 ? 255 : 4))));
    // Some runs one after the other.
    const bool isAscending = below(3) != 0 || list.size() < 2;
    if (!isAscending) std::rotate(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(1 + below(list.size() - 1)), list.end());
    if (!isAscending && below(2) == 0) std::shuffle(list.begin(), list.end(), engine);
    all.add(list, isAscending, 0.01 * static_cast<double>(1 + below(500)));
  }
  all.numbers.resize((all.numbers.size() / 32768 + 1) * 32768);
  if (isHostile)
    for (size_t n = 1 + below(200); n > 0; n--) all.numbers[below(std::min<size_t>(all.numbers.size(), 20000))] = static_cast<int32_t>(engine());
  const float average = below(2) == 0 ? 150.0F : static_cast<float>(1 + below(400));
  const ChunkLengths chunks{all.lengths.data(), all.chunks, 0.36, 0.54 / average, average};
  PostingPages pages;
  pages.add(all.numbers.data(), all.numbers.size());
  std::vector<uint32_t> words(below(all.chunks / 32 + 3));
  for (uint32_t& word : words) word = static_cast<uint32_t>(engine()) & static_cast<uint32_t>(engine());
  AllowedChunks allowed;
  if (below(2) == 0 && !words.empty()) allowed = {words.data(), words.size()};
  const size_t limit = 1 + below(150);
  std::vector<ScoredChunk> found;
  try {
    const std::vector<Run> runs = runsOf(pages, all.lists, chunks);
    found = bestChunks(runs, chunks, allowed, limit);
  } catch (const std::invalid_argument&) {
    require(isHostile, "what is right is not refused");
    return;
  }
  if (isHostile) return;
  std::vector<float> scores(all.chunks);
  for (size_t term = 0; term < terms; term++)
    for (const int32_t one : postings[term]) {
      float& score = scores[ordinalIn(one)];
      score = static_cast<float>(static_cast<double>(score) + chunks.contribution(all.lists[term].weight, one));
    }
  std::vector<ScoredChunk> expected;
  for (size_t i = 0; i < all.chunks; i++)
    if (scores[i] > 0 && allowed.has(static_cast<uint32_t>(i))) expected.push_back({scores[i], static_cast<uint32_t>(i)});
  std::sort(expected.begin(), expected.end(), IsBefore());
  expected.resize(std::min(expected.size(), limit));
  require(found.size() == expected.size(), "as many chunks are found as there are");
  for (size_t i = 0; i < found.size(); i++)
    require(found[i].ordinal == expected[i].ordinal && found[i].score == expected[i].score, "the best chunks are the best");
}

}  // namespace

int main(int count, char** args) {
  if (count != 4 && count != 5) return 2;
  const bool isPool = count == 5;
  engine.seed(static_cast<unsigned>(std::atoi(args[1])));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(args[2]));
  int rounds = 0;
  do {
    checkPool();
    if (!isPool) checkScan();
    if (!isPool) checkHostileScan();
    for (int i = 0; !isPool && i < 4; i++) checkPostings(i % 2 == 1);
    if (!isPool && rounds % 4 == 0) checkGraph(args[3]);
    if (!isPool && rounds % 4 == 0) checkMapping(args[3]);
    rounds++;
  } while (std::chrono::steady_clock::now() < end);
  std::printf("%d rounds\n", rounds);
  return 0;
}
