// The graph for JavaScript: see vector-addon.ts, which has its types. A graph is a handle; one thread at a time changes it.
#include "graph-binding.h"

#include <memory>
#include <mutex>
#include <unordered_set>

#include "graph.h"
#include "pool-binding.h"

namespace lectern {

namespace {

constexpr double kMostDimensions = 65536;
constexpr double kMostLinks = 256;
constexpr double kMostThreads = 256;

/** Searches that are under way hold the graph too: released, it goes when they have ended. */
struct Handle {
  std::shared_ptr<Graph> graph;
};

/** Every handle that is alive: what else JavaScript passes for one is told by it. */
class Handles {
 public:
  void add(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_.insert(handle);
  }
  void remove(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_.erase(handle);
  }
  bool has(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return all_.count(handle) > 0;
  }

 private:
  std::mutex mutex_;
  std::unordered_set<const void*> all_;
};

/** Never destroyed: finalizers may run after everything else. */
Handles& handles() {
  static auto* const all = new Handles();
  return *all;
}

void finalize(napi_env, void* data, void*) {
  handles().remove(data);
  delete static_cast<Handle*>(data);
}

napi_value wrapped(napi_env env, std::unique_ptr<Graph> graph) {
  auto handle = std::make_unique<Handle>(Handle{std::move(graph)});
  napi_value value = nullptr;
  handles().add(handle.get());
  if (napi_create_external(env, handle.get(), finalize, nullptr, &value) != napi_ok) {
    handles().remove(handle.get());
    return nullptr;
  }
  handle.release();
  return value;
}

Handle* handleAt(Arguments& args) {
  void* data = nullptr;
  napi_valuetype type = napi_undefined;
  if (args.failed() || args.at(0) == nullptr || napi_typeof(args.env(), args.at(0), &type) != napi_ok ||
      type != napi_external || napi_get_value_external(args.env(), args.at(0), &data) != napi_ok ||
      !handles().has(data)) {
    args.fail("graph must be a graph");
    return nullptr;
  }
  return static_cast<Handle*>(data);
}

Graph* graphAt(Arguments& args) {
  Handle* handle = handleAt(args);
  if (handle != nullptr && handle->graph == nullptr) args.fail("the graph was released");
  return args.failed() ? nullptr : handle->graph.get();
}

/** One that is about to change: no search may be under way. */
Graph* ownGraphAt(Arguments& args) {
  Graph* graph = graphAt(args);
  if (graph != nullptr) args.expect(handleAt(args)->graph.use_count() == 1, "the graph is being searched");
  return args.failed() ? nullptr : graph;
}

/** graphCreate(dimensions, capacity, m, efConstruction): a graph. */
napi_value create(Arguments& args) {
  const GraphSettings settings{args.whole(0, "dimensions", kMostDimensions), args.whole(1, "capacity"),
                               args.whole(2, "m", kMostLinks), args.whole(3, "efConstruction")};
  args.expect(settings.dimensions > 0 && settings.m > 1, "dimensions and m must be larger");
  return args.failed() ? nullptr : wrapped(args.env(), std::make_unique<Graph>(settings));
}

/** graphCount(graph): the vectors in it. */
napi_value count(Arguments& args) {
  const Graph* graph = graphAt(args);
  if (graph == nullptr) return nullptr;
  napi_value value = nullptr;
  napi_create_uint32(args.env(), static_cast<uint32_t>(graph->count()), &value);
  return value;
}

/** graphReserve(graph, capacity): makes room for so many vectors in all. */
napi_value reserve(Arguments& args) {
  Graph* graph = ownGraphAt(args);
  const size_t capacity = args.whole(1, "capacity");
  if (!args.failed()) graph->reserve(capacity);
  return nullptr;
}

/** graphAdd(graph, vectors, threads): adds unit vectors under the next labels, in order. */
napi_value add(Arguments& args) {
  Graph* graph = ownGraphAt(args);
  const auto vectors = args.array<float>(1, "vectors");
  const size_t threads = args.whole(2, "threads", kMostThreads);
  if (args.failed()) return nullptr;
  args.expect(vectors.size % graph->dimensions() == 0, "vectors must be whole");
  args.expect(graph->count() + vectors.size / graph->dimensions() <= graph->capacity(), "no room was made for so many");
  for (size_t i = 0; i < vectors.size; i++) args.expect(std::isfinite(vectors.data[i]), "vectors must be finite");
  if (args.failed()) return nullptr;
  graph->add(vectors.data, vectors.size / graph->dimensions(), threads);
  return nullptr;
}

/** A walk for the nearest. */
class SearchJob : public Job {
 public:
  explicit SearchJob(Arguments& args) {
    if (graphAt(args) != nullptr) graph_ = handleAt(args)->graph;
    query_ = args.array<float>(1, "query");
    ef_ = args.whole(2, "ef");
    if (!args.isNull(3)) {
      const auto owners = args.array<int32_t>(3, "owners");
      const auto allowed = args.array<int32_t>(4, "allowed");
      filter_ = {owners.data, owners.size, reinterpret_cast<const uint32_t*>(allowed.data), allowed.size};
      // An empty list has no address, and allows nobody.
      if (owners.data == nullptr) args.expect(graph_ == nullptr || graph_->count() == 0, "owners is too short");
    }
    labels_ = args.array<int32_t>(5, "labels");
    similarities_ = args.array<float>(6, "similarities");
    if (args.failed()) return;
    args.expect(query_.size == graph_->dimensions(), "query has other dimensions");
    for (size_t i = 0; i < query_.size; i++) args.expect(std::isfinite(query_.data[i]), "query must be finite");
    args.expect(labels_.size == similarities_.size, "labels and similarities must be of one length");
  }

