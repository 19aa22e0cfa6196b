#include "parts.h"

#include <istream>
#include <regex>

std::map<std::string, int> words(std::istream &in) {
  std::map<std::string, int> count;
  const std::regex word("[a-z]+");
  for (std::string line; std::getline(in, line);)
    for (std::sregex_iterator at(line.begin(), line.end(), word), end; at != end; ++at) count[at->str()]++;
  return count;
}
