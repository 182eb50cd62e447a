// The functions and classes that a source needs beside PyTorch's.
#pragma once

#include <vector>

#include "facets/torch_source/source.h"

namespace h5bridge::torch_source {

class Helpers {
 public:
  /// Has one written, behind those that it needs.
  void need(const PythonHelper& helper) {
    for (const PythonHelper* known : needed_)
      if (known == &helper) return;
    for (const PythonHelper* other : helper.needs)
      if (other) need(*other);
    needed_.push_back(&helper);
  }
  const std::vector<const PythonHelper*>& all() const { return needed_; }

 private:
  std::vector<const PythonHelper*> needed_;
};

}  // namespace h5bridge::torch_source
