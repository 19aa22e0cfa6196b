// The parts of a small C++ program: shapes (virtual functions), a pool of threads, words of a text.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};
std::vector<std::unique_ptr<Shape>> shapes();
std::map<std::string, int> words(std::istream &in);
long inParallel(int threads, long upTo, const std::function<long(long)> &f);
