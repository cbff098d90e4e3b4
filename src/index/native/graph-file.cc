// hnswlib 0.8's file: a header of 96 bytes, a row for each element (links, vector, label), and the links of higher levels.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "graph.h"

namespace lectern {

namespace {

constexpr size_t kHeaderBytes = 96;
constexpr size_t kBehindLinks = 64;
constexpr int kMostLevels = 64;

struct Closing {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closing>;

[[noreturn]] void failFromSystem(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

void refuseUnless(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

void readAll(std::FILE* file, void* out, size_t bytes) {
  refuseUnless(std::fread(out, 1, bytes, file) == bytes, "the graph's file is cut off");
}

template <typename T>
T readOne(std::FILE* file) {
  T value;
  readAll(file, &value, sizeof(value));
  return value;
}

void writeAll(std::FILE* file, const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file) != bytes) failFromSystem("the graph cannot be written");
}

template <typename T>
void writeOne(std::FILE* file, T value) {
  writeAll(file, &value, sizeof(value));
}

}  // namespace

void Graph::save(const std::string& path) const {
  refuseBroken();
  File file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) failFromSystem("the graph cannot be written");
  const uint64_t count = cur_element_count;
  for (const uint64_t value : {uint64_t{offsetLevel0_}, uint64_t{max_elements_}, count, uint64_t{size_data_per_element_},
                               uint64_t{label_offset_}, uint64_t{offsetData_}})
    writeOne(file.get(), value);
  writeOne<int32_t>(file.get(), maxlevel_);
  writeOne<uint32_t>(file.get(), enterpoint_node_);
  for (const uint64_t value : {uint64_t{maxM_}, uint64_t{maxM0_}, uint64_t{M_}}) writeOne(file.get(), value);
  writeOne<double>(file.get(), mult_);
  writeOne<uint64_t>(file.get(), ef_construction_);
  if (count > 0) writeAll(file.get(), data_level0_memory_, count * size_data_per_element_);
  for (size_t i = 0; i < count; i++) {
    const size_t bytes = size_links_per_element_ * static_cast<size_t>(element_levels_[i]);
    writeOne(file.get(), static_cast<uint32_t>(bytes));
    if (bytes > 0) writeAll(file.get(), linkLists_[i], bytes);
  }
  if (std::fclose(file.release()) != 0) failFromSystem("the graph cannot be written");
}

Graph::Graph(const std::string& path, size_t dimensions, size_t count)
    : InnerProductSpace(dimensions),
      HierarchicalNSW(static_cast<InnerProductSpace*>(this)),
      dimensions_(dimensions) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) failFromSystem("the graph cannot be read");
  if (std::fseek(file.get(), 0, SEEK_END) != 0) failFromSystem("the graph cannot be read");
  const long bytes = std::ftell(file.get());
  if (bytes < 0 || std::fseek(file.get(), 0, SEEK_SET) != 0) failFromSystem("the graph cannot be read");
  offsetLevel0_ = readOne<uint64_t>(file.get());
  readOne<uint64_t>(file.get());
  const auto stored = readOne<uint64_t>(file.get());
  size_data_per_element_ = readOne<uint64_t>(file.get());
  label_offset_ = readOne<uint64_t>(file.get());
  offsetData_ = readOne<uint64_t>(file.get());
  maxlevel_ = readOne<int32_t>(file.get());
  enterpoint_node_ = readOne<uint32_t>(file.get());
  maxM_ = readOne<uint64_t>(file.get());
  maxM0_ = readOne<uint64_t>(file.get());
  M_ = readOne<uint64_t>(file.get());
  mult_ = readOne<double>(file.get());
  ef_construction_ = readOne<uint64_t>(file.get());
  data_size_ = get_data_size();
  const bool fits = stored == count && offsetLevel0_ == 0 && M_ > 0 && M_ <= 10000 && maxM_ == M_ && maxM0_ == 2 * M_ &&
                    offsetData_ == 4 + maxM0_ * 4 && label_offset_ == offsetData_ + data_size_ &&
                    size_data_per_element_ == label_offset_ + 8 && mult_ > 0 && mult_ < 10 && ef_construction_ >= M_ &&
                    ef_construction_ <= 1000000;
  refuseUnless(fits, "the graph's header is not that of so many vectors of these dimensions");
  refuseUnless(count == 0 || (enterpoint_node_ < count && maxlevel_ >= 0 && maxlevel_ < kMostLevels),
               "the graph's entry is wrong");
  readElements(file.get(), count, static_cast<size_t>(bytes));
}

