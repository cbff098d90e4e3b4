// A graph of unit vectors under the labels 0, 1, 2 …: hnswlib's structure and file format, with an insertion of our own
// that several threads can run, and files that are checked number by number.
#pragma once

#include <hnswlib/hnswlib.h>

#include <cstdio>
#include <string>
#include <vector>

#include "inner-product.h"

namespace lectern {

struct GraphSettings {
  size_t dimensions;
  size_t capacity;
  size_t m;
  size_t efConstruction;
};

/** Labels whose owner is in a set; all of them without owners. */
struct LabelFilter {
  const int32_t* owners = nullptr;
  size_t labels = 0;
  const uint32_t* words = nullptr;
  size_t wordCount = 0;
};

struct Neighbour {
  float similarity;
  int32_t label;
};

class InnerProductSpace : public hnswlib::SpaceInterface<float> {
 public:
  explicit InnerProductSpace(size_t dimensions) : dimensions_(dimensions) {}
  size_t get_data_size() override { return dimensions_ * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return innerProductDistance(usedSimd()); }
  void* get_dist_func_param() override { return &dimensions_; }

 private:
  size_t dimensions_;
};

/** Threads may search beside one another; whatever else is called, one thread at a time may call it and nobody searches. */
class Graph : private InnerProductSpace, private hnswlib::HierarchicalNSW<float> {
 public:
  explicit Graph(const GraphSettings& settings);
  /** Throws std::runtime_error unless the file holds `count` vectors of `dimensions` and nothing impossible. */
  Graph(const std::string& path, size_t dimensions, size_t count);

  size_t dimensions() const { return dimensions_; }
  size_t count() const { return cur_element_count; }
  size_t capacity() const { return max_elements_; }

  void reserve(size_t capacity);
  /** Adds vectors under the next labels, with room for them made before. What fails leaves a graph of no use. */
  void add(const float* vectors, size_t count, size_t threads);
  /** Up to `k` of the nearest, best first, looking at `ef` candidates. */
  std::vector<Neighbour> search(const float* query, size_t k, size_t ef, const LabelFilter& filter) const;
  /** Throws std::runtime_error with what the disk says. */
  void save(const std::string& path) const;

 private:
  void place(hnswlib::tableint id, const float* vector);
  void connect(hnswlib::tableint id);
  hnswlib::tableint descend(const void* vector, hnswlib::tableint from, int top, int level);
  hnswlib::tableint entrance(const void* vector) const;
  void connectAll(size_t first, size_t end, size_t threads);
  int levelOf(uint64_t label) const;
  void readElements(std::FILE* file, size_t count, size_t bytes);
  void checkLinks(const hnswlib::linklistsizeint* list, size_t most, int level) const;
  void refuseBroken() const;

  size_t dimensions_;
  bool isBroken_ = false;
};

}  // namespace lectern
