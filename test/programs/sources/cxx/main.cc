#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>

#include "parts.h"

int main(int argc, char **argv) try {
  for (const auto &shape : shapes()) std::cout << std::fixed << std::setprecision(3) << shape->area() << '\n';
  std::cout << inParallel(4, 100000, [](long n) { return n % 7; }) << '\n';
  std::ifstream text(argc > 1 ? argv[1] : "parts.h");
  for (const auto &[word, n] : words(text))
    if (n > 3) std::cout << word << ' ' << n << '\n';
  std::cout << std::filesystem::file_size("parts.h") << '\n';
  throw std::runtime_error("thrown and caught");
} catch (const std::exception &e) {
  std::cerr << e.what() << '\n';
  return 7;
}