/** Nothing is reached through a number of the file that was not looked at. */
void Graph::readElements(std::FILE* file, size_t count, size_t bytes) {
  refuseUnless(bytes >= kHeaderBytes + count * (size_data_per_element_ + 4), "the graph's file is cut off");
  max_elements_ = std::max<size_t>(1, count);
  size_links_level0_ = offsetData_;
  size_links_per_element_ = maxM_ * sizeof(hnswlib::tableint) + sizeof(hnswlib::linklistsizeint);
  fstdistfunc_ = get_dist_func();
  dist_func_param_ = get_dist_func_param();
  revSize_ = 1.0 / mult_;
  ef_ = 10;
  data_level0_memory_ = static_cast<char*>(std::malloc(max_elements_ * size_data_per_element_));
  linkLists_ = static_cast<char**>(std::calloc(max_elements_, sizeof(char*)));
  if (data_level0_memory_ == nullptr || linkLists_ == nullptr) throw std::bad_alloc();
  std::vector<std::mutex>(max_elements_).swap(link_list_locks_);
  element_levels_.assign(max_elements_, 0);
  visited_list_pool_ = std::make_unique<hnswlib::VisitedListPool>(1, max_elements_);
  readAll(file, data_level0_memory_, count * size_data_per_element_);
  size_t left = bytes - kHeaderBytes - count * size_data_per_element_;
  for (size_t id = 0; id < count; id++) {
    refuseUnless(left >= 4, "the graph's file is cut off");
    const auto size = readOne<uint32_t>(file);
    left -= 4;
    refuseUnless(size <= left && size % size_links_per_element_ == 0 && size / size_links_per_element_ <= kMostLevels,
                 "the graph's file is cut off");
    left -= size;
    if (size > 0) {
      linkLists_[id] = static_cast<char*>(std::calloc(1, size + kBehindLinks));
      if (linkLists_[id] == nullptr) throw std::bad_alloc();
    }
    element_levels_[id] = static_cast<int>(size / size_links_per_element_);
    cur_element_count = id + 1;
    if (size > 0) readAll(file, linkLists_[id], size);
  }
  refuseUnless(left == 0, "the graph's file is longer than it should be");
  refuseUnless(count == 0 || element_levels_[enterpoint_node_] == maxlevel_, "the graph's entry is wrong");
  std::vector<bool> seen(count);
  for (size_t id = 0; id < count; id++) {
    const auto element = static_cast<hnswlib::tableint>(id);
    const size_t label = getExternalLabel(element);
    refuseUnless(label < count && !seen[label] && element_levels_[id] <= maxlevel_, "a label or a level is wrong");
    seen[label] = true;
    const auto* vector = reinterpret_cast<const float*>(getDataByInternalId(element));
    for (size_t i = 0; i < dimensions_; i++) refuseUnless(std::isfinite(vector[i]), "a component is not finite");
    checkLinks(get_linklist0(element), maxM0_, 0);
    for (int level = 1; level <= element_levels_[id]; level++) checkLinks(get_linklist(element, level), maxM_, level);
  }
}

void Graph::checkLinks(const hnswlib::linklistsizeint* list, size_t most, int level) const {
  // Two bytes count, the third says whether the element was deleted, which none ever is.
  refuseUnless((*list >> 16) == 0 && *list <= most, "an element has too many links");
  for (size_t i = 1; i <= *list; i++)
    refuseUnless(list[i] < cur_element_count && element_levels_[list[i]] >= level, "a link leads out of the graph");
}

}  // namespace lectern