  void run(size_t, size_t) override {
    const size_t k = std::min(labels_.size, graph_->count());
    found_ = graph_->search(query_.data, k, std::min(ef_, graph_->count()), filter_);
  }

  napi_value answer(napi_env env) override {
    for (size_t i = 0; i < found_.size(); i++) {
      labels_.data[i] = found_[i].label;
      similarities_.data[i] = found_[i].similarity;
    }
    napi_value value = nullptr;
    napi_create_uint32(env, static_cast<uint32_t>(found_.size()), &value);
    return value;
  }

 private:
  std::shared_ptr<const Graph> graph_;
  Span<float> query_;
  size_t ef_ = 0;
  LabelFilter filter_;
  Span<int32_t> labels_;
  Span<float> similarities_;
  std::vector<Neighbour> found_;
};

/** graphSearch(graph, query, ef, owners, allowed, labels, similarities): fills both, best first; answers how many. */
napi_value search(Arguments& args) {
  SearchJob job(args);
  if (args.failed()) return nullptr;
  job.run(0, 1);
  return job.answer(args.env());
}

/** graphSearchLater(…): a promise of the same. */
napi_value searchLater(Arguments& args) {
  auto job = std::make_shared<SearchJob>(args);
  return args.failed() ? nullptr : dispatch(args, std::move(job), pinnedArguments(args));
}

/** graphSave(graph, path) */
napi_value save(Arguments& args) {
  const Graph* graph = graphAt(args);
  const std::string path = args.text(1, "path");
  if (!args.failed()) graph->save(path);
  return nullptr;
}

/** graphRelease(graph): gives the memory back. */
napi_value release(Arguments& args) {
  Handle* handle = handleAt(args);
  if (handle != nullptr) handle->graph.reset();
  return nullptr;
}

/** A graph that is being read by another thread. */
struct Reading {
  std::string path;
  size_t dimensions;
  size_t count;
  std::unique_ptr<Graph> graph;
  std::string failure;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

void readInBackground(napi_env, void* data) {
  auto* reading = static_cast<Reading*>(data);
  try {
    reading->graph = std::make_unique<Graph>(reading->path, reading->dimensions, reading->count);
  } catch (const std::exception& error) {
    reading->failure = error.what();
  }
}

void readDone(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<Reading> reading(static_cast<Reading*>(data));
  napi_value value = reading->graph == nullptr ? nullptr : wrapped(env, std::move(reading->graph));
  if (status == napi_ok && value != nullptr) {
    napi_resolve_deferred(env, reading->deferred, value);
  } else {
    napi_value text = nullptr;
    napi_create_string_utf8(env, reading->failure.c_str(), NAPI_AUTO_LENGTH, &text);
    napi_create_error(env, nullptr, text, &value);
    napi_reject_deferred(env, reading->deferred, value);
  }
  napi_delete_async_work(env, reading->work);
}

/** graphRead(path, dimensions, count): a promise of a graph, which another thread reads. */
napi_value read(Arguments& args) {
  auto reading = std::make_unique<Reading>();
  reading->path = args.text(0, "path");
  reading->dimensions = args.whole(1, "dimensions", kMostDimensions);
  reading->count = args.whole(2, "count");
  args.expect(reading->dimensions > 0, "dimensions must be larger");
  if (args.failed()) return nullptr;
  napi_value name = nullptr;
  napi_value promise = nullptr;
  napi_create_string_utf8(args.env(), "graphRead", NAPI_AUTO_LENGTH, &name);
  if (napi_create_promise(args.env(), &reading->deferred, &promise) != napi_ok ||
      napi_create_async_work(args.env(), nullptr, name, readInBackground, readDone, reading.get(), &reading->work) !=
          napi_ok ||
      napi_queue_async_work(args.env(), reading->work) != napi_ok)
    throw std::runtime_error("the graph cannot be read in the background");
  reading.release();
  return promise;
}

}  // namespace

void defineGraph(napi_env env, napi_value exports) {
  define(env, exports, "graphCreate", guarded<create>);
  define(env, exports, "graphCount", guarded<count>);
  define(env, exports, "graphReserve", guarded<reserve>);
  define(env, exports, "graphAdd", guarded<add>);
  define(env, exports, "graphSearch", guarded<search>);
  define(env, exports, "graphSearchLater", guarded<searchLater>);
  define(env, exports, "graphSave", guarded<save>);
  define(env, exports, "graphRelease", guarded<release>);
  define(env, exports, "graphRead", guarded<read>);
}

}  // namespace lectern
