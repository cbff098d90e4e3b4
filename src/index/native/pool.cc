#include "pool.h"

#include <algorithm>
#include <exception>
#include <system_error>

namespace lectern {

Pool& Pool::shared() {
  static auto* const pool = new Pool();
  return *pool;
}

Pool::~Pool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    isClosing_ = true;
    queue_.clear();
  }
  wanted_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Pool::resize(size_t threads) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_ = threads;
    // With none left, what waits would wait for ever.
    if (!queue_.empty() && threads_ == 0) threads_ = 1;
  }
  wanted_.notify_all();
}

size_t Pool::threads() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return threads_;
}

void Pool::submit(std::shared_ptr<Work> work, Customer& customer) {
  auto order = std::make_shared<Order>();
  order->work = std::move(work);
  order->customer = &customer;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t taken = busy_ + queue_.size();
    const size_t idle = threads_ > taken ? threads_ - taken : 0;
    const size_t pieces = std::max<size_t>(1, order->work->pieces(idle));
    startThreads(std::min(threads_, taken + pieces));
    const bool isServed = threads_ > 0 && !workers_.empty();
    order->left = order->pieces = isServed ? pieces : 1;
    for (size_t piece = 0; isServed && piece < pieces; piece++) queue_.push_back({order, piece});
    // One that is too many may be who is woken, and would leave it at that.
    const bool isAll = workers_.size() > threads_;
    for (size_t piece = 0; isServed && piece < (isAll ? 1 : pieces); piece++) {
      if (isAll) wanted_.notify_all();
      else wanted_.notify_one();
    }
    if (isServed) return;
  }
  runPiece(*order, 0);
}

void Pool::withdraw(const Customer& customer) {
  std::unique_lock<std::mutex> lock(mutex_);
  queue_.erase(std::remove_if(queue_.begin(), queue_.end(),
                              [&](const Turn& turn) { return turn.order->customer == &customer; }),
               queue_.end());
  ended_.wait(lock, [&] { return running_.find(&customer) == running_.end(); });
}

/** With the lock held. A machine that gives no more threads: those that there are do it. */
void Pool::startThreads(size_t wanted) {
  try {
    while (workers_.size() < wanted) {
      const size_t number = workers_.size();
      workers_.emplace_back([this, number] { serve(number); });
    }
  } catch (const std::system_error&) {
  }
}

void Pool::serve(size_t number) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    // One too many sleeps: it takes its place again when there are to be more. The first never is while work waits.
    wanted_.wait(lock, [&] { return isClosing_ || (number < threads_ && !queue_.empty()); });
    if (isClosing_) return;
    const Turn turn = std::move(queue_.front());
    queue_.pop_front();
    const Customer* customer = turn.order->customer;
    busy_++;
    running_[customer]++;
    lock.unlock();
    runPiece(*turn.order, turn.piece);
    lock.lock();
    busy_--;
    if (--running_[customer] > 0) continue;
    running_.erase(customer);
    ended_.notify_all();
  }
}

void Pool::runPiece(Order& order, size_t piece) {
  const auto failed = [&](const char* what) {
    const std::lock_guard<std::mutex> lock(order.failing);
    order.failure = what;
  };
  try {
    order.work->run(piece, order.pieces);
  } catch (const std::exception& error) {
    failed(error.what());
  } catch (...) {
    failed("unknown failure in native code");
  }
  if (--order.left > 0) return;
  try {
    if (order.failure.empty()) order.work->join();
  } catch (const std::exception& error) {
    failed(error.what());
  }
  order.customer->done(std::move(order.work), std::move(order.failure));
}

}  // namespace lectern
