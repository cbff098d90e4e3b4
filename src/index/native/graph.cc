#include "graph.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace lectern {

namespace {

using hnswlib::tableint;

/** hnswlib looks one link further than there are, to fetch ahead. */
constexpr size_t kBehindLinks = 64;

class OwnerFilter : public hnswlib::BaseFilterFunctor {
 public:
  explicit OwnerFilter(const LabelFilter& filter) : filter_(filter) {}
  bool operator()(hnswlib::labeltype label) override {
    if (label >= filter_.labels) return false;
    const auto owner = static_cast<uint32_t>(filter_.owners[label]);
    return owner / 32 < filter_.wordCount && ((filter_.words[owner / 32] >> (owner % 32)) & 1) != 0;
  }

 private:
  const LabelFilter& filter_;
};

}  // namespace

Graph::Graph(const GraphSettings& settings)
    : InnerProductSpace(settings.dimensions),
      HierarchicalNSW(static_cast<InnerProductSpace*>(this), std::max<size_t>(1, settings.capacity), settings.m,
                      settings.efConstruction),
      dimensions_(settings.dimensions) {}

void Graph::refuseBroken() const {
  if (isBroken_) throw std::runtime_error("the graph is of no use since an insertion failed");
}

void Graph::reserve(size_t capacity) {
  refuseBroken();
  if (capacity > max_elements_) resizeIndex(capacity);
}

/** By the label alone, so that it is the same however many threads there are (SplitMix64, public domain). */
int Graph::levelOf(uint64_t label) const {
  uint64_t z = (label + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  const double uniform = (static_cast<double>((z ^ (z >> 31)) >> 11) + 1) / 9007199254740992.0;
  return static_cast<int>(-std::log(uniform) * mult_);
}

void Graph::add(const float* vectors, size_t count, size_t threads) {
  refuseBroken();
  const size_t first = cur_element_count;
  if (first + count > max_elements_) throw std::runtime_error("the graph has no room for so many vectors");
  isBroken_ = true;
  for (size_t i = 0; i < count; i++) place(static_cast<tableint>(first + i), vectors + i * dimensions_);
  size_t next = first;
  // The first of all has nobody to be connected with.
  if (first == 0 && count > 0) {
    enterpoint_node_ = 0;
    maxlevel_ = element_levels_[0];
    next++;
  }
  connectAll(next, first + count, threads);
  isBroken_ = false;
}

/** Gives an element its memory: until it is connected, nobody gets there. */
void Graph::place(tableint id, const float* vector) {
  const int level = levelOf(id);
  linkLists_[id] = nullptr;
  if (level > 0) {
    linkLists_[id] = static_cast<char*>(
        std::calloc(1, size_links_per_element_ * static_cast<size_t>(level) + kBehindLinks));
    if (linkLists_[id] == nullptr) throw std::bad_alloc();
  }
  element_levels_[id] = level;
  cur_element_count = id + 1;
  std::memset(data_level0_memory_ + id * size_data_per_element_, 0, size_data_per_element_);
  std::memcpy(getDataByInternalId(id), vector, data_size_);
  setExternalLabel(id, id);
}

void Graph::connectAll(size_t first, size_t end, size_t threads) {
  std::atomic<size_t> next{first};
  std::exception_ptr failure;
  std::mutex failing;
  const auto work = [&] {
    try {
      for (size_t id = next++; id < end; id = next++) connect(static_cast<tableint>(id));
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failing);
      failure = std::current_exception();
      next = end;
    }
  };
  std::vector<std::thread> others;
  try {
    const size_t most = std::min(threads, end - std::min(first, end));
    for (size_t i = 1; i < most; i++) others.emplace_back(work);
  } catch (const std::system_error&) {
    // A machine that gives no more threads: those that there are do it.
  }
  work();
  for (std::thread& other : others) other.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

/**
 * hnswlib's insertion (Malkov and Yashunin 2018) of an element that was placed. Its own links are locked until the end; a
 * thread waits for another only on a level that the other is done with, so that no two wait for one another.
 */
void Graph::connect(tableint id) {
  const std::lock_guard<std::mutex> own(link_list_locks_[id]);
  const int level = element_levels_[id];
  std::unique_lock<std::mutex> entry(global);
  const int top = maxlevel_;
  const tableint start = enterpoint_node_;
  if (level <= top) entry.unlock();
  const void* vector = getDataByInternalId(id);
  tableint nearest = descend(vector, start, top, level);
  for (int at = std::min(level, top); at >= 0; at--) {
    auto candidates = searchBaseLayer(nearest, vector, at);
    nearest = mutuallyConnectNewElement(vector, id, candidates, at, false);
  }
  if (level <= top) return;
  enterpoint_node_ = id;
  maxlevel_ = level;
}

/** The nearest that is found by walking down to the level above `level`. */
tableint Graph::descend(const void* vector, tableint from, int top, int level) {
  tableint nearest = from;
  float distance = fstdistfunc_(vector, getDataByInternalId(nearest), dist_func_param_);
  for (int at = top; at > level; at--) {
    for (bool changed = true; changed;) {
      changed = false;
      const std::lock_guard<std::mutex> lock(link_list_locks_[nearest]);
      hnswlib::linklistsizeint* list = get_linklist(nearest, at);
      const size_t count = getListCount(list);
      const auto* links = reinterpret_cast<const tableint*>(list + 1);
      for (size_t i = 0; i < count; i++) {
        const float other = fstdistfunc_(vector, getDataByInternalId(links[i]), dist_func_param_);
        if (!(other < distance)) continue;
        distance = other;
        nearest = links[i];
        changed = true;
      }
    }
  }
  return nearest;
}

/** The same down to the lowest level, in a graph that nobody adds to. */
tableint Graph::entrance(const void* vector) const {
  tableint nearest = enterpoint_node_;
  float distance = fstdistfunc_(vector, getDataByInternalId(nearest), dist_func_param_);
  for (int at = maxlevel_; at > 0; at--) {
    for (bool changed = true; changed;) {
      changed = false;
      const hnswlib::linklistsizeint* list = get_linklist(nearest, at);
      const size_t count = getListCount(const_cast<hnswlib::linklistsizeint*>(list));
      const auto* links = reinterpret_cast<const tableint*>(list + 1);
      for (size_t i = 0; i < count; i++) {
        const float other = fstdistfunc_(vector, getDataByInternalId(links[i]), dist_func_param_);
        if (!(other < distance)) continue;
        distance = other;
        nearest = links[i];
        changed = true;
      }
    }
  }
  return nearest;
}

/** hnswlib's `searchKnn` without what it writes down: how far one search looks is no business of another. */
std::vector<Neighbour> Graph::search(const float* query, size_t k, size_t ef, const LabelFilter& filter) const {
  refuseBroken();
  if (k == 0 || cur_element_count == 0) return {};
  const tableint start = entrance(query);
  OwnerFilter allowed(filter);
  auto found = filter.owners == nullptr ? searchBaseLayerST<true>(start, query, std::max(k, ef))
                                        : searchBaseLayerST<false>(start, query, std::max(k, ef), &allowed);
  while (found.size() > k) found.pop();
  std::vector<Neighbour> neighbours(found.size());
  for (size_t i = found.size(); i > 0; i--, found.pop())
    neighbours[i - 1] = {1 - found.top().first, static_cast<int32_t>(getExternalLabel(found.top().second))};
  return neighbours;
}

}  // namespace lectern
