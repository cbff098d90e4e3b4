#include "mapping.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace lectern {

namespace {

#if defined(__linux__) && !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22  // Linux 5.14; headers may be older than the system
#endif

std::atomic<Mapping*> first{nullptr};
/** Of changes to the list. */
std::mutex changes;
/** What handled SIGBUS before. */
struct sigaction before;

/** Whatever is no page of ours is left to whoever was there before: in the end that is the end of the process. */
void passOn(int number, siginfo_t* info, void* context) {
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr)
    return before.sa_sigaction(number, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(number);
  struct sigaction plain = {};
  plain.sa_handler = SIG_DFL;
  sigaction(number, &plain, nullptr);  // the instruction is tried again, and ends it
}

void onBusError(int number, siginfo_t* info, void* context) {
  const int kept = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  bool isOurs = false;
  for (Mapping* one = first.load(std::memory_order_acquire); one != nullptr && !isOurs; one = one->next())
    isOurs = one->takes(address);
  errno = kept;
  if (!isOurs) passOn(number, info, context);
}

bool installHandler() {
  struct sigaction ours = {};
  ours.sa_sigaction = onBusError;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  if (sigaction(SIGBUS, &ours, &before) != 0) throw std::system_error(errno, std::generic_category(), "sigaction");
  return true;
}

/** A descriptor that closes itself. */
struct File {
  int number;
  ~File() {
    if (number >= 0) ::close(number);
  }
};

/** False where the system does not tell. */
bool look(int file, FileLook& found) {
#ifdef __linux__
  // fstat is a symbol of newer C libraries only.
  struct statx of = {};
  if (statx(file, "", AT_EMPTY_PATH, STATX_SIZE | STATX_MTIME, &of) != 0) return false;
  found = {of.stx_size, of.stx_mtime.tv_sec, of.stx_mtime.tv_nsec};
#else
  struct stat of = {};
  if (fstat(file, &of) != 0) return false;
  found = {static_cast<uint64_t>(of.st_size), of.st_mtimespec.tv_sec, of.st_mtimespec.tv_nsec};
#endif
  return true;
}

}  // namespace

Mapping* Mapping::open(const std::string& path, size_t bytes) {
  // Once: a handler that comes later is given what is not its own, as this one gives it to those before.
  static const bool isHandled = installHandler();
  static_cast<void>(isHandled);
  File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  FileLook found;
  if (file.number < 0 || !look(file.number, found))
    throw std::system_error(errno, std::generic_category(), "the file cannot be opened");
  if (bytes == 0 || found.bytes != bytes) throw std::runtime_error("the file has another length");
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number, 0);
  if (data == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "the file cannot be mapped");
  const std::lock_guard<std::mutex> lock(changes);
  Mapping* mapping = unused();
  mapping->file_ = file.number;
  mapping->asMapped_ = found;
  mapping->isDamaged_.store(false, std::memory_order_relaxed);
  const auto begin = reinterpret_cast<uintptr_t>(data);
  mapping->end_.store(begin + bytes, std::memory_order_relaxed);
  mapping->begin_.store(begin, std::memory_order_release);
  file.number = -1;
  return mapping;
}

/** An entry that stands for nothing, a new one where there is none; with the lock. */
Mapping* Mapping::unused() {
  for (Mapping* one = first.load(std::memory_order_relaxed); one != nullptr; one = one->next_)
    if (one->begin_.load(std::memory_order_relaxed) == 0) return one;
  auto* made = new Mapping();
  made->next_ = first.load(std::memory_order_relaxed);
  first.store(made, std::memory_order_release);
  return made;
}

void Mapping::close(Mapping* mapping) {
  const std::lock_guard<std::mutex> lock(changes);
  void* const data = mapping->data();
  const size_t bytes = mapping->size();
  // The handler must not touch whatever comes to lie there next.
  mapping->begin_.store(0, std::memory_order_release);
  munmap(data, bytes);
  ::close(mapping->file_);
  mapping->file_ = -1;
}

Mapping* Mapping::at(const void* address) {
  const std::lock_guard<std::mutex> lock(changes);
  for (Mapping* one = first.load(std::memory_order_relaxed); one != nullptr; one = one->next_)
    if (address != nullptr && one->data() == address) return one;
  return nullptr;
}

bool Mapping::isIntact() {
  if (isDamaged_.load(std::memory_order_acquire)) return false;
  FileLook now;
  const bool isAsMapped = look(file_, now) && now == asMapped_;
  if (!isAsMapped) isDamaged_.store(true, std::memory_order_release);
  return isAsMapped;
}

bool Mapping::isResident(size_t from, size_t bytes) const {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = from / page * page;
  const size_t end = from + bytes < size() ? from + bytes : size();
  if (begin >= end) return true;
#ifdef __linux__
  std::vector<unsigned char> pages((end - begin + page - 1) / page);
  if (mincore(static_cast<char*>(data()) + begin, end - begin, pages.data()) != 0) return false;
  for (const unsigned char one : pages)
    if ((one & 1) == 0) return false;
  return true;
#else
  return false;
#endif
}

void Mapping::populate(size_t from, size_t bytes) const {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = from / page * page;
  const size_t end = from + bytes < size() ? from + bytes : size();
  if (begin >= end) return;
#ifdef MADV_POPULATE_READ
  if (madvise(static_cast<char*>(data()) + begin, end - begin, MADV_POPULATE_READ) == 0) return;
#endif
  // An older system: what is read comes into the page cache at least. A failure shows when the pages are looked at.
  char piece[64 * 1024];
  for (size_t at = begin; at < end;) {
    const size_t wanted = end - at < sizeof(piece) ? end - at : sizeof(piece);
    const ssize_t got = pread(file_, piece, wanted, static_cast<off_t>(at));
    if (got <= 0) return;
    at += static_cast<size_t>(got);
  }
}

/** On a signal's stack: nothing here allocates or locks. All from the page on to the end gives way, for it is of no use. */
bool Mapping::takes(uintptr_t address) {
  const uintptr_t begin = begin_.load(std::memory_order_acquire);
  const uintptr_t end = end_.load(std::memory_order_relaxed);
  if (begin == 0 || address < begin || address >= end) return false;
  isDamaged_.store(true, std::memory_order_release);
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t from = address / page * page;
  void* const put = mmap(reinterpret_cast<void*>(from), end - from, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return put != MAP_FAILED;
}

}  // namespace lectern
