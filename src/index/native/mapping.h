// A file that is mapped privately, and stays readable whatever others do to it. Where its pages are gone (it was cut short,
// or the disk cannot read it), reading them would end the process: a handler of SIGBUS puts pages of zeros there instead,
// and the mapping says that it is no longer what was mapped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lectern {

/** What a file shows of having been changed. */
struct FileLook {
  uint64_t bytes = 0;
  int64_t seconds = 0;
  int64_t nanoseconds = 0;

  bool operator==(const FileLook& other) const {
    return bytes == other.bytes && seconds == other.seconds && nanoseconds == other.nanoseconds;
  }
};

class Mapping {
 public:
  /** Throws what the system says, also of a file that has another length. */
  static Mapping* open(const std::string& path, size_t bytes);
  /** Unmaps. Whoever still reads it, on any thread, must have ended. */
  static void close(Mapping* mapping);
  /** The one that begins at this address; null for none. */
  static Mapping* at(const void* address);

  void* data() const { return reinterpret_cast<void*>(begin_.load(std::memory_order_relaxed)); }
  size_t size() const { return end_.load(std::memory_order_relaxed) - begin_.load(std::memory_order_relaxed); }

  /**
   * Whether all that was read from it so far, and by any thread, is what was in the file when it was mapped: no page was
   * missing, and nobody wrote to the file, cut it or punched a hole into it. By the time of its last change: a write in
   * the same tick of the file system's clock as the one before the mapping is not noticed. Once it is not, it never is.
   */
  bool isIntact();

  /** Whether a stretch of the file is in the page cache, so that looking at it waits for no disk. */
  bool isResident(size_t from, size_t bytes) const;

  /** Reads a stretch of the file into the page cache, and puts its pages into the mapping where the system can do that. */
  void populate(size_t from, size_t bytes) const;

  // For the handler alone: whether the address is one of its, which is readable from then on; and the next of the list.
  bool takes(uintptr_t address);
  Mapping* next() const { return next_; }

 private:
  Mapping() = default;
  static Mapping* unused();

  std::atomic<uintptr_t> begin_{0};
  std::atomic<uintptr_t> end_{0};
  std::atomic<bool> isDamaged_{false};
  int file_ = -1;
  FileLook asMapped_;
  /** Entries are used again and never freed: the handler walks the list without a lock. */
  Mapping* next_ = nullptr;
};

}  // namespace lectern
