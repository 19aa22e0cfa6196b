#include "parts.h"

namespace {
struct Square : Shape {
  explicit Square(double side) : side(side) {}
  double area() const override { return side * side; }
  double side;
};
struct Circle : Shape {
  explicit Circle(double radius) : radius(radius) {}
  double area() const override { return 3.14159265 * radius * radius; }
  double radius;
};
}  // namespace

std::vector<std::unique_ptr<Shape>> shapes() {
  std::vector<std::unique_ptr<Shape>> all;
  all.push_back(std::make_unique<Square>(3));
  all.push_back(std::make_unique<Circle>(2));
  return all;
}
