#include "parts.h"

#include <atomic>
#include <future>
#include <thread>

long inParallel(int threads, long upTo, const std::function<long(long)> &f) {
  std::atomic<long> next{1};
  std::vector<std::future<long>> parts;
  for (int i = 0; i < threads; i++)
    parts.push_back(std::async(std::launch::async, [&] {
      long sum = 0;
      for (long n; (n = next++) <= upTo;) sum += f(n);
      return sum;
    }));
  long sum = 0;
  for (auto &part : parts) sum += part.get();
  return sum;
}
