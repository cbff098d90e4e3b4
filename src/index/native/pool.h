// Threads that search while the thread of JavaScript goes on. Nothing here knows JavaScript: pool-binding.h makes
// promises of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace lectern {

/**
 * Something to be worked out from memory that nobody changes meanwhile, in one piece or in several at once. A piece that
 * throws makes a failure of the work, and of that alone.
 */
class Work {
 public:
  virtual ~Work() = default;

  /** In how many pieces it is to be run where so many threads have nothing to do. Called once, before the first. */
  virtual size_t pieces(size_t idle) {
    (void)idle;
    return 1;
  }
  /** On any thread, pieces beside one another. */
  virtual void run(size_t piece, size_t pieces) = 0;
  /** After the last piece, on the thread that ran it; not where a piece failed. */
  virtual void join() {}
};

/** Told of work that is done, once each, on a thread of the pool. It outlives its work: `Pool::withdraw` sees to that. */
class Customer {
 public:
  virtual ~Customer() = default;
  /** `failure` is empty where nothing failed. */
  virtual void done(std::shared_ptr<Work> work, std::string failure) = 0;
};

/** Runs work in the order that it came in. How much waits is bounded by those who submit. */
class Pool {
 public:
  Pool() = default;
  /** Finishes what runs, drops the rest. */
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /** The one of this process. Never destroyed: its threads may outlive everything else. */
  static Pool& shared();

  /** How many threads work from here on; they start when there is something to do. */
  void resize(size_t threads);
  size_t threads();
  /** What cannot have a thread at all, because the machine gives none or `resize` said so, is run at once. */
  void submit(std::shared_ptr<Work> work, Customer& customer);
  /** Drops what the customer still has waiting, of which it hears nothing, and returns when nothing of its is being run. */
  void withdraw(const Customer& customer);

 private:
  struct Order {
    std::shared_ptr<Work> work;
    Customer* customer;
    size_t pieces;
    std::atomic<size_t> left;
    std::mutex failing;
    std::string failure;
  };
  struct Turn {
    std::shared_ptr<Order> order;
    size_t piece;
  };

  void startThreads(size_t wanted);
  void serve(size_t number);
  static void runPiece(Order& order, size_t piece);

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable ended_;
  std::deque<Turn> queue_;
  std::vector<std::thread> workers_;
  /** Pieces that are being run, by customer. */
  std::unordered_map<const Customer*, size_t> running_;
  size_t busy_ = 0;
  size_t threads_ = 0;
  bool isClosing_ = false;
};

}  // namespace lectern
